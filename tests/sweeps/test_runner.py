"""Running a sweep: what is missing, largest first; failures, full disks, and restarts."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from specmup.runs.refusals import DiskFull
from specmup.runs.store import Store
from specmup.sweeps import runner as runner_module
from specmup.sweeps import work as work_module
from specmup.sweeps.estimate import flops
from specmup.sweeps.growth import requested_runs
from specmup.sweeps.run import Run
from specmup.sweeps.runner import run_sweep
from specmup.sweeps.work import execute


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", Run)


@pytest.fixture
def go(sweeps, store, counting_text):
    """Run a sweep in this process."""

    def run(sweep, workers=2):
        pool = sweeps.Inline
        return run_sweep(sweep, store, workers=workers, text_folder=counting_text, make_pool=pool)

    return run


@pytest.fixture
def carried(monkeypatch):
    """The runs that are carried out, in order."""
    seen = []

    def look(run, **options):
        seen.append(run)
        return execute(run, **options)

    monkeypatch.setattr(work_module, "execute", look)
    return seen


def test_a_grid_is_run_largest_first_and_only_once(sweeps, store, go, carried):
    sweep = sweeps.make()
    report = go(sweep)
    runs = requested_runs(sweep, {})
    assert (report.finished, report.found, report.failed) == (len(runs), 0, [])
    assert [flops(run) for run in carried] == sorted(map(flops, runs), reverse=True)
    assert set(store.read().records) == {run.identity for run in runs}
    assert go(sweep).found == len(runs)
    assert len(carried) == len(runs)


def test_rules_agree_at_the_base_and_differ_beyond_it(sweeps, store, go):
    go(sweeps.make())
    losses = {
        (r.job.rule, r.job.width, r.job.log2_lr): r.result["loss"]
        for r in store.read().records.values()
    }
    for rate in (-8.0, -6.0, -4.0):
        assert losses["sp", 8, rate] == losses["k2", 8, rate]
        assert losses["sp", 16, rate] != losses["k2", 16, rate]


def test_a_llama_is_swept_like_a_gpt(sweeps, store, go):
    report = go(sweeps.make(widths=[8, 16], model={"kind": "llama", "group": 2, "expansion": 2}))
    assert report.failed == []
    records = list(store.read().records.values())
    assert {r.job.shape.key_value_width for r in records} == {4, 8}
    assert all(math.isfinite(r.result["loss"]) for r in records)


def test_a_changed_configuration_keeps_what_there_was(sweeps, store, go):
    go(sweeps.make(rules=["sp"]))
    before = set(store.read().records)
    report = go(sweeps.make({"steps": 7}, rules=["sp"]))
    assert report.finished == 6
    assert before < set(store.read().records)


def test_a_corrupt_record_is_kept_and_its_run_done_again(sweeps, store, go, carried):
    sweep = sweeps.make(rules=["sp"], widths=[8])
    go(sweep)
    path = next(store.runs.glob("*.json"))
    content = path.read_bytes()
    path.write_bytes(content[:100])
    carried.clear()
    report = go(sweep)
    assert [run.identity for run in carried] == [path.stem]
    assert [aside.read_bytes() for aside in report.corrupt] == [content[:100]]
    assert store.read().records[path.stem].job == carried[0]


def test_a_run_that_fails_does_not_stop_the_others(sweeps, store, go, monkeypatch):
    def carry(run, **options):
        if run.log2_lr == -6.0:
            raise MemoryError("too large")
        return execute(run, **options)

    monkeypatch.setattr(work_module, "execute", carry)
    report = go(sweeps.make(rules=["sp"]))
    assert report.finished == 4
    assert [(run.log2_lr, str(problem)) for run, problem in report.failed] == [
        (-6, "too large")
    ] * 2
    monkeypatch.undo()
    assert go(sweeps.make(rules=["sp"])).finished == 2


def test_divergence_is_a_result(sweeps, store, go):
    report = go(sweeps.make({"clip": 1e9}, optimizers=["sgd"], log2_lr=[120.0], rules=["sp"]))
    assert report.finished == 2
    assert all(record.result["loss"] == math.inf for record in store.read().records.values())


def test_a_full_disk_waits_for_runs_in_flight_and_starts_no_more(
    sweeps, store, go, carried, monkeypatch
):
    write = Store.write

    def full(self, record):
        write(self, record)
        raise DiskFull("no space left; every finished run is kept")

    monkeypatch.setattr(Store, "write", full)
    with pytest.raises(DiskFull, match="every finished run is kept"):
        go(sweeps.make(), workers=3)
    assert len(carried) == len(store.read().records) == 3
    monkeypatch.undo()
    assert go(sweeps.make()).found == 3


def test_a_disk_too_full_for_a_checkpoint_starts_no_more(sweeps, store, go, carried, monkeypatch):
    def no_room(run, **options):
        carried.append(run)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(work_module, "execute", no_room)
    with pytest.raises(DiskFull, match="a run in flight is lost, all finished ones are kept"):
        go(sweeps.make(), workers=1)
    assert len(carried) == 1


def test_runs_in_flight_fit_into_memory(sweeps, store, go, monkeypatch):
    sizes = []
    monkeypatch.setattr(runner_module, "memory", lambda run: float(run.width))
    monkeypatch.setattr(runner_module, "machine_memory", lambda: 25 / runner_module.MEMORY_PART)

    class Watched(sweeps.Inline):
        def next(self, timeout):
            sizes.append(sum(job.width for job in self.jobs))
            return super().next(timeout)

    monkeypatch.setattr(sweeps, "Inline", Watched)
    go(sweeps.make(), workers=4)
    assert max(sizes) == 24  # one of 16 beside one of 8, though there are four workers
    for path in store.runs.glob("*.json"):
        path.unlink()
    sizes.clear()
    monkeypatch.setattr(runner_module, "machine_memory", lambda: 10.0)
    assert go(sweeps.make(), workers=4).finished == 12
    assert set(sizes) == {16, 8}  # what fits nowhere is run alone


def test_on_gpus_it_is_their_memory_that_bounds_the_runs_in_flight(monkeypatch):
    sizes = [SimpleNamespace(total_memory=8e9), SimpleNamespace(total_memory=24e9)]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", sizes.__getitem__)
    assert runner_module.gpu_memory() == 32e9
    made = [runner_module.memory_budget(device) for device in ("cpu", "cuda")]
    part = runner_module.MEMORY_PART
    assert made == [part * runner_module.machine_memory(), part * 32e9]


def test_each_worker_takes_its_gpu(sweeps, monkeypatch, counting_text):
    chosen = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"name of {device}")
    monkeypatch.setattr(work_module, "execute", lambda run, **options: options["device"])
    where, run = work_module.Executor("cuda", counting_text), requested_runs(sweeps.make(), {})[0]
    told = [where(run, worker) for worker in range(3)]
    assert [one["result"] for one in told] == chosen == ["cuda:0", "cuda:1", "cuda:0"]
    assert told[1]["origin"]["device"] == "name of cuda:1"


def test_a_missing_text_is_told_before_anything_is_run(sweeps, store, tmp_path):
    with pytest.raises(ValueError, match="the text 'counting' is not built in"):
        run_sweep(sweeps.make(), store)
    with pytest.raises(ValueError, match="the text 'counting': no token file"):
        run_sweep(sweeps.make(), store, text_folder=tmp_path)


def test_a_checkpoint_is_taken_up_and_discarded(sweeps, store, go, monkeypatch):
    monkeypatch.setattr(work_module, "CHECKPOINT_EVERY", 2)
    sweep = sweeps.make(rules=["sp"], widths=[8], log2_lr=[-6.0])
    (run,) = requested_runs(sweep, {})
    go(sweep)
    (whole,) = store.read().records.values()
    (store.runs / f"{run.identity}.json").unlink()
    checkpoint = store.checkpoint(run)
    elsewhere = store.folder / "elsewhere.pt"  # what is deleted in place of the checkpoint
    monkeypatch.setattr(Store, "checkpoint", lambda self, job: next(paths))
    paths = iter([checkpoint, elsewhere])  # the worker's, and the one that is deleted
    go(sweep)
    assert checkpoint.exists()  # after step 4
    (store.runs / f"{run.identity}.json").unlink()
    monkeypatch.undo()
    go(sweep)
    (resumed,) = store.read().records.values()
    assert resumed.result["curve"] == whole.result["curve"]
    assert resumed.result["loss"] == whole.result["loss"]
    assert not checkpoint.exists()


def test_the_companions_rate_is_of_all_but_the_branches_matrices(sweeps):
    from specmup.sweeps.work import plan_of

    run = replace(
        requested_runs(sweeps.make(), {})[0], optimizer="muon", options={"companion_rate": 0.1}
    )
    rates = {entry.role: entry.learning_rate for entry in plan_of(run).values()}
    assert rates["hidden"] == 2.0**run.log2_lr
    assert rates["input"] == rates["output"] == pytest.approx(0.1 * 2.0**run.log2_lr)
