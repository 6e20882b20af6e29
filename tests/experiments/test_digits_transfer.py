"""The sweep behind chapters 1 and 3: what it runs and which rows belong together."""

import pandas as pd
import pytest

from experiments.digits_transfer import BASE_DEPTH, BASE_WIDTH, EXPERIMENT, base, slice_along
from specmup.theory.rules import parametrization
from specmup.training.scaling import scale


@pytest.fixture
def jobs():
    """The jobs of the reference scale, not run."""
    return pd.DataFrame(EXPERIMENT.jobs("reference"))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("rule", ["sp", "k2"])
def test_every_width_is_run_once_at_the_base_depth(jobs, rule, optimizer):
    assert sorted(slice_along(jobs, "width", rule, optimizer)["width"]) == [32, 64, 128, 256, 512]


@pytest.mark.parametrize("rule", ["sp", "k1", "k2"])
def test_every_depth_is_there_once_at_the_base_width(jobs, rule):
    rows = slice_along(jobs, "depth", rule)
    assert sorted(rows["depth"]) == [4, 8, 16, 32, 64]
    assert set(rows["rule"]) == {rule}
    assert set(rows["width"]) == {BASE_WIDTH}


@pytest.mark.parametrize("width", [32, 512])
def test_over_the_width_k1_is_k2(width):
    size = {"width": width, "depth": BASE_DEPTH}
    one, two = (scale(parametrization(r, "adamw"), base(), **size) for r in ("k1", "k2"))
    assert one == two
