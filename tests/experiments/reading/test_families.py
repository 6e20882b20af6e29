"""Families are what one comparison takes; incomplete ones say so."""

import json
from dataclasses import asdict, replace

import pandas as pd
import pytest
from IPython.display import Markdown
from pandas.testing import assert_frame_equal

from experiments.reading import families as families_module
from experiments.reading.families import families, rerun, sweep_of, transfer_table
from specmup.sweeps.collect import SORT
from specmup.sweeps.growth import requested_runs


def of(sweep, loss) -> pd.DataFrame:
    """The sweep's runs, those of its growth included, with made-up losses."""
    losses: dict[str, float] = {}
    while new := {
        r.identity: loss(r) for r in requested_runs(sweep, losses) if r.identity not in losses
    }:
        losses |= new
    rows = [
        {
            "normalisation": run.shape.normalisation,
            **{name: getattr(run, name) for name in SORT[1:]},
            "loss": losses[run.identity],
        }
        for run in requested_runs(sweep, losses)
    ]
    return pd.DataFrame(rows)


def bowl(run) -> float:
    return 1 + (run.log2_lr + 6 + 0.1 * run.seed) ** 2 / 10


def test_families_of_each_rule_and_axis(sweeps):
    sweep = sweeps.make(depths=[1, 2], seeds=[0, 1])
    found = families(of(sweep, bowl), sweep)
    assert {(f.rule, f.axis) for f in found} == {
        (rule, axis) for rule in ("sp", "k2") for axis in ("width", "depth")
    }
    for family in found:
        assert family.complete
        assert family.rows[family.axis].nunique() == 2  # the base is in both axes
        t = family.transfer()
        assert t.base == family.base == {"width": 8, "depth": 1}[family.axis]
        assert t.drift.estimate == pytest.approx(0)


def test_curves_of_a_size_and_the_losses_at_its_best_rate(sweeps):
    sweep = sweeps.make(seeds=[0, 1], rules=["sp"])
    frame = of(sweep, bowl)
    (family,) = families(frame, sweep)
    curves = family.curves(16)
    assert curves.index.tolist() == [0, 1] and curves.columns.is_monotonic_increasing
    one = frame[(frame.width == 16) & (frame.seed == 1) & (frame.log2_lr == -4)]
    assert curves.loc[1, -4] == one.loss.item()
    best = family.tuned(16)
    assert best.name == -6 and best.equals(curves[-6])
    with pytest.raises(ValueError, match=r"no run of width 7; there are \[8, 16\]"):
        family.curves(7)
    gone = frame.assign(loss=frame.loss.where(frame.seed == 0, float("inf")))
    with pytest.raises(ValueError, match="no rate trained all seeds"):
        families(gone, sweep)[0].tuned(16)


def test_held_out_each_seed_is_read_at_the_rate_that_the_others_choose(sweeps):
    sweep = sweeps.make(seeds=[0, 1], rules=["sp"])
    own_best = {0: -7, 1: -5}  # so each seed chooses what is worst for the other
    frame = of(sweep, lambda run: 1 + abs(run.log2_lr - own_best[run.seed]))
    (family,) = families(frame, sweep)
    curves = family.curves(16)
    best = curves.idxmin(axis=1)
    expected = {0: curves.loc[0, best[1]], 1: curves.loc[1, best[0]]}
    assert family.held_out(16).to_dict() == pytest.approx(expected)
    assert family.held_out(16).mean() > family.tuned(16).mean()


def test_what_is_missing_is_counted(sweeps):
    sweep = sweeps.make()
    frame = of(sweep, bowl)
    hole = (frame.rule == "k2") & (frame.width == 16) & (frame.log2_lr == -6)
    sp, k2 = families(frame[~hole], sweep)
    assert (sp.rule, sp.complete, sp.missing) == ("sp", True, 0)
    assert (k2.rule, k2.complete, k2.missing) == ("k2", False, 1)
    assert repr(k2).endswith("width: 5 of 6 runs")
    assert [f.missing for f in families(frame[:0], sweep)] == [6, 6]


def test_a_grid_that_has_still_to_grow_is_incomplete(sweeps):
    sweep = sweeps.make(extend=2, rules=["sp"])

    def falling(run):
        return float(-run.log2_lr)

    grown = of(sweep, falling)
    assert families(grown, sweep)[0].complete
    (short,) = families(grown[grown.log2_lr <= -4], sweep)
    assert short.missing == 2  # one rate more at each size, as far as one can tell


def test_a_family_holds_the_seeds_that_all_of_its_sizes_have(sweeps):
    """The base belongs to both axes, and one may be run with more seeds than the other."""
    sweep = sweeps.make(seeds=[0, 1], rules=["sp"])
    (grid,) = sweep.grid
    more = replace(grid, widths=(), depths=(1, 2), seeds=(2, 3), log2_lr=(-6.0, -4.0, -2.0))
    both = replace(more, seeds=(0, 1))
    sweep = replace(sweep, grid=[grid, both, more])
    frame = of(sweep, bowl)
    found = {f.axis: f for f in families(frame, sweep)}
    assert set(found["width"].rows.seed) == {0, 1} and found["width"].complete
    assert set(found["depth"].rows.seed) == {0, 1, 2, 3} and found["depth"].complete
    assert set(found["depth"].rows.log2_lr) == {-6, -4, -2}  # of two seeds the base has -8, too
    assert found["depth"].transfer().seeds == 4
    assert found["width"].transfer().seeds == 2
    hole = (frame.seed == 2) & (frame.depth == 2) & (frame.log2_lr == -6)
    assert [f.missing for f in families(frame[~hole], sweep) if f.axis == "width"] == [0]


def test_other_rows_are_passed_by(sweeps):
    sweep = sweeps.make()
    frame = of(sweep, bowl)
    other = frame.assign(optimizer="muon-kimi")
    found = families(pd.concat([frame, other], ignore_index=True), sweep)
    assert [len(f.rows) for f in found] == [6, 6]


def test_the_sweep_is_read_back_from_a_manifest(sweeps):
    sweep = sweeps.make()
    told = {"configuration": {**asdict(sweep), "missing_runs": 3, "devices": ["cpu"]}}
    again = sweep_of(json.loads(json.dumps(told)))
    runs, same = ({run.identity for run in requested_runs(s, {})} for s in (sweep, again))
    assert runs == same


def test_runs_are_done_again(sweeps, monkeypatch):
    sweep = sweeps.make()
    frame = of(sweep, bowl)
    monkeypatch.setattr(families_module, "execute", lambda run: {"loss": bowl(run)})
    again = rerun(frame[:3], sweep)
    assert_frame_equal(again, frame[:3], rtol=1e-9)
    monkeypatch.setattr(families_module, "execute", lambda run: {"loss": bowl(run) + 1})
    again = rerun(frame[:3], sweep)
    assert again.loss.tolist() == pytest.approx(frame.loss[:3] + 1)


def cells(table: Markdown) -> list[list[str]]:
    """The cells of a table's rows, its head first."""
    lines = [line for line in table.data.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_has_a_row_a_family(sweeps):
    sweep = sweeps.make(seeds=[0, 1])
    table = transfer_table(families(of(sweep, bowl), sweep), "What to see.")
    head, _, *rows = cells(table)
    assert "{table} What to see." in table.data
    assert [row[0] for row in rows] == ["SP", "$k \\ge 2$"]  # the one optimizer is left out
    assert [row[head.index("width")] for row in rows] == ["8–16"] * 2
    assert [row[head.index("drift ($\\log_2$) ¦ whole")] for row in rows] == ["0 exactly"] * 2


def test_the_table_leaves_open_what_belongs_to_another_size(sweeps):
    chosen = []
    for rule, most in (("sp", 16), ("k2", 32)):
        sweep = sweeps.make(rules=[rule], widths=[8, most], seeds=[0, 1])
        chosen += families(of(sweep, bowl), sweep)
    head, _, *rows = cells(transfer_table(chosen, "What to see."))
    for size, expected in ((16, ["1.000\xa0±\xa00.006", "–"]), (32, ["–", "1.000\xa0±\xa00.006"])):
        column = head.index(f"tuned loss ¦ width {size}")
        assert [row[column] for row in rows] == expected
