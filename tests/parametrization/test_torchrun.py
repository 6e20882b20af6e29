"""Under ``torchrun``, two processes train what one does, and a checkpoint serves either number."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import sharded_training
import torch
from sharded_training import EVERY, MIDDLE, RESUMED, STEPS, WORLD, losses

from specmup.optimizers.registry import ADAPTERS, make_optimizer

# What amplifies the order in which sums are taken. Newton–Schulz rounds to bfloat16; were each
# shard orthogonalised by itself, losses would differ by 4·10⁻⁴. SOAP divides in a basis whose
# vectors of hardly any gradient hang on rounding: weights that differ by 10⁻⁶ at the start move one
# process's losses by 3·10⁻⁴ as well.
TOLERANCE = {**dict.fromkeys(("muon", "muon-kimi", "muon-original"), 1e-4), "soap": 1e-3}


def tolerance(name):
    return TOLERANCE.get(name, 1e-5)


@pytest.fixture(scope="module")
def whole():
    """Losses of one process, by optimizer."""
    return {name: losses(name)[0] for name in EVERY["ddp"]}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What two processes found, and where their checkpoints are."""
    folder = tmp_path_factory.mktemp("torchrun")
    for name in RESUMED:
        losses(name, save=folder / f"whole-{name}")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    script = [Path(sharded_training.__file__), folder]
    command = [*launch, f"--nproc-per-node={WORLD}", *script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    return {**json.loads((folder / "losses.json").read_text()), "folder": folder}


@pytest.mark.parametrize(("how", "name"), [(how, name) for how in EVERY for name in EVERY[how]])
def test_two_processes_have_the_losses_of_one(found, whole, how, name):
    assert len(found[how][name]) == STEPS
    assert found[how][name] == pytest.approx(whole[name], rel=tolerance(name))


def test_each_optimizer_trains_in_its_own_way(whole):
    """So what agrees does so by more than its start and its batches."""
    ends = [round(losses[-1], 4) for losses in whole.values()]
    assert len(set(ends)) >= len(ends) - 1  # LAMB's clamp may have nothing to do


@pytest.mark.parametrize("name", RESUMED)
def test_a_checkpoint_of_one_process_is_taken_up_by_two(found, whole, name):
    assert len(found["taken up"][name]) == STEPS - MIDDLE
    assert found["taken up"][name] == pytest.approx(whole[name][MIDDLE:], rel=tolerance(name))


@pytest.mark.parametrize("name", RESUMED)
def test_a_checkpoint_of_two_processes_is_taken_up_by_one(found, whole, name):
    alone, _ = losses(name, load=found["folder"] / f"sharded-{name}")
    assert alone == pytest.approx(whole[name][MIDDLE:], rel=tolerance(name))


class Shard(torch.nn.Parameter):
    """What tells a shard from a whole parameter."""

    placements = ()


@pytest.mark.parametrize("name", sorted(set(EVERY["ddp"]) - set(EVERY["fsdp2"])))
def test_what_needs_whole_parameters_refuses_shards_with_the_reason(name):
    groups = [{"params": [Shard(torch.zeros(4, 4))], "lr": 0.1}]
    says = f"{name} does not train sharded parameters .*{ADAPTERS[name].whole}.*train by DDP"
    with pytest.raises(ValueError, match=says):
        make_optimizer(name, groups)
