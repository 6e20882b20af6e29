"""The simulated cluster against what can be computed by hand."""

from dataclasses import replace

import pytest

from benchmarks.throughput import Assumptions, mean_share, share_of_ideal

CALM = Assumptions(100, overhead=0.0, failures=0.0, slow=0.0)


def test_nothing_is_lost_where_nothing_comes_between():
    assert share_of_ideal(CALM) == pytest.approx(1.0, abs=1e-9)


def test_too_few_jobs_leave_gpus_idle():
    shares = [share_of_ideal(replace(CALM, load=0.5), hours=200, seed=seed) for seed in range(3)]
    assert sum(shares) / 3 == pytest.approx(0.5, abs=0.03)  # and the jobs of the start


def test_a_straggler_does_its_part():
    assert share_of_ideal(replace(CALM, slow=1.0, factor=4.0)) == pytest.approx(0.25, abs=1e-9)


def test_the_driver_is_the_bound_where_it_is_slow():
    """A job of half an hour, 36 s of the driver's: it keeps 50 GPUs busy of 100."""
    slow = replace(CALM, overhead=36.0, spread=0.01)
    assert share_of_ideal(slow, hours=100) == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("gpus", [1, 10, 100, 1000])
def test_the_page_says_what_is_simulated(gpus):
    """*One or two percent from 10 GPUs on, most of it to stragglers; three to five with one*."""
    given = Assumptions(gpus, overhead=0.005)
    lost = 1 - mean_share(given)
    assert 0.03 < lost < 0.05 if gpus == 1 else 0.005 < lost < 0.025
    of_stragglers = lost - (1 - mean_share(replace(given, slow=0.0)))
    assert gpus == 1 or of_stragglers > lost / 2


def test_a_machine_that_fails_is_away_and_makes_work_again():
    """Away 2 of every 100 hours, and on average half a checkpoint and the notice are lost."""
    failing = replace(CALM, failures=1 / (98 * 8), mean=7200.0, spread=0.01)
    shares = [share_of_ideal(failing, hours=1000, seed=seed) for seed in range(3)]
    assert sum(shares) / 3 == pytest.approx(0.98, abs=0.004)
    hours = replace(failing, checkpoint=1e9)  # all of a job is made again: some hour a failure
    shares = [share_of_ideal(hours, hours=1000, seed=seed) for seed in range(3)]
    assert sum(shares) / 3 == pytest.approx(0.97, abs=0.004)
