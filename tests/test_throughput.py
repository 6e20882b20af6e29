"""The simulated cluster against what can be computed by hand."""

from dataclasses import replace

import pytest

from benchmarks.throughput import Assumptions, share_of_ideal

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


def test_a_machine_that_fails_is_away_and_makes_work_again():
    """Away 2 of every 100 hours, and on average half a checkpoint and the notice are lost."""
    failing = replace(CALM, failures=1 / (98 * 8), mean=7200.0, spread=0.01)
    shares = [share_of_ideal(failing, hours=1000, seed=seed) for seed in range(3)]
    assert sum(shares) / 3 == pytest.approx(0.98, abs=0.004)
    hours = replace(failing, checkpoint=1e9)  # all of a job is made again: some hour a failure
    shares = [share_of_ideal(hours, hours=1000, seed=seed) for seed in range(3)]
    assert sum(shares) / 3 == pytest.approx(0.97, abs=0.004)
