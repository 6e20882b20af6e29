"""What the plane of exponents is told: the classifier's answers, and what the sums say."""

import json
import re

import pandas as pd
import pytest

from experiments.reading.depthwise import DEPTH_MUP, PHASES
from experiments.reading.phases import CANNOT_TELL
from experiments.reading.plane import answer, plane_of_exponents, size_in_words
from specmup.analysis.interval import Interval

LOOK = {name: (name[0], "#000") for name in (*PHASES, CANNOT_TELL)}


def rows(alpha: float, gamma: float, **powers: float) -> pd.DataFrame:
    """Sizes that are these powers of the depth, for two seeds that differ a little."""
    frame = pd.DataFrame([(L, s) for L in (32, 64, 128) for s in (0, 1)], columns=["depth", "seed"])
    for name in ("start", "change", "preactivation", "walk"):
        size = frame.depth.astype(float) ** powers.get(name, 0.0)
        frame[name] = size * (1 + 0.001 * frame.seed)
    return frame.assign(alpha=alpha, gamma=gamma)


def told(*points: pd.DataFrame) -> dict:
    element = plane_of_exponents(pd.concat(points), LOOK)
    return json.loads(re.search(r'"application/json">(.*?)</script>', element.data)[1])


def test_where_all_is_level_every_demand_holds():
    data = told(rows(0.5, 0.5, preactivation=-0.5))
    assert data["depths"] == [32, 128]
    (point,) = data["points"]
    assert data["begin"] == 0
    assert (point["a"], point["gamma"], point["found"]) == ("1/2", "1/2", DEPTH_MUP)
    assert [size[0] for size in point["sizes"]] == ["holds"] * 4
    assert [size[2] for size in point["sizes"]] == ["0", "0", "−1/2", "0"]


def test_behind_a_demand_that_fails_none_is_asked():
    (point,) = told(rows(1.25, 1.0, change=-1.25, walk=-0.75))["points"]
    assert [size[0] for size in point["sizes"]] == ["holds", "fades", "not asked", "not asked"]
    assert [size[2] for size in point["sizes"]] == ["0", "−5/4", "", ""]
    assert point["sizes"][1] == ["fades", "−1.25\u00a0±\u00a0<0.01", "−5/4", "0.013", "0.0023"]
    assert point["found"] == "trivial"


def test_what_diverged_is_said():
    frame = rows(0.25, 0.0)
    frame["start"] = frame.depth.where(frame.depth < 128, float("inf"))
    first = told(frame)["points"][0]["sizes"][0]
    assert first == ["grows", "diverged", "1/4", "32", "diverged"]


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [(0.2, 0.3, "grows"), (0.0, 0.3, "cannot tell"), (-0.1, 0.1, "holds"), (-0.3, -0.2, "fades")],
)
def test_a_change_is_asked_to_stay_level(low: float, high: float, says: str):
    assert answer("change", Interval((low + high) / 2, low, high)) == says


@pytest.mark.parametrize(
    ("size", "written"), [(0.000123, "0.00012"), (2.54, "2.5"), (6384.0, "6400"), (1.0, "1")]
)
def test_sizes_have_two_digits(size: float, written: str):
    assert size_in_words(size) == written
