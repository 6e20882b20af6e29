"""A sweep on several GPUs that are simulated: who computes where, and what does not fit."""

import math
from dataclasses import dataclass, replace

import pytest
from on_gpus import OnSimulatedGpus, carried_out
from simulated_gpus import Gpus, pretended

from specmup.runs.pool import Pool
from specmup.runs.store import Store
from specmup.sweeps.estimate import memory, parameters
from specmup.sweeps.growth import requested_runs
from specmup.sweeps.run import Run
from specmup.sweeps.runner import MEMORY_PART, run_sweep
from specmup.sweeps.tables import status
from specmup.sweeps.work import execute

SMALL, LARGE = (8, 16), 128


@dataclass
class Machine:
    """One with simulated GPUs, on which sweeps are run by worker processes."""

    store: Store
    text_folder: object

    def run(self, sweep, count, memory):
        def pool(executor, workers):
            return Pool(OnSimulatedGpus(executor, count, memory), workers)

        with pretended(Gpus(count, memory)):
            told = {"text_folder": self.text_folder, "make_pool": pool}
            return run_sweep(sweep, self.store, device="cuda", **told)


@pytest.fixture
def machine(tmp_path, counting_text):
    return Machine(Store(tmp_path / "store", Run), counting_text)


def test_a_run_that_fits_no_gpu_is_told_and_the_others_go_on(sweeps, machine, counting_text):
    told = {"rules": ["k2"], "widths": [*SMALL, LARGE], "log2_lr": [-6.0]}
    sweep = sweeps.make({"steps": 2}, **told)
    large, *small = requested_runs(sweep, {})
    weights = 4 * parameters(large.shape)
    first = machine.run(sweep, 2, 1.1 * weights)  # its forward pass takes more
    ((failed, problem),) = first.failed
    assert failed == large and type(problem).__name__ == "OutOfMemoryError"
    assert str(problem).startswith("CUDA out of memory. Tried to allocate")
    assert set(first.records) == {run.identity for run in small}
    kept = status(sweep, machine.store)
    assert "1 of these failed when they were last tried:" in kept
    assert f"width {LARGE}, depth 1, log2 lr -6: OutOfMemoryError: CUDA out of memory." in kept
    again = machine.run(sweep, 2, math.inf)  # as after moving to larger ones
    assert "failed" not in status(sweep, machine.store)
    assert (again.found, again.finished, again.failed) == (2, 1, [])
    for record in again.records.values():
        (busy,) = record.origin["busy"]  # nothing was computed on the other
        assert record.origin["device"] == f"simulated GPU {busy}"
        here = execute(record.job, text_folder=counting_text)
        for key in ("curve", "loss"):
            assert record.result[key] == pytest.approx(here[key], rel=1e-4)
    assert {r.origin["busy"][0] for r in again.records.values()} == {0, 1}


@pytest.fixture(scope="module")
def peak():
    """Most bytes that a run holds of a simulated GPU."""
    with Pool(carried_out, 1) as pool:

        def measured(run, folder):
            pool.submit(("peak", (run, folder), {}))
            (back,) = pool.next()
            if back.error is not None:
                raise back.error
            return back.value

        yield measured


# In the first what is kept a parameter is most of it, in the second what the backward pass keeps.
SIZES = {"wide": {"width": 128, "depth": 1}, "deep": {"width": 16, "depth": 4}}
CASES = [("wide", name) for name in ("adamw", "sophia", "muon-kimi", "shampoo")]


@pytest.mark.parametrize(("size", "optimizer"), [*CASES, ("deep", "adamw")])
def test_the_estimate_holds_what_a_run_takes(sweeps, peak, counting_text, optimizer, size):
    (run, *_) = requested_runs(sweeps.make({"steps": 2}), {})
    run = replace(run, optimizer=optimizer, options={}, **SIZES[size])
    assert 0.6 < peak(run, counting_text) / memory(run) < 1 / MEMORY_PART
