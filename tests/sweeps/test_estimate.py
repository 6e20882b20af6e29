"""Estimates against what is there: parameters of models, FLOPs by hand, costs by construction."""

from dataclasses import replace

import pytest
import torch

from specmup.models.gpt import GPT, GPTShape
from specmup.models.llama import LlamaShape
from specmup.runs.job import Record
from specmup.sweeps.estimate import (
    CostModel,
    device_seconds,
    flops,
    memory,
    parameters,
    remaining_seconds,
)
from specmup.sweeps.growth import requested_runs


@pytest.mark.parametrize("options", [{}, {"bias": True, "qk_norm": True}, {"tied": True}])
@pytest.mark.parametrize("normalisation", ["layernorm", "none"])
def test_parameters_are_those_of_the_model(options, normalisation):
    shape = GPTShape(37, 11, 24, 3, head_dimension=8, normalisation=normalisation, **options)
    with torch.device("meta"):
        model = GPT(shape)
    assert parameters(shape) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("options", [{}, {"group": 2, "tied": True}, {"normalisation": "none"}])
def test_parameters_of_a_llama_by_hand(options):
    shape = LlamaShape(37, 11, 24, 3, head_dimension=6, expansion=2, **options)
    n, inside, shared = 24, 48, 24 // options.get("group", 1)
    block = 2 * n * n + 2 * shared * n + 3 * inside * n
    gains = 0 if "normalisation" in options else 7 * n
    ends = 37 * n * (1 if "tied" in options else 2)
    assert parameters(shape) == 3 * block + gains + ends


def test_flops_are_six_a_matrix_parameter_and_token(sweeps):
    run = requested_runs(sweeps.make(), {})[0]
    run = replace(run, width=512, depth=3)
    matrices = 12 * 512**2 * 3 + 16 * 512
    tokens = 6 * 4 * 8
    assert run.tokens == tokens
    attention = 12 * 3 * 8 * 512  # six for each of the two products, all positions counted
    assert flops(run) == tokens * (6 * matrices + attention)
    # Muon adds five steps of 4m²p + 2m³ for four (n, n) and two (4n, n) matrices a block.
    n, added = 512, flops(replace(run, optimizer="muon-kimi")) - flops(run)
    assert added == 6 * 3 * 5 * (4 * (4 + 2) + 2 * (16 + 2)) * n**3


def test_memory_grows_with_weights_and_with_a_batch_in_one_part(sweeps):
    run = replace(requested_runs(sweeps.make(), {})[0], width=64, depth=8)
    parts = replace(run, training={**run.training, "accumulation": 4})
    weights = 4 * 4 * parameters(run.shape)
    assert memory(run) - weights == pytest.approx(4 * (memory(parts) - weights))
    n, inside = 64, 12 * 64**2 * 8  # of what Muon trains, and takes the largest matrix six times
    muon, shampoo = (memory(replace(run, optimizer=name)) for name in ("muon", "shampoo"))
    assert muon == memory(run) - 4 * inside + 4 * 6 * 4 * n * n
    assert shampoo - muon == 4 * 3 * 8 * (4 * 2 + 2 * 17) * n * n  # G G^T and G^T G of each
    assert memory(replace(run, optimizer="sophia")) == memory(run) + 3 * weights / 4


def test_a_cost_model_finds_the_costs_that_made_the_times(sweeps):
    first = requested_runs(sweeps.make(), {})[0]
    runs = [replace(first, width=w, depth=d) for w in (8, 64, 256) for d in (1, 4, 16)]
    runs += [replace(run, optimizer="muon") for run in runs]

    def true(run):
        own = 2e-4 * 6 * (run.depth + 1) + 1e-9 * flops(run)
        return own * (1.5 if run.optimizer == "muon" else 1.0)

    assert CostModel.fitted([]) is None
    ended = [Record(run, {"diverged_at": -1, "seconds": true(run)}, {}) for run in runs]
    cut_short = Record(runs[0], {"diverged_at": 3, "seconds": 1e-9}, {})
    model = CostModel.fitted([*ended[::2], cut_short])
    assert model.runs == 9
    ratios = [model.seconds(run) / true(run) for run in runs]
    assert max(ratios) < 1.3 and min(ratios) > 0.75
    total = sum(map(model.seconds, runs[:9]))
    assert remaining_seconds(model, [*runs[:9], *runs[:9]], 2) == pytest.approx(total)
    assert remaining_seconds(model, runs, 1000) == max(map(model.seconds, runs))
    assert remaining_seconds(model, [], 2) == 0


def test_one_finished_run_is_enough_for_a_guess(sweeps):
    run = requested_runs(sweeps.make(), {})[0]
    model = CostModel.fitted([Record(run, {"diverged_at": -1, "seconds": 2.0}, {})])
    assert model.seconds(run) == pytest.approx(2.0)
    longer = replace(run, training={**run.training, "steps": 60})
    assert model.seconds(longer) == pytest.approx(20.0)


def test_hours_on_a_stated_device(sweeps):
    run = requested_runs(sweeps.make(), {})[0]
    assert device_seconds([run, run], "a100") == pytest.approx(2 * flops(run) / (312e12 * 0.35))
    with pytest.raises(ValueError, match="unknown device 'abacus': known are a100"):
        device_seconds([], "abacus")
