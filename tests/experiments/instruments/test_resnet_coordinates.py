"""The coordinate check: flat under the rules, not flat under SP, and exact in what it records."""

import pytest
import torch

from experiments.instruments.resnet_coordinates import resnet_coordinates
from specmup.analysis.fit import fit_exponents
from specmup.data.images import digits
from specmup.models.resnet import ResNetShape
from specmup.theory.order import ONE, WIDTH
from specmup.theory.rules import parametrization
from specmup.training.scaling import Base, Settings

STD = 64**-0.5


def base(rate=2.0**-8, multiplier=0.5):
    weight = Settings(std=STD, learning_rate=rate)
    hidden = Settings(std=STD, learning_rate=rate, multiplier=multiplier)
    return Base(64, 4, {"input": weight, "hidden": hidden, "output": weight})


def check(rules, sizes, **changes):
    options = {
        "rules": rules,
        "optimizer": "adamw",
        "sizes": sizes,
        "seeds": [0, 1],
        "base": base(),
        "steps": 3,
        "batch_size": 32,
    }
    return resnet_coordinates(
        digits(), lambda n, L: ResNetShape(64, n, L, 10, 2, "linear"), **options | changes
    )


def exponent(frame, rule, feature, axis):
    rows = frame[(frame.rule == rule) & (frame.feature == feature) & (frame.step == 3)]
    fit = fit_exponents(rows["change"], rows["width"], rows["depth"], seed=rows["seed"])
    return getattr(fit, axis).estimate


def test_features_change_alike_over_width_under_the_rule_and_not_under_sp():
    frame = check(["sp", "k2"], [(64, 4), (128, 4), (256, 4), (512, 4)])
    assert abs(exponent(frame, "k2", "last", "width")) < 0.1
    assert exponent(frame, "sp", "last", "width") > 0.25


def test_features_change_alike_over_depth_under_the_rule_and_not_under_sp():
    frame = check(["sp", "k2"], [(64, 4), (64, 8), (64, 16), (64, 32)], seeds=range(8))
    assert abs(exponent(frame, "k2", "last", "depth")) < 0.2
    assert exponent(frame, "sp", "last", "depth") > 0.5


def test_a_wrong_exponent_is_caught():
    right = parametrization("k2", "adamw")
    wrong = right.changed("hidden", learning_rate=WIDTH ** "-1/2")
    frame = check({"right": right, "wrong": wrong}, [(64, 4), (128, 4), (256, 4), (512, 4)])
    assert abs(exponent(frame, "right", "last", "width")) < 0.1
    assert exponent(frame, "wrong", "last", "width") > 0.2


def test_a_wrong_multiplier_is_caught_over_depth():
    right = parametrization("k2", "adamw")
    rules = {"right": right, "wrong": right.changed("hidden", multiplier=ONE)}
    frame = check(rules, [(64, 4), (64, 8), (64, 16), (64, 32)], seeds=range(8))
    assert abs(exponent(frame, "right", "last", "depth")) < 0.2
    assert exponent(frame, "wrong", "last", "depth") > 0.5


def test_rows_and_steps():
    frame = check(["k1"], [(64, 4), (64, 8)])
    assert len(frame) == 2 * 2 * 4 * 4  # sizes, seeds, steps 0 to 3, features
    start = frame[frame.step == 0]
    assert (start[["change", "step_change"]] == 0).all(axis=None)
    first = frame[frame.step == 1]
    assert (first["change"] == first["step_change"]).all()
    assert (first["change"] > 0).all()


def test_divergence_is_recorded_as_infinite():
    frame = check(["sp"], [(64, 4)], base=base(rate=1e30, multiplier=1e10), optimizer="sgd")
    assert frame[frame.step == 3]["size"].max() == torch.inf
    assert not frame.isna().any(axis=None)


@pytest.mark.parametrize("empty", [{"rules": []}, {"sizes": []}, {"seeds": []}, {"steps": 0}])
def test_an_empty_check_is_refused(empty):
    options = {"rules": ["k2"], "sizes": [(64, 4)]} | empty
    with pytest.raises(ValueError, match="nothing to check"):
        check(**options)
