"""What a budget buys: held against all searches, drawn one by one."""

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest

from experiments.reading.budgets import NUMBERS, Searches, probabilities

BASE, LARGE, GUESS = (8, 1), (16, 2), 2.0
SEEDS, RATES, STARTS = (0, 1, 2), (-3, -2, -1), (1.0, 4.0)
COST = {BASE: 2.0, LARGE: 10.0}
KINDS = ((BASE, BASE), (LARGE, LARGE), (BASE, LARGE))


def table(**changed):
    """Random losses at every point; some diverged."""
    draw = np.random.default_rng(0)
    rows = [
        dict(zip(["base_width", "base_depth", "width", "depth"], base + size, strict=True))
        | {"start": start, "embedding": 1.0, "readout": 1.0, "log2_lr": rate, "seed": seed}
        | {"loss": draw.normal(), "test_loss": draw.normal(), "flops": COST[size]}
        for (base, size), start, rate, seed in product(KINDS, STARTS, RATES, SEEDS)
    ]
    return Searches(pd.DataFrame(rows).assign(**changed), LARGE, GUESS)


@pytest.fixture
def searches():
    found = table()
    found.rows.loc[[2, 20, 40], "test_loss"] = np.inf
    return found


def all_searches(by, kept, tries):
    """What every search of so many tries keeps."""
    return [kept[min(some, key=by.__getitem__)] for some in combinations(list(by.index), tries)]


@pytest.mark.parametrize("tries", [1, 2, 5, 6])
def test_searches_on_the_large_model_are_the_mean_over_all_of_them(searches, tries):
    by = searches.curves(LARGE, LARGE)
    kept = searches.curves(LARGE, LARGE, "test_loss")
    each = [all_searches(by[s], kept[s], tries) for s in SEEDS]
    found = searches.direct(tries)
    assert found.by_seed == pytest.approx([np.mean(one) for one in each])
    losses = np.sort(np.concatenate(each))
    tenth = len(losses) / 10 - 1e-9
    assert found.low == losses[int(tenth)] and found.high == losses[int(9 * tenth)]
    assert (found.runs, found.flops) == (tries, tries * COST[LARGE])


@pytest.mark.parametrize("runs", [1, 4, 6, 11])
def test_searches_on_the_base_choose_there_and_keep_one_run_of_the_large_model(searches, runs):
    by, kept = searches.curves(BASE, BASE), searches.curves(BASE, LARGE, "test_loss")
    found = searches.carried(BASE, runs)
    tries = min(runs, 6)
    expected = [np.mean(all_searches(by[s], kept[s], tries)) for s in SEEDS]
    assert found.by_seed == pytest.approx(expected)
    # Eleven runs do not pay for two seeds of each of six points.
    assert found.runs == tries and found.flops == tries * COST[BASE] + COST[LARGE]


def test_more_runs_than_points_are_more_seeds_whose_mean_chooses(searches):
    by, kept = searches.curves(BASE, BASE), searches.curves(BASE, LARGE, "test_loss")
    found = searches.carried(BASE, 13)
    own = [by[list(pair)].mean(axis=1).idxmin() for pair in ((0, 1), (1, 2), (2, 0))]
    assert found.by_seed == pytest.approx([kept[s][point] for s, point in enumerate(own)])
    assert found.runs == 12
    everything = searches.carried(BASE, 1000)
    assert everything.runs == 18 and tuple(searches.chosen(BASE)) == by.mean(axis=1).idxmin()
    best = by.mean(axis=1).idxmin()
    assert everything.by_seed == pytest.approx(kept.loc[best].to_numpy())


def test_three_rates_around_the_carried_one_keep_the_best_of_them(searches):
    by = searches.curves(BASE, LARGE)
    told = searches.curves(BASE, LARGE, "test_loss")
    found = searches.carried(BASE, 18, rates=3)
    start, embedding, readout, rate = searches.chosen(BASE)
    near = [(start, embedding, readout, r) for r in RATES if abs(r - rate) <= 1]
    expected = [told[s][by[s].loc[near].idxmin()] for s in SEEDS]
    assert found.by_seed == pytest.approx(expected)
    assert found.flops == 18 * COST[BASE] + 3 * COST[LARGE]


def test_of_rates_that_all_diverge_one_on_the_grid_is_kept():
    found = table()
    rows = found.rows
    rows.loc[rows.log2_lr == -3, "loss"] = -10.0  # the grid's end is what the base chooses
    large = (rows.width == LARGE[0]) & (rows.base_width == BASE[0]) & (rows.log2_lr < -1)
    rows.loc[large, ["loss", "test_loss"]] = np.inf
    assert found.carried(BASE, 18, rates=3).by_seed == pytest.approx([GUESS] * len(SEEDS))


@pytest.mark.parametrize("rates", [0, 2, 4])
def test_rates_lie_around_one_so_their_number_is_odd(searches, rates):
    with pytest.raises(ValueError, match=f"{rates} rates: give an odd number"):
        searches.carried(BASE, 1, rates=rates)


def test_the_run_that_is_kept_is_paid_for_first(searches):
    assert [searches.affordable(BASE, runs) for runs in (1, 2, 4)] == [0, 5, 15]
    assert searches.affordable(BASE, 4, rates=3) == 5


def test_a_run_that_ends_above_guessing_counts_as_guessing():
    kept = table(test_loss=np.inf).direct(3)
    assert (kept.by_seed == GUESS).all() and kept.low == kept.high == GUESS


def test_a_search_may_be_among_some_points_only(searches):
    assert len(searches.among("start == 1").curves(BASE, LARGE)) == len(RATES)


def test_a_missing_run_is_told():
    whole = table()
    part = Searches(whole.rows.iloc[1:], LARGE, GUESS)
    with pytest.raises(ValueError, match=r"size \(8, 1\) under the plan from \(8, 1\)"):
        part.direct(1), part.carried(BASE, 1)
    with pytest.raises(ValueError, match="not stored"):
        whole.carried((3, 3), 1)


def test_probabilities_are_those_of_draws_without_replacement():
    assert probabilities(4, 2) == pytest.approx([3 / 6, 2 / 6, 1 / 6, 0])
    assert probabilities(5, 5) == pytest.approx([1, 0, 0, 0, 0])
    with pytest.raises(ValueError, match="0 tries of 4"):
        probabilities(4, 0)


def test_the_numbers_name_what_is_searched():
    assert NUMBERS == ["start", "embedding", "readout", "log2_lr"]
