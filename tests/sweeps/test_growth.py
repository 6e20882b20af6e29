"""Grids that grow until the optimum is inside, and no further than they may."""

import math
from dataclasses import replace

import pytest

from specmup.runs.job import Record
from specmup.runs.store import StoreContents
from specmup.sweeps.growth import requested_runs
from specmup.sweeps.tables import dry_run


def settled(sweep, loss):
    """Give every wanted run its loss until nothing more is wanted; the rates by (rule, width)."""
    losses, rounds = {}, 0
    while missing := [run for run in requested_runs(sweep, losses) if run.identity not in losses]:
        losses |= {run.identity: loss(run) for run in missing}
        rounds += 1
        assert rounds < 20
    rates = {}
    for run in requested_runs(sweep, losses):
        rates.setdefault((run.rule, run.width), set()).add(run.log2_lr)
    return {key: sorted(found) for key, found in rates.items()}


def bowl(at):
    return lambda run: (run.log2_lr - at(run)) ** 2


def test_a_grid_with_its_optimum_inside_stays(sweeps):
    rates = settled(sweeps.make(extend=4), bowl(lambda run: -6.0))
    assert set(map(tuple, rates.values())) == {(-8.0, -6.0, -4.0)}


def test_a_grid_grows_in_its_own_steps_until_the_optimum_is_inside(sweeps):
    sweep = sweeps.make(extend=4, rules=["sp"])
    rates = settled(sweep, bowl(lambda run: -6.0 if run.width == 8 else -12.0))
    assert rates["sp", 8] == [-8, -6, -4]
    assert rates["sp", 16] == [-14, -12, -10, -8, -6, -4]


def test_growth_is_bounded_at_either_end(sweeps):
    assert settled(sweeps.make(extend=2), lambda run: run.log2_lr)["k2", 8] == [
        -12,
        -10,
        -8,
        -6,
        -4,
    ]
    assert settled(sweeps.make(extend=1), lambda run: -run.log2_lr)["k2", 8] == [-8, -6, -4, -2]
    assert settled(sweeps.make(), lambda run: run.log2_lr)["k2", 8] == [-8, -6, -4]


@pytest.mark.parametrize("extend", [0, 3])
def test_a_dry_run_counts_what_is_finished_of_the_grids_before_they_grow(sweeps, extend):
    sweep = sweeps.make(extend=extend)
    runs = requested_runs(sweep, {})
    result = {"train_loss": 1.0, "diverged_at": -1, "seconds": 1.0}

    def told(finished):
        records = [Record(run, {"loss": run.log2_lr, **result}, {}) for run in finished]
        return dry_run(sweep, StoreContents({record.job.identity: record for record in records}))

    grown = requested_runs(sweep, {run.identity: run.log2_lr for run in runs})
    assert (len(grown) > len(runs)) == (extend > 0)
    assert f"of these, {len(runs)} are finished" in told(runs)
    assert "of these, 5 are finished" in told(runs[:5])
    assert "of these" not in told([replace(runs[0], seed=7)])


def test_rates_added_at_the_base_are_run_at_every_size(sweeps):
    sweep = sweeps.make(extend=3, widths=[16, 8], rules=["k2"])
    rates = settled(sweep, bowl(lambda run: -1.0 if run.width == 8 else -6.0))
    assert rates["k2", 8] == [-8, -6, -4, -2, 0]
    assert rates["k2", 16] == rates["k2", 8]


def test_one_seed_on_the_edge_is_enough_and_all_seeds_follow(sweeps):
    sweep = sweeps.make(extend=3, seeds=[0, 1], widths=[8], rules=["sp"])
    runs = []

    def loss(run):
        runs.append((run.log2_lr, run.seed))
        return (run.log2_lr - (-6.0, -8.5)[run.seed]) ** 2

    assert settled(sweep, loss)["sp", 8] == [-10, -8, -6, -4]
    assert {(-10.0, 0), (-10.0, 1)} <= set(runs)


def test_a_curve_that_diverged_everywhere_goes_on_below(sweeps):
    rates = settled(
        sweeps.make(extend=3), lambda run: math.inf if run.log2_lr > -11 else run.log2_lr**2
    )
    assert rates["sp", 8] == [-14, -12, -10, -8, -6, -4]  # -12 is best beside a divergence


def test_grids_come_in_the_order_of_the_file_and_their_largest_runs_first(sweeps):
    first = sweeps.make(rules=["sp"], seeds=[0, 1]).grid[0]
    sweep = sweeps.make(rules=["k2"], widths=[8, 32], depths=[4])
    runs = requested_runs(replace(sweep, grid=[first, *sweep.grid]), {})
    sizes = [(run.rule, run.width, run.depth) for run in runs]
    order = [("sp", 16, 1), ("sp", 8, 1), ("k2", 32, 1), ("k2", 8, 4), ("k2", 8, 1)]
    assert list(dict.fromkeys(sizes)) == order


def test_nothing_grows_while_a_run_is_missing(sweeps):
    sweep = sweeps.make(extend=4, rules=["sp"], widths=[8])
    runs = requested_runs(sweep, {})
    losses = {run.identity: run.log2_lr for run in runs}
    assert len(requested_runs(sweep, losses)) == 4
    losses.pop(runs[1].identity)
    assert requested_runs(sweep, losses) == runs
