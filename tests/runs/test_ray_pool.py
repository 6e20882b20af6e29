"""A real Ray cluster of three machines on this one: its workers, machines and drivers are lost."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from sweep_file import FILE

from specmup.__main__ import main
from specmup.runs.experiment import run_experiment
from specmup.runs.pool import WorkerDied
from specmup.runs.ray_pool import RETRIES, Needs, RayPool, connected, slots
from specmup.runs.refusals import RunError
from specmup.runs.store import Store
from specmup.sweeps.run import Run

RUNS = 18  # of the sweep whose drivers are stopped
ROOT = Path(__file__).resolve().parents[2]
WORK = """
import os, signal, time
from pathlib import Path

import pandas as pd
import torch


class Unportable(Exception):
    def __init__(self, what, why):
        super().__init__(f"{what}: {why}")


def work(job, worker):
    name, does, folder = job
    with open(Path(folder) / name, "a") as file:
        file.write(f"{os.getpid()}\\n")
    times = len((Path(folder) / name).read_text().split())
    if does == "fail":
        raise Unportable("a kernel", "does not compile")
    if does == "die always" or (does == "die once" and times == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    while does == "wait" and not (Path(folder) / "go").exists():
        time.sleep(0.02)
    return name, torch.get_num_threads(), worker


def rows(number):
    return pd.DataFrame({"number": [number] * 2, "loss": [number**0.5, number / 3]})
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A head without cores, and two machines of two, all of which find what jobs import."""
    pytest.importorskip("ray", reason="the extra [ray] is not installed")
    from ray.cluster_utils import Cluster

    code = tmp_path_factory.mktemp("code")
    (code / "ray_work.py").write_text(WORK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        for folder in (ROOT, code):
            patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        patch.syspath_prepend(code)
        patch.chdir(tmp_path_factory.mktemp("place"))
        made = Cluster()
        add(made, num_cpus=0, include_dashboard=False)
        made.machines = [add(made, num_cpus=2) for _ in range(2)]
        yield made
        made.shutdown()
        sys.modules.pop("ray_work", None)


def add(cluster, **resources):
    """A machine more; on a busy one Ray's patience of 30 s may not do, and it is tried again."""
    for last in (False, False, True):
        try:
            node = cluster.add_node(object_store_memory=80 << 20, **resources)
        except Exception:
            if last:
                raise
        else:
            cluster.wait_for_nodes()
            return node


@pytest.fixture
def driver(cluster):
    """This process as the cluster's driver."""
    with connected(cluster.address) as made:
        yield made


def carried_out(pool, jobs, meanwhile=lambda: None):
    """What came back of each job, by its name."""
    left, back = list(jobs), []
    deadline = time.monotonic() + 240
    while len(back) < len(jobs):
        assert time.monotonic() < deadline, "it took too long"
        while left and pool.has_room:
            pool.submit(left.pop(0))
        meanwhile()
        back += pool.next(timeout=0.5)
    assert Counter(one.job for one in back) == Counter(jobs)  # each once
    return {one.job[0]: one for one in back}


def wait_until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def begun(folder):
    """How often each job was begun."""
    return {path.name: len(path.read_text().split()) for path in folder.iterdir()}


def test_jobs_come_back_whatever_becomes_of_others(driver, tmp_path):
    from ray_work import work

    does = {"a": "die once", "b": "fail", "c": "die always", **dict.fromkeys("defghi", "work")}
    with driver.pool(Needs())(work, 1) as pool:
        in_flight = []
        look = lambda: in_flight.append(len(pool._in_flight))  # noqa: E731
        jobs = [(name, what, str(tmp_path)) for name, what in does.items()]
        back = carried_out(pool, jobs, look)
    assert max(in_flight) == 4  # as many as there are cores
    assert back["d"].value == ("d", 1, 0)
    assert back["a"].value[0] == "a"  # whose first worker was killed
    assert str(back["b"].error) == "Unportable: a kernel: does not compile"
    assert isinstance(back["c"].error, WorkerDied)
    assert f"its worker was lost {RETRIES + 1} times" in str(back["c"].error)
    assert begun(tmp_path) == {**dict.fromkeys("bdefghi", 1), "a": 2, "c": RETRIES + 1}


def test_a_machine_that_is_lost_takes_no_job_along(driver, cluster, tmp_path):
    from ray_work import work

    jobs = [(name, "wait", str(tmp_path)) for name in "abcdef"]

    def lose():
        if len(begun(tmp_path)) == 4 and len(cluster.machines) == 2:
            cluster.remove_node(cluster.machines.pop(), allow_graceful=False)
            (tmp_path / "go").touch()

    with driver.pool(Needs())(work, 1) as pool:
        try:
            back = carried_out(pool, jobs, lose)
            assert len(cluster.machines) == 1
            wait_until(lambda: driver.workers(Needs()) == 2)  # all may be back before it is noticed
        finally:
            cluster.machines.append(add(cluster, num_cpus=2))
    assert {name: one.value[0] for name, one in back.items()} == {name: name for name in "abcdef"}
    (tmp_path / "go").unlink()
    assert Counter(begun(tmp_path).values()) == {1: 4, 2: 2}  # those of the machine, once more


def test_pieces_are_those_of_one_machine(driver, tmp_path):
    from ray_work import rows

    options = [{"number": number} for number in range(5)]
    far = run_experiment(rows, options, 1, folder=tmp_path, workers=None, cluster=driver)
    assert far.frame.equals(run_experiment(rows, options, 1).frame)
    assert len(list((tmp_path / "runs").glob("*.json"))) == 5
    asked = run_experiment(rows, options, 1, folder=tmp_path, workers=1, cluster=driver)
    assert asked.records == far.records  # none was made again


@pytest.fixture
def place(tmp_path, counting_text, monkeypatch):
    """A folder with a sweep of some runs."""
    monkeypatch.chdir(tmp_path)
    text = FILE.replace("steps = 4", "steps = 60").replace("seeds = [0]", "seeds = [0, 1, 2]")
    (tmp_path / "tiny.toml").write_text(text)
    return tmp_path


def kept(place):
    found = (place / "_build" / "sweeps" / "tiny" / "runs").glob("*.json")
    return {path.name: path.stat().st_mtime_ns for path in found}


def begin(words, condition):
    """A driver of its own, and what is kept when something is."""
    started = subprocess.Popen(
        [sys.executable, "-m", "specmup", *words], stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: started.poll() is not None or condition())
    assert started.poll() is None, started.stderr.read()
    return started


def test_drivers_that_were_stopped_are_gone_on_with(cluster, place, counting_text):
    """One is killed and the next is asked to stop; what each left is kept by those after it."""
    words = ["sweep", "run", "tiny.toml", f"--text-folder={counting_text}"]
    far = [*words, "--engine=ray", f"--address={cluster.address}"]
    stages = [kept(place)]
    for stop in (signal.SIGKILL, signal.SIGTERM):
        driver = begin(far, lambda: len(kept(place)) > len(stages[-1]))
        driver.send_signal(stop)
        said = driver.communicate(timeout=60)[1]
        stages.append(kept(place))
    assert driver.returncode == 143
    assert said == "stopped: finished runs are kept, the same command goes on\n"
    assert main(far) == 0
    stages.append(kept(place))
    assert 0 < len(stages[1]) < len(stages[2]) < len(stages[3]) == RUNS
    for before, after in pairwise(stages):
        assert {name: after[name] for name in before} == before
    assert main([*words, "--workers=1", "--folder=alone"]) == 0
    ours, alone = (Store(f, Run).read().records for f in ("_build/sweeps/tiny", "alone"))
    assert ours.keys() == alone.keys()
    for name, record in ours.items():
        assert {**record.result, "seconds": 0} == {**alone[name].result, "seconds": 0}
        assert record.origin == alone[name].origin


def test_a_cluster_without_what_a_job_needs_is_told(driver):
    with pytest.raises(RunError, match="no machine of the Ray cluster has 1 free cores and 1 GPUs"):
        driver.workers(Needs(gpus=1))
    with pytest.raises(ValueError, match="workers is 0: give at least 1"):
        RayPool(print, 0)


def test_a_job_larger_than_any_machine_is_run_alone(driver, tmp_path):
    from ray_work import work

    with driver.pool(Needs(memory=lambda job: 1e15))(work, 1) as pool:
        jobs = [(name, "work", str(tmp_path)) for name in "ab"]
        assert carried_out(pool, jobs)["b"].value[0] == "b"


def test_room_is_counted_machine_by_machine():
    machines = [{"CPU": 3.0, "GPU": 2.0}, {"CPU": 1.0}, {"GPU": 4.0, "CPU": 8.0}, {}]
    assert slots(machines, Needs()) == 12
    assert slots(machines, Needs(cpus=2)) == 5
    assert slots(machines, Needs(gpus=1)) == 6
    assert slots(machines, Needs(cpus=2, gpus=1)) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--engine=ray", "--address=127.0.0.1:1"], "no Ray cluster can be used at 127.0.0.1:1"),
        (["--engine=ray", "--address=nowhere"], "is nowhere: give HOST:PORT, or auto"),
        (["--engine=ray", "--address=127.0.0.1:99999"], "no Ray cluster can be used at"),
        (["--address=auto"], "--address is auto: it is for --engine ray"),
    ],
)
def test_what_names_no_cluster_is_told_in_one_line(place, counting_text, capsys, options, message):
    if "--engine=ray" in options:
        pytest.importorskip("ray", reason="the extra [ray] is not installed")
    with pytest.raises(SystemExit) as stopped:
        main(["sweep", "run", "tiny.toml", f"--text-folder={counting_text}", *options])
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and message in error and error.count("\n") == 1
    assert not kept(place)


def test_a_missing_package_is_told_in_one_line(place, counting_text, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SystemExit) as stopped:
        main(["sweep", "run", "tiny.toml", f"--text-folder={counting_text}", "--engine=ray"])
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and error.count("\n") == 1
    assert "--engine ray needs the package ray" in error
    assert "pip install 'specmup[ray]'" in error
