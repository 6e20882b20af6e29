"""A row made again agrees within rounding, disagrees beyond it, or is shown to hang on it."""

from math import inf

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.reading.verified import Verified, compared, unheld
from specmup.runs.results import Results
from specmup.training.perturbed import SIZE, perturbed

ON = ["depth", "seed"]
STORED = pd.DataFrame({"depth": [2, 2, 4, 4], "seed": [0, 1, 0, 1], "loss": [1.0, 2.0, 1.5, inf]})
# Rounding was measured at depth 2: it moves the loss of seed 0 by a thousandth.
ROUNDING = {
    "on": ON,
    "slice": {"depth": [2], "seed": [0, 1]},
    "settings": [f"way {i}" for i in range(8)],
    "spread": {"loss": {"depth 2, seed 0": 1e-3}},
}
RESULTS = Results(STORED, {"name": "runs", "rounding": ROUNDING})
MEASURED = STORED[:2]


def live(**losses) -> pd.DataFrame:
    """The stored rows with other losses, by their number."""
    values = [losses.get(f"row{i}", loss) for i, loss in enumerate(STORED.loss)]
    return STORED.assign(loss=values)


def counts(frame, moved=(), results=RESULTS, measured=MEASURED):
    found = compared(frame, results, ON, measured, "loss", moved)
    return found.agree, found.unknown, len(found.jumped), len(found.apart), not unheld([found])


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (live(), (4, 0, 0, 0, True)),
        (live(row0=1.005), (4, 0, 0, 0, True)),  # within what was measured
        (live(row2=1.507), (4, 0, 0, 0, True)),  # within as much, of a row that was not
        (live(row1=2.2), (3, 0, 1, 0, True)),  # one in a few rows may jump
        (live(row0=1.2, row1=2.2), (2, 0, 2, 0, False)),  # not two of four
        (live(row1=2.9), (3, 0, 0, 1, False)),  # nor so far
        (live(row2=1.7), (3, 0, 0, 1, False)),  # not measured: only a perturbation could excuse it
        (live(row3=4.0), (3, 0, 0, 1, False)),  # diverged then, not now
        (live(row2=inf), (3, 0, 0, 1, False)),
        (live().iloc[2:], (2, 0, 0, 0, True)),
        (live(row1=2.2).iloc[1:2], (0, 0, 1, 0, False)),  # nor one alone
    ],
)
def test_rows_are_judged_by_rounding(frame, expected):
    assert counts(frame) == expected


@pytest.mark.parametrize(
    ("now", "moved", "excused"),
    [
        (1.7, [1.7001, 1.7], False),  # a perturbation moves it by far less than the gap
        (1.7, [1.7, 1.6], True),
        (inf, [inf, 3.0], True),  # a perturbation decides whether it diverges
        (inf, [inf, inf], False),
        (0.5, [0.5, inf], True),
    ],
)
def test_a_row_that_perturbed_starts_move_hangs_on_rounding(now, moved, excused):
    found = counts(live(row2=now), [live(row2=value) for value in moved])
    assert found == ((3, 1, 0, 0, True) if excused else (3, 0, 0, 1, False))


@pytest.mark.parametrize(("moved", "excused"), [(2.2001, False), (2.1, True)])
def test_so_does_one_that_would_have_jumped(moved, excused):
    found = counts(live(row1=2.2), [live(row1=moved)])
    assert found == ((3, 1, 0, 0, True) if excused else (3, 0, 1, 0, True))


@pytest.mark.parametrize(("jumped", "held"), [(3, True), (4, False)])
def test_rows_that_jumped_are_counted_over_all_that_was_verified(jumped, held):
    """Of 60 rows three may; judged one by one, each would be granted one of its own, or none."""
    one, other = (Verified("runs", "loss", *of) for of in ((0, 0, ("row",), ()), (1, 0, (), ())))
    found = [one] * jumped + [other] * (60 - jumped)
    assert unheld(found) == ("" if held else "4 of 60 rows jumped, where at most 3 may")
    assert unheld([*found, Verified("runs", "loss", 0, 0, (), ("row",))]).startswith("1 of 61 ")


def test_without_measured_rounding_little_is_allowed():
    bare = {"results": Results(STORED, {"name": "runs"}), "measured": STORED[:0]}
    assert counts(live(), **bare)[-1]
    assert not counts(live(row0=1.06), **bare)[-1]


def test_a_row_among_the_measured_values_need_not_have_been_measured():
    """Then it may differ as far as rounding moved any that was, but not jump."""
    axes = {"depth": [2, 4], "seed": [0, 1]}
    product = Results(STORED, {"name": "runs", "rounding": ROUNDING | {"slice": axes}})
    assert counts(live(row2=1.507), results=product) == (4, 0, 0, 0, True)
    assert counts(live(row2=1.7), results=product) == (3, 0, 0, 1, False)
    assert counts(live(row2=1.507), results=product, measured=STORED) == (3, 0, 1, 0, True)


def test_what_disagrees_is_named():
    found = str(compared(live(row2=2.5), RESULTS, ON, MEASURED, "loss"))
    assert found.startswith("runs, loss: DISAGREES (3 rows agree")
    assert "depth 4, seed 0: 2.5 now and 1.5 then" in found
    found = str(compared(live(row1=2.2), RESULTS, ON, MEASURED, "loss"))
    assert found.startswith("runs, loss: jumped (3 rows agree, 0 hang on rounding, 1 jumped")
    assert found.endswith("\n  depth 2, seed 1: 2.2 now and 2 then")


def test_rows_that_are_not_stored_or_not_told_apart_are_refused():
    with pytest.raises(ValueError, match="1 of 4 rows are not stored"):
        compared(live().assign(depth=[2, 2, 4, 8]), RESULTS, ON, MEASURED, "loss")
    with pytest.raises(ValueError, match="do not tell apart"):
        compared(live(), RESULTS, ["depth"], MEASURED, "loss")


def test_draws_are_perturbed_within_and_as_before_after():
    def draw() -> torch.Tensor:
        generator = torch.Generator().manual_seed(3)
        first = torch.randn(100, generator=generator)
        return torch.cat([first, torch.empty(100).uniform_(generator=generator)])

    before, own = draw(), torch.randn
    with perturbed("1"):
        one = draw()
    with perturbed("2"):
        other = draw()
    assert torch.randn is own
    assert torch.equal(draw(), before)
    for moved in (one, other):
        part = ((moved - before) / before).abs().numpy()
        assert 0 < np.median(part) < 2 * SIZE
    assert not torch.equal(one, other)
