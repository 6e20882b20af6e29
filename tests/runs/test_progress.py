"""Times, worded."""

import pytest

from specmup.runs.progress import duration


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0, "0 s"),
        (41.4, "41 s"),
        (89, "89 s"),
        (90, "2 min"),
        (3600, "60 min"),
        (7169, "119 min"),
        (7200, "2.0 h"),
        (9000, "2.5 h"),
    ],
)
def test_a_time_is_worded_in_its_own_unit(seconds, text):
    assert duration(seconds) == text
