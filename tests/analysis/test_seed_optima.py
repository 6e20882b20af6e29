from math import inf, isnan

import pandas as pd
import pytest

from specmup.analysis.optimum import optimum
from specmup.analysis.seed_optima import contrast, seed_optima

RATES = [-3, -2, -1]
INSIDE, RIGHT = optimum(RATES, [1.0, 0.0, 1.0]), optimum(RATES, [2.0, 0.5, 0.0])


def test_each_seed_has_the_optimum_of_its_row():
    curves = pd.DataFrame([[1.0, 0.0, 1.0], [2.0, 0.5, 0.0]], index=[7, 3], columns=RATES)
    assert seed_optima(curves) == [INSIDE, RIGHT]


def test_a_contrast_is_the_mean_of_the_seeds_and_opens_where_one_is_on_an_edge():
    still = contrast([-1, 1], [[INSIDE, INSIDE], [INSIDE, INSIDE]])
    assert (still.estimate, still.half_width) == (0, 0)
    moved = contrast([-1, 1], [[INSIDE, INSIDE], [RIGHT, RIGHT]])
    assert (moved.estimate, moved.low, moved.high) == (1, 0, inf)


def test_of_no_seed_there_is_no_contrast():
    assert isnan(contrast([-1, 1], [[], []]).estimate)


def test_networks_without_the_same_seeds_are_refused():
    with pytest.raises(ValueError, match="zip"):
        contrast([-1, 1], [[INSIDE, RIGHT], [INSIDE]])
    with pytest.raises(ValueError, match="zip"):
        contrast([-1, 0, 1], [[INSIDE], [RIGHT]])
