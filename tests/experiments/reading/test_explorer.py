"""What the explorer of learning rates is told: stored means by axis, rule and size."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from experiments.reading.explorer import explorer, rounded

RUNS = pd.DataFrame(
    {
        "width": [8, 8, 8, 8, 16, 16],
        "log2_lr": [-3, -3, -2, -2, -3, -2],
        "seed": [0, 1, 0, 1, 0, 0],
        "loss": [1.0, 2.0, 0.5, 0.25, 0.123456, np.inf],
    }
)


def told(element) -> dict:
    """What stands in the element's script, as a browser reads it: no entity is resolved there."""
    return json.loads(re.search(r'"application/json">(.*?)</script>', element.data)[1])


def test_it_holds_the_mean_losses_and_nothing_for_what_diverged():
    data = told(explorer({("", "width", "sp"): RUNS}, {"sp": "nothing"}))
    (curve,) = data["curves"]
    assert (data["bases"], data["losses"]) == ({}, [0.1, 0.3, 1, 3, 4])
    assert (curve["kind"], curve["axis"], curve["rule"]) == ("", "width", "sp")
    assert curve["sizes"] == [
        {"size": 8, "rates": [-3, -2], "losses": [1.5, 0.375]},
        {"size": 16, "rates": [-3, -2], "losses": [0.1235, None]},
    ]


def test_a_title_ends_no_script():
    title = "</script><b> & “rule”"
    element = explorer({("", "width", "sp"): RUNS}, {"sp": title})
    assert element.data.count("</script>") == 1
    assert told(element)["titles"] == {"sp": title}


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(ValueError, match="no runs"):
        explorer({}, {})
    with pytest.raises(ValueError, match="no title for k2"):
        explorer({("width", "k2"): RUNS}, {"sp": "nothing"})


def test_four_digits_are_kept():
    assert rounded(0.00123456) == 0.001235 and rounded(123456.0) == 123500.0
    assert rounded(float("nan")) is None
