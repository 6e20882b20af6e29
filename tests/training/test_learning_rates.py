import math

import pandas as pd
import pytest
import torch

from specmup.data.images import digits
from specmup.models.residual import ACTIVATIONS, ResNetShape
from specmup.models.resnet import build
from specmup.theory.order import ONE
from specmup.theory.rules import parametrization
from specmup.training import learning_rates as sweep
from specmup.training.learning_rates import learning_rate_sweep, ordinary_base, replica_bytes
from specmup.training.resnet import evaluate, train
from specmup.training.scaling import scale

DATA = digits()
RATES, SEEDS = [2.0**-9, 2.0**-7], [0, 1]


def shape_of(width, depth):
    return ResNetShape(DATA.inputs, width, depth, DATA.classes)


BASE = ordinary_base(shape_of(16, 2))


def run(**changes):
    usual = {
        "rules": ["sp", "k2"],
        "optimizer": "adamw",
        "sizes": [(16, 2), (32, 4)],
        "learning_rates": RATES,
        "seeds": SEEDS,
        "base": BASE,
        "steps": 5,
        "batch_size": 32,
    }
    return learning_rate_sweep(DATA, shape_of, **usual | changes)


def test_one_row_a_run():
    frame = run()
    assert list(frame.columns) == [
        *("rule", "optimizer", "block_depth", "activation", "width", "depth", "log2_lr", "seed"),
        *("steps", "batch_size", "dtype", "loss", "test_loss"),
    ]
    assert len(frame) == 2 * 2 * 2 * 2
    assert not frame.duplicated(["rule", "width", "depth", "log2_lr", "seed"]).any()
    assert set(frame.log2_lr) == {-9.0, -7.0}
    constants = ["optimizer", "block_depth", "activation", "steps", "batch_size", "dtype"]
    assert frame[constants].drop_duplicates().values.tolist() == [
        ["adamw", 2, "relu", 5, 32, "float32"]
    ]


def test_rows_are_what_torch_computes_for_each_run_alone():
    frame = run()
    for row in frame.itertuples():
        size = {"width": row.width, "depth": row.depth}
        numbers = scale(
            parametrization(row.rule, "adamw"), BASE.at_learning_rate(2.0**row.log2_lr), **size
        )
        model = build(shape_of(**size), numbers, row.seed)
        groups = [
            {"params": [p], "lr": numbers[role].learning_rate, "eps": numbers[role].epsilon}
            for role, p in model.named_parameters()
        ]
        optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
        train(model, optimizer, DATA, steps=5, batch_size=32, seeds=row.seed)
        assert row.loss == pytest.approx(evaluate(model, *DATA.part("train")).item(), rel=1e-5)
        assert row.test_loss == pytest.approx(evaluate(model, *DATA.part("test")).item(), rel=1e-5)


def test_all_rules_are_one_at_the_base_size():
    frame = run(rules=["sp", "k1", "k2"], sizes=[(16, 2)]).drop(columns="rule")
    first, second, third = (frame[i : i + 4].reset_index(drop=True) for i in (0, 4, 8))
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    pd.testing.assert_frame_equal(first, third, check_exact=True)


def test_rules_differ_away_from_the_base():
    frame = run(rules=["sp", "k1", "k2"], sizes=[(32, 8)], learning_rates=[2.0**-7], seeds=[0])
    assert frame.loss.nunique() == 3


def test_stacks_of_any_size_give_the_same_rows(monkeypatch):
    stacks = []

    def counting(shape, settings, seeds):
        stacks.append(len(seeds))
        return build(shape, settings, seeds)

    monkeypatch.setattr(sweep, "build", counting)
    whole = run()
    assert stacks == [4, 4, 4, 4]
    stacks.clear()
    small = run(memory=3 * replica_bytes(shape_of(32, 4), batch_size=32))
    assert stacks == [4, 2, 2, 4, 2, 2]  # the smaller size still fits at once
    pd.testing.assert_frame_equal(small, whole, rtol=1e-5)
    one_by_one = run(memory=1)
    pd.testing.assert_frame_equal(one_by_one, whole, rtol=1e-5)


def test_a_diverged_run_keeps_its_row():
    calm = run(rules=["sp"], sizes=[(16, 2)])
    wild = run(rules=["sp"], sizes=[(16, 2)], learning_rates=[*RATES, 1e30])
    diverged = wild[wild.log2_lr == math.log2(1e30)]
    assert len(diverged) == 2
    assert (diverged[["loss", "test_loss"]] == math.inf).all(axis=None)
    pd.testing.assert_frame_equal(wild[:4], calm, rtol=1e-5)


def test_options_reach_the_optimizer():
    usual, other = run(), run(options={"betas": (0.5, 0.5)})
    assert (usual.loss != other.loss).all()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_ordinary_base_starts_with_features_of_size_one(activation):
    shape = ResNetShape(64, 256, 4, 10, activation=activation, bias=True)
    base = ordinary_base(shape)
    model = build(shape, base.settings, 0)
    sizes = model.features(DATA.test_x).square().mean((-2, -1)).sqrt()
    assert sizes.min() > 0.9 and sizes.max() < 1.5
    assert 0.5 < model(DATA.test_x).square().mean().sqrt() < 2


def best_rates(rule, sizes):
    frame = run(
        rules=[rule],
        sizes=sizes,
        learning_rates=[2.0**e for e in range(-12, -5)],
        base=ordinary_base(shape_of(32, 2)),
        steps=50,
    )
    mean = frame.groupby(["width", "log2_lr"]).loss.mean().unstack()
    return mean.idxmin(axis=1)


def test_the_optimum_moves_with_width_under_sp_and_stays_under_k2():
    sizes = [(32, 2), (256, 2)]
    standard, carried = best_rates("sp", sizes), best_rates("k2", sizes)
    assert standard[256] - standard[32] <= -2
    assert abs(carried[256] - carried[32]) <= 1


@pytest.mark.parametrize("name", ["rules", "sizes", "learning_rates", "seeds"])
def test_an_empty_grid_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} is empty: a sweep needs at least one"):
        run(**{name: []})


@pytest.mark.parametrize("rates", [[0.0, 0.1], [-0.1, 0.1], [0.1, math.nan], [0.1, math.inf]])
def test_rates_that_are_not_positive_are_refused(rates):
    with pytest.raises(ValueError, match="must be positive and finite"):
        run(learning_rates=rates)


@pytest.mark.parametrize("rates", [[0.2, 0.1], [0.1, 0.1]])
def test_rates_that_do_not_increase_are_refused(rates):
    with pytest.raises(ValueError, match="must increase"):
        run(learning_rates=rates)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rules": ["k3"]}, "unknown parametrization 'k3'"),
        ({"optimizer": "adam"}, "adam"),
        ({"sizes": [(0, 2)]}, "width is 0"),
        ({"steps": 0}, "steps is 0"),
        ({"batch_size": 0}, "batch size 0"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        run(**changes)


def test_rules_of_ones_own_are_swept_under_their_name():
    right = parametrization("k2", "adamw")
    frame = run(rules={"broken": right.changed("hidden", learning_rate=ONE), "k2": right})
    losses = frame[frame.width == 32].groupby("rule", sort=False)["loss"].apply(list)
    assert list(losses.index) == ["broken", "k2"]
    assert losses["broken"] != losses["k2"]
