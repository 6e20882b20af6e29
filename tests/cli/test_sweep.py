"""``specmup sweep``, as a user calls it, and as a user's machine kills it."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sweep_file import FILE, RULES, STEPS

from specmup.__main__ import main
from specmup.runs.results import load


def sweep(steps: int) -> str:
    """The file of twelve runs."""
    return FILE.replace(STEPS, f"steps = {steps}").replace(RULES, 'rules = ["sp", "k2"]')


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a sweep of twelve runs and its text; nothing has been run."""
    steps = np.random.default_rng(0).integers(1, 3, size=3000)
    tokens = (np.cumsum(steps) % 16).astype("<u2")
    tokens[:2000].tofile(tmp_path / "train.bin")
    tokens[2000:].tofile(tmp_path / "val.bin")
    (tmp_path / "tiny.toml").write_text(sweep(steps=8))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kept(folder: Path) -> dict[str, int]:
    """Records and when they were written."""
    found = (folder / "_build" / "sweeps" / "tiny" / "runs").glob("*.json")
    return {path.stem: path.stat().st_mtime_ns for path in found}


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()]


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]
    except FileNotFoundError:
        return False


def wait_until(condition, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_a_sweep_that_was_killed_goes_on_where_it_was(place, capsys):
    (place / "tiny.toml").write_text(sweep(steps=60))
    command = [sys.executable, "-m", "specmup", "sweep", "run", "tiny.toml"]
    command += ["--text-folder", ".", "--workers", "2"]
    first = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: len(kept(place)) >= 2 or first.poll() is not None)
        before, workers = kept(place), children(first.pid)
        assert first.poll() is None, first.stderr.read()
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.communicate()
    assert 2 <= len(before) < 12
    wait_until(lambda: not any(map(alive, workers)), seconds=20)  # no orphans are left
    before = kept(place)
    main(["sweep", "status", "tiny.toml"])
    out = capsys.readouterr().out
    assert "cannot be read" not in out and "is running it" not in out
    again = ["sweep", "run", "tiny.toml", "--text-folder", ".", "--workers", "1"]
    assert main(again) == 0
    after = kept(place)
    assert len(after) == 12
    assert {name: after[name] for name in before} == before  # none was run again
    assert sorted(p.name for p in (place / "_build/sweeps/tiny/runs").iterdir()) == sorted(
        f"{name}.json" for name in after
    )
    main(["sweep", "collect", "tiny.toml", "--results", "results"])
    frame, manifest = load("tiny", place / "results")
    assert len(frame) == manifest["rows"] == 12
    assert frame.loss.between(0.5, 3.0).all()
    assert manifest["configuration"]["missing_runs"] == 0
    main(["sweep", "plot", "tiny.toml", "--figure", "tiny.png"])
    assert (place / "tiny.png").stat().st_size > 10_000


def test_a_dry_run_tells_the_cost_and_runs_nothing(place, capsys):
    assert main(["sweep", "run", "tiny.toml", "--dry-run", "--on", "a100"]) == 0
    out = capsys.readouterr().out.splitlines()
    total = out[3].split()
    assert total[:2] == ["all", "12"]
    assert float(total[2]) == pytest.approx(12 * 8 * 4 * 8, rel=1e-2)
    assert "on one a100 at 35% of 312 TFLOP/s" in out[4]
    assert not (place / "_build").exists()
    main(["sweep", "run", "tiny.toml", "--dry-run"])
    assert "no run is finished here yet; state a GPU with --on: a100" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["run", "none.toml"], "there is no file none.toml"),
        (["run", "tiny.toml"], "the text 'counting' is not built in: name the folder"),
        (["run", "tiny.toml", "--workers", "0", "--text-folder", "."], "workers is 0"),
        (["run", "tiny.toml", "--device", "abacus"], "unknown device 'abacus'"),
        (["run", "tiny.toml", "--dry-run", "--on", "abacus"], "unknown device 'abacus': known"),
        (["collect", "tiny.toml"], "12 of 12 runs of tiny are not finished"),
        (["plot", "tiny.toml"], "no run of tiny is finished in _build/sweeps/tiny"),
    ],
)
def test_one_line_of_error(place, capsys, command, message):
    with pytest.raises(SystemExit) as stopped:
        main(["sweep", *command])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert kept(place) == {}


def test_what_the_system_refuses_is_named_as_it_was_given(place, capsys, monkeypatch):
    def refused(path, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (place / "file").touch()
    assert main(["sweep", "run", "tiny.toml", "--text-folder=.", "--workers=1"]) == 0
    capsys.readouterr()
    words = ["sweep", "collect", "tiny.toml", "--results"]
    with pytest.raises(SystemExit):
        main([*words, "file"])
    assert capsys.readouterr().err == "specmup sweep: file cannot be used: File exists\n"
    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(os, "replace", refused)
        patched.setattr(Path, "replace", refused)
        main([*words, "here"])
    told = Path("here", "tiny.csv")
    assert capsys.readouterr().err == f"specmup sweep: {told} cannot be used: Permission denied\n"
    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(Path, "read_text", refused)
        main(["sweep", "status", "tiny.toml"])
    assert "tiny.toml cannot be read: Permission denied" in capsys.readouterr().err


def test_the_status_tells_of_other_configurations_and_corrupt_records(place, capsys):
    from specmup.runs.job import Record
    from specmup.runs.store import Store
    from specmup.sweeps.configuration import read_sweep
    from specmup.sweeps.growth import requested_runs
    from specmup.sweeps.run import Run

    store = Store("_build/sweeps/tiny", Run)
    runs = requested_runs(read_sweep("tiny.toml"), {})
    with store.locked():
        for run in runs[:3]:
            result = {"loss": float("inf"), "train_loss": float("inf"), "diverged_at": 2}
            result["seconds"] = 1.0
            store.write(Record(run, result, {"device": "cpu"}))
        main(["sweep", "status", "tiny.toml"])
    out = capsys.readouterr().out
    assert f"process {os.getpid()} is running it" in out
    lines = out.splitlines()
    assert lines[1].split() == ["1", "adamw", "sp", *"width 8 … 16 -8 … -4 3 of 6 3".split()]
    assert lines[3].split() == ["all", "3", "of", "12", "3"]
    assert any(line.startswith("the last run ended") for line in lines)
    path = store.runs / f"{runs[0].identity}.json"
    path.write_text(json.dumps({"run": "half"}))
    (place / "tiny.toml").write_text(sweep(steps=9))
    main(["sweep", "status", "tiny.toml"])
    out = capsys.readouterr().out
    assert "2 records belong to other configurations: they are kept, not used" in out
    told = f"1 records cannot be read, and run sets them aside:\n  {path.name}: KeyError: 'sha256'"
    assert told in out
