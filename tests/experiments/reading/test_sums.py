"""What the figure of sums is told, and how long the sums are."""

import json
import re

import numpy as np
import pytest

from experiments.reading.sums import mean_length, sum_of_vectors


def test_it_holds_the_directions_in_thousandths_of_a_turn():
    element = sum_of_vectors([[0, 0.25, 0.5], [0.1, 1, 0.3334]])
    told = json.loads(re.search(r'"application/json">(.*?)</script>', element.data)[1])
    assert told == {"parts": 1000, "draws": [[0, 250, 500], [100, 1000, 333]]}


@pytest.mark.parametrize("share", [0, 0.1, 1])
def test_the_length_is_that_of_vectors_with_this_share(share: float):
    turns = np.random.default_rng(0).random((20_000, 16)) * 2 * np.pi
    own = np.stack([np.cos(turns), np.sin(turns)], -1)
    ends = (np.sqrt(share) * np.array([1, 0]) + np.sqrt(1 - share) * own).sum(1)
    measured = np.sqrt((ends**2).sum(-1).mean())
    assert measured == pytest.approx(mean_length(16, share), rel=0.02)


def test_its_ends_are_the_two_ways_to_add():
    assert mean_length(64, 0) == 8 and mean_length(64, 1) == 64


def test_what_are_no_directions_is_refused():
    with pytest.raises(ValueError, match=r"shape \(3,\): give"):
        sum_of_vectors([0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="outside 0 to 1"):
        sum_of_vectors([[1.5]])
