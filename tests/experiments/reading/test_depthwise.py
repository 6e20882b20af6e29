from fractions import Fraction

import pytest

from experiments.reading.depthwise import (
    DEPTH_MUP,
    PHASES,
    REDUNDANT,
    TRIVIAL,
    UNFAITHFUL,
    UNSTABLE_START,
    UNSTABLE_TRAINING,
    phase,
)


@pytest.mark.parametrize(
    ("alpha", "gamma", "expected"),
    [
        ("1/2", "1/2", DEPTH_MUP),
        ("1", "0", REDUNDANT),
        ("3/4", "1/4", REDUNDANT),
        ("9/8", "-1/8", UNFAITHFUL),
        ("1/2", "3/4", TRIVIAL),
        ("1/2", "1/4", UNSTABLE_TRAINING),
        ("0", "1", UNSTABLE_START),
    ],
)
def test_phases_of_yang2024(alpha, gamma, expected):
    assert phase(alpha, gamma) == expected


def test_one_point_of_the_plane_is_best():
    steps = [Fraction(i, 8) for i in range(-8, 17)]
    found = {(a, g): phase(a, g) for a in steps for g in steps}
    assert [at for at, name in found.items() if name == DEPTH_MUP] == [(Fraction(1, 2),) * 2]
    assert set(found.values()) == set(PHASES)
