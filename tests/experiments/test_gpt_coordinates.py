"""Chapter 16's coordinate check: what it runs and records, and that a wrong rule is found out."""

import numpy as np
import pandas as pd
import pytest
import torch

from experiments import gpt_coordinates
from experiments.gpt_coordinates import (
    BASE_DEPTH,
    BASE_WIDTH,
    EXPERIMENT,
    HEADS,
    MAPS,
    RULES,
    STD,
    shape,
    start_as_gpt2,
    train_and_follow,
)
from experiments.instruments import gpt_steps
from specmup.analysis.fit import fit_exponents
from specmup.models.gpt import GPT
from specmup.theory.order import ONE, Order

FOLLOWED = {"stream", "attention", "logits", "loss", *MAPS}


@pytest.fixture
def two_steps(monkeypatch):
    monkeypatch.setattr(gpt_steps, "STEPS", 2)


def test_every_case_runs_known_rules_and_heads():
    for job in EXPERIMENT.jobs("reference"):
        assert job["rule"] in RULES and job["heads"] in HEADS


def test_rows_of_every_step_and_no_change_at_the_start(two_steps):
    frame = train_and_follow(rule="k2", width=32, depth=2, seed=0)
    assert set(frame.followed) == FOLLOWED
    assert frame.groupby("step").followed.nunique().to_dict() == dict.fromkeys(range(3), 8)
    assert (frame[frame.step == 0].change == 0).all()
    assert (frame[frame.step > 0].change > 0).all()
    again = train_and_follow(rule="k2", width=32, depth=2, seed=0)
    pd.testing.assert_frame_equal(frame, again)


def test_at_the_base_size_the_rules_are_one(two_steps):
    runs = [
        train_and_follow(rule=rule, width=BASE_WIDTH, depth=BASE_DEPTH, seed=1).change
        for rule in ("sp", "k1", "k2")
    ]
    assert runs[0].tolist() == runs[1].tolist() == runs[2].tolist()


def test_a_run_that_diverges_is_recorded(two_steps, monkeypatch):
    monkeypatch.setitem(gpt_coordinates.LEARNING_RATE, "adamw", 1e30)
    frame = train_and_follow(rule="sp", width=32, depth=2, seed=0, normalisation="none")
    last = frame[frame.step == 2].set_index("followed").change
    assert np.isinf(last["loss"])
    assert not frame.isna().any(axis=None)


def test_gpt2_starts_with_one_std_and_smaller_ends_of_branches():
    torch.manual_seed(0)
    model = GPT(shape(128, 8))
    drawn = model.blocks[3].mlp.down.weight.detach().clone()
    start_as_gpt2(model)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            ends = name.endswith(("attention.out.weight", "mlp.down.weight"))
            assert parameter.std().item() == pytest.approx(STD / 4 if ends else STD, rel=1e-4)
        else:
            assert (parameter == 1).all()
    same = torch.nn.functional.cosine_similarity(
        model.blocks[3].mlp.down.weight.flatten(), drawn.flatten(), dim=0
    )
    assert same.item() == pytest.approx(1, abs=1e-5)


def test_heads_become_more_or_larger():
    assert [shape(n, 2).heads for n in (32, 64, 256)] == [2, 4, 16]
    for kind in ("larger", "larger, 1/d"):
        assert [shape(n, 2, heads=kind).heads for n in (32, 64, 256)] == [4, 4, 4]
    assert shape(64, 2, heads="larger") == shape(64, 2)
    assert shape(64, 2, heads="larger, 1/d").attention_scale == "1/d"


@pytest.mark.parametrize(("rule", "order"), [("k2", ONE), ("sp", Order("1/2"))])
def test_muons_queries_move_as_the_rule_says(rule, order, monkeypatch):
    monkeypatch.setattr(gpt_steps, "STEPS", 1)
    widths = [32, 64, 128]
    changes = []
    for width in widths:
        run = train_and_follow(rule=rule, width=width, depth=2, seed=0, optimizer="muon-kimi")
        changes.append(run[(run.step == 1) & (run.followed == "query")].change.item())
    fit = fit_exponents(changes, widths)
    wrong = Order("1/2") if order == ONE else ONE
    assert fit.verdict(order).agrees
    assert fit.verdict(wrong).disagrees
