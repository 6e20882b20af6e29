"""The page *On a GPU* says what was executed where: each test that it names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "gpu.md").read_text(encoding="utf-8")
# The kind of place, as the page says it, and the modules whose tests may stand for it.
PLACES = {
    "By simulated GPUs": {"training/test_gpu.py", "sweeps/test_gpus.py"},
    "By tensors without numbers": {"training/test_precision.py"},
    "By a CPU": {"training/test_precision.py", "training/test_language.py"},
    "By nothing yet": set(),
}


def named(page, place):
    """The tests that a page names in the part that begins with a place in italics."""
    (part,) = re.findall(rf"\*{place}\.\*(.*?)(?=\n\*By |\n## )", page, re.DOTALL)
    return set(re.findall(r"`(test_\w+)`", part))


def defined_in(modules):
    sources = [(ROOT / "tests" / module).read_text(encoding="utf-8") for module in modules]
    return {name for source in sources for name in re.findall(r"^def (test_\w+)", source, re.M)}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_said_to_be_executed_is_executed_there(place):
    assert named(PAGE, place) <= defined_in(PLACES[place])
    assert bool(named(PAGE, place)) == bool(PLACES[place])


def test_every_test_for_a_gpu_that_counts_is_told_of():
    told = named(PAGE, "By simulated GPUs")
    silent = defined_in(PLACES["By simulated GPUs"]) - told
    # Controls, and what the page says of the whole.
    assert silent == {
        "test_another_rate_is_told_from_rounding",
        "test_what_does_not_fit_says_so_and_leaves_the_gpu_to_the_next",
    }


def test_a_name_that_no_test_has_is_noticed():
    broken = PAGE.replace("`test_a_run_on_a_gpu_is_taken_up`", "`test_a_run_is_taken_to_the_moon`")
    place = "By simulated GPUs"
    assert named(broken, place) - defined_in(PLACES[place]) == {"test_a_run_is_taken_to_the_moon"}
