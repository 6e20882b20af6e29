from dataclasses import replace
from math import inf

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.reading.depthwise import (
    DEPTH_MUP,
    REDUNDANT,
    TRIVIAL,
    UNFAITHFUL,
    UNSTABLE_START,
    UNSTABLE_TRAINING,
)
from experiments.reading.phases import (
    CANNOT_TELL,
    DepthExponents,
    classify,
    depth_exponent,
    moves,
    walk_and_trend,
)
from specmup.analysis.interval import Interval


def about(value, half=0.01):
    return Interval(value, value - half, value + half)


LEVEL = DepthExponents(about(0.0), about(0.0), about(0.0), about(0.0))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, DEPTH_MUP),
        ({"walk": about(-0.25)}, REDUNDANT),
        ({"walk": about(-0.75), "preactivation": about(0.25)}, UNFAITHFUL),
        ({"preactivation": about(-0.5)}, DEPTH_MUP),  # only growth would be unfaithful
        ({"change": about(-0.25), "preactivation": about(0.25)}, TRIVIAL),
        ({"change": about(0.25), "walk": about(-0.5)}, UNSTABLE_TRAINING),
        ({"start": about(0.5), "change": about(-1.0)}, UNSTABLE_START),
        ({"start": Interval(inf, inf, inf)}, UNSTABLE_START),
        ({"change": about(0.1, half=0.1)}, CANNOT_TELL),
        ({"start": about(0.5, half=0.5)}, CANNOT_TELL),
        ({"walk": about(-0.5, half=0.5)}, CANNOT_TELL),
    ],
)
def test_classify(changed, expected):
    assert classify(replace(LEVEL, **changed)) == expected


def test_moves_has_three_answers():
    assert moves(about(0.3), "grows", 0.1) is True
    assert moves(about(0.3), "fades", 0.1) is False
    assert moves(about(-0.3), "fades", 0.1) is True
    assert moves(about(0.1, half=0.05), "grows", 0.1) is None


def test_exponents_of_a_frame():
    depth = pd.Series([8, 16, 32] * 2)
    sizes = {"start": 0.0, "change": 0.5, "preactivation": -0.25, "walk": -0.5}
    seeds = {"seed": [0] * 3 + [1] * 3}
    frame = pd.DataFrame({"depth": depth, **seeds, **{c: 3 * depth**e for c, e in sizes.items()}})
    measured = DepthExponents.of(frame)
    for name, exponent in sizes.items():
        assert getattr(measured, name).estimate == pytest.approx(exponent)
    grown, depths = pd.Series([1.0, 2.0, inf]), pd.Series([8, 16, 32])
    assert depth_exponent(grown, depths, pd.Series([0, 0, 0])).estimate == inf


def stream(blocks, walk, trend, width=4096):
    """Features that walk and trend by known mean squares over all blocks: (L+1, 1, 4, n)."""
    generator = torch.Generator().manual_seed(0)
    steps = walk * blocks**-0.5 * torch.randn(blocks, 1, 4, width, generator=generator)
    direction = torch.randn(1, 1, 4, width, generator=generator)
    direction /= direction.square().mean().sqrt()
    steps = steps + trend / blocks * direction
    return torch.cat([torch.zeros(1, 1, 4, width), steps.cumsum(0)])


@pytest.mark.parametrize(("walk", "trend"), [(1.0, 0.0), (0.0, 1.0), (0.7, 1.5), (0.1, 2.0)])
def test_walk_and_trend_are_told_apart(walk, trend):
    measured = walk_and_trend(stream(64, walk, trend))
    np.testing.assert_allclose(torch.stack(measured)[:, 0], [walk, trend], atol=0.15)


def test_increments_need_blocks():
    with pytest.raises(ValueError, match="4 blocks: increments"):
        walk_and_trend(torch.zeros(5, 1, 4, 8))
