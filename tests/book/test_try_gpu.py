"""make gpu: kind without a GPU, a slice that is the paper's, and a verdict that can fall."""

import math
import re

import graphics_cards
import pytest
import torch
import try_gpu

from specmup.sweeps.configuration import read_sweep
from specmup.sweeps.growth import requested_runs
from specmup.training.recipe import Recipe


@pytest.mark.parametrize(
    ("cuda", "command", "says"),
    [
        (None, None, r"is built for CPUs alone.*install the build for your CUDA"),
        ("13.0", None, r"nvidia-smi is not here.*run this on a machine with an NVIDIA card"),
        ("13.0", "nvidia-smi", r"torch cannot use the card.*CUDA_VISIBLE_DEVICES"),
    ],
)
def test_without_a_gpu_it_says_what_to_do(monkeypatch, capsys, cuda, command, says):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(graphics_cards.shutil, "which", lambda name: command)
    assert try_gpu.main([]) == try_gpu.NO_GPU == 77
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(says, said)
    assert "tools/try_gpu.py --device cpu" in said


@pytest.mark.parametrize("device", try_gpu.SIZES)
def test_the_slice_is_the_grids_but_for_its_length_and_text(device):
    sweep = read_sweep(try_gpu.GRID)
    whole, part = requested_runs(sweep, {}), try_gpu.slice_of(sweep, try_gpu.SIZES[device])
    rates = {(run.optimizer, run.log2_lr) for run in whole}
    for run in requested_runs(part, {}):
        assert (run.optimizer, run.log2_lr) in rates
        assert (run.base, run.options) == (sweep.base, dict(sweep.optimizers[run.optimizer]))
        assert run.recipe.autocast and run.recipe.compile and run.shape.bias
    recipes = [run.recipe for run in requested_runs(try_gpu.plain(part), {})]
    assert all(isinstance(r, Recipe) and not (r.autocast or r.compile) for r in recipes)


@pytest.mark.parametrize(
    ("there", "agree"),
    [(3.0, True), (3.02, True), (3.04, False), (2.96, False), (math.inf, False), (math.nan, False)],
)
def test_losses_beside_each_other_agree_or_do_not(there, agree):
    here = {("muon", "k2", 64): 3.0, ("sophia", "sp", 64): 4.0}
    table, near = try_gpu.compared(here, {**here, ("muon", "k2", 64): there}, "cuda")
    assert near is agree
    assert table.count("DISAGREES") == (not agree)
