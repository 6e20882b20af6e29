"""Slopes are judged by what may fall and what may not."""

from math import inf, nan

import pandas as pd
import pytest

from experiments.reading.foreign import Slope, first_sentence, models
from specmup.analysis.interval import Interval


def slope(what, estimate, half=0.05):
    interval = Interval(estimate, estimate - half, estimate + half)
    return Slope("plan", "width", "stream", what, "none", interval)


@pytest.mark.parametrize(
    ("what", "estimate", "half", "answer"),
    [
        ("change", 0.1, 0.1, "level"),
        ("change", 0.1, 0.3, "cannot tell"),
        ("change", 0.5, 0.1, "grows"),
        ("change", -0.5, 0.1, "falls"),
        ("start", -1.0, 0.1, "level"),  # a readout's does, by design
        ("start", 0.5, 0.1, "grows"),
        ("h.*.weight", -0.5, 0.1, "level"),  # what does not add up goes like a root
        ("h.*.weight", -1.0, 0.1, "falls"),
        ("h.*.weight", 0.5, 0.1, "grows"),
        ("h.*.weight", -0.7, 0.1, "cannot tell"),  # the rate may be wrong by the width
        ("h.*.weight", 0.2, 0.1, "cannot tell"),
        ("start", 0.2, 0.1, "cannot tell"),
        ("change", inf, 0.0, "diverged"),
        ("h.*.weight", nan, 0.0, "still"),
    ],
)
def test_what_a_slope_is_called(what, estimate, half, answer):
    assert slope(what, estimate, half).answer == answer


def rows(*slopes, verdict="planned"):
    told = [
        {
            **{"model_type": "gpt2", "verdict": verdict, "said": "none", "base_depth": 2},
            **{name: getattr(s, name) for name in ("way", "axis", "quantity", "what", "place")},
            **{"exponent": s.exponent.estimate, "low": s.exponent.low, "high": s.exponent.high},
        }
        for s in slopes
    ]
    return pd.DataFrame(told)


@pytest.mark.parametrize(
    ("slopes", "answer"),
    [
        ([slope("change", 0.0)], "level"),
        ([slope("change", 0.0), slope("change", 0.2, 0.2)], "cannot tell"),
        ([slope("change", 0.2, 0.2), slope("h.*.weight", 0.9)], "not level"),
    ],
)
def test_a_model_is_as_good_as_its_worst(slopes, answer):
    (model,) = models(rows(*slopes))
    assert model.answer == answer
    assert len(model.strays) == (answer == "not level")
    assert model.change("plan", "stream", "width") == slopes[0].exponent


def test_reasons_are_told_without_the_class_of_the_error():
    assert first_sentence("ValueError: h is tied: untie it") == "h is tied: untie it"
    assert first_sentence(f"ValueError: {'word ' * 100}", most=20) == "word word word word …"
