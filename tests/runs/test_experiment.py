"""Experiments in pieces: finished pieces are kept, and only the rest is run again."""

import os
import subprocess
import sys
import time
from itertools import count
from math import inf

import pandas as pd
import pytest

from specmup.runs.experiment import run_experiment
from specmup.runs.pool import WorkerDied
from specmup.runs.refusals import DiskFull
from specmup.runs.results import load
from specmup.runs.store import RunError
from specmup.streams import drawn_from

CALLS: list[int] = []


def square(*, x):
    CALLS.append(x)
    if x == 3 and len(CALLS) < 4:
        raise KeyboardInterrupt  # as when the run is stopped
    return pd.DataFrame({"x": [x], "square": [x * x]})


def jobs():
    return [{"x": x} for x in (1, 2, 3, 4)]


def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    CALLS.clear()
    with pytest.raises(KeyboardInterrupt):
        run_experiment(square, jobs(), 1, folder=tmp_path)
    made = run_experiment(square, jobs(), 1, folder=tmp_path)
    frame, seconds = made.frame, made.seconds
    assert CALLS == [1, 2, 3, 3, 4]
    assert frame["square"].tolist() == [1, 4, 9, 16]
    assert list(frame.columns) == ["x", "square"]
    assert seconds > 0
    again = run_experiment(square, jobs(), 1, folder=tmp_path)
    assert len(CALLS) == 5
    pd.testing.assert_frame_equal(again.frame, frame)
    assert again.seconds == pytest.approx(seconds)


def test_another_job_is_another_piece(tmp_path):
    CALLS.clear()
    CALLS.extend([0] * 4)
    run_experiment(square, [{"x": 1}], 1, folder=tmp_path)
    assert run_experiment(square, [{"x": 5}], 1, folder=tmp_path).frame["square"].tolist() == [25]


@pytest.mark.parametrize("left", [0, 30])
def test_a_piece_cut_off_while_written_is_run_again(tmp_path, left):
    CALLS.clear()
    CALLS.extend([0] * 4)
    run_experiment(square, [{"x": 2}], 1, folder=tmp_path)
    (piece,) = (tmp_path / "runs").glob("*.json")
    piece.write_bytes(piece.read_bytes()[:left])
    with pytest.warns(UserWarning, match="cannot be read: its piece was made again"):
        run_experiment(square, [{"x": 2}], 1, folder=tmp_path)
    assert CALLS[4:] == [2, 2]
    assert sorted(p.suffix for p in (tmp_path / "runs").iterdir()) == [".corrupt-1", ".json"]


def test_a_piece_is_void_after_its_version_is_raised(tmp_path):
    CALLS.clear()
    CALLS.extend([0] * 4)
    for version in (1, 2, 2):
        run_experiment(square, [{"x": 2}], version, folder=tmp_path)
    assert CALLS[4:] == [2, 2]


def test_a_piece_is_void_for_other_random_streams(tmp_path):
    CALLS.clear()
    CALLS.extend([0] * 4)
    run_experiment(square, [{"x": 2}], 1, folder=tmp_path)
    with drawn_from("shared"):
        run_experiment(square, [{"x": 2}], 1, folder=tmp_path)
    assert CALLS[4:] == [2, 2]


def picky(*, x):
    if x == 1:
        raise RunError("x is 1")  # for its own reasons, and not for the store's
    return pd.DataFrame({"x": [x]})


def test_what_a_piece_raises_says_nothing_of_the_store(tmp_path):
    with pytest.raises(RunError, match="x is 1"):
        run_experiment(picky, jobs(), 1, folder=tmp_path)
    assert len(list((tmp_path / "runs").iterdir())) == 3
    (noted,) = (tmp_path / "failed").iterdir()
    assert "x is 1" in noted.read_text()


def odd(*, x):
    return pd.DataFrame({"loss": [1 / 3, inf, -inf], "text": ["inf", "a", ""], "big": [True] * 3})


def test_rows_come_back_as_they_were(tmp_path):
    fresh = run_experiment(odd, [{"x": (1, 2)}], 1)
    run_experiment(odd, [{"x": (1, 2)}], 1, folder=tmp_path)
    again = run_experiment(odd, [{"x": [1, 2]}], 1, folder=tmp_path)
    pd.testing.assert_frame_equal(fresh.frame, odd(x=0))
    pd.testing.assert_frame_equal(again.frame, odd(x=0))
    again.save("odd", scale="quick", configuration={"x": 1}, folder=tmp_path)
    told = load("odd", tmp_path).manifest
    assert told["configuration"]["devices"] == ["cpu"] and told["rows"] == 3


def test_a_full_disk_keeps_the_piece_and_begins_no_more(tmp_path, monkeypatch):
    CALLS.clear()
    CALLS.extend([0] * 4)
    fsync = os.fsync

    def full(descriptor):
        if CALLS[4:] and (tmp_path / "reserve").exists():
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match="every finished run is kept: free some"):
        run_experiment(square, jobs(), 1, folder=tmp_path)
    assert CALLS[4:] == [1]
    monkeypatch.undo()
    assert run_experiment(square, jobs(), 1, folder=tmp_path).frame["x"].tolist() == [1, 2, 3, 4]
    assert CALLS[4:] == [1, 2, 3, 4]


def test_a_record_that_cannot_be_written_lets_no_more_begin(tmp_path, monkeypatch):
    CALLS.clear()
    CALLS.extend([0] * 4)
    fsync = os.fsync

    def broken(descriptor):
        if CALLS[4:]:
            raise OSError(5, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(RunError, match="just finished is lost, all others are kept: see to its"):
        run_experiment(square, jobs(), 1, folder=tmp_path)
    assert CALLS[4:] == [1]


@pytest.mark.parametrize("where", ["inside", "elsewhere"])
def test_what_fails_in_the_folder_begins_no_more_and_elsewhere_takes_its_piece_only(
    tmp_path, where
):
    kept = tmp_path / "kept"
    about = {"inside": kept / "checkpoints" / "x.pt", "elsewhere": tmp_path / "data"}[where]
    begun = []

    def reading(*, x):
        begun.append(x)
        if x == 1:
            raise PermissionError(13, "Permission denied", str(about))
        return pd.DataFrame({"x": [x]})

    expected = {"inside": RunError, "elsewhere": PermissionError}[where]
    with pytest.raises(expected, match="Permission denied"):
        run_experiment(reading, jobs(), 1, folder=kept)
    assert begun == {"inside": [1], "elsewhere": [1, 2, 3, 4]}[where]


def test_a_folder_that_is_moved_away_begins_no_more_and_goes_on_at_its_new_place(tmp_path):
    begun = []

    def moving(*, x):
        begun.append(x)
        if begun == [1, 2]:
            (tmp_path / "kept").rename(tmp_path / "moved")
        return pd.DataFrame({"x": [x]})

    with pytest.raises(RunError, match=r"kept cannot be used \(No such file or directory\)"):
        run_experiment(moving, jobs(), 1, folder=tmp_path / "kept")
    assert begun == [1, 2]
    assert not (tmp_path / "kept").exists()
    made = run_experiment(moving, jobs(), 1, folder=tmp_path / "moved")
    assert (begun, made.frame["x"].tolist()) == ([1, 2, 2, 3, 4], [1, 2, 3, 4])


@pytest.mark.parametrize("years", [-40, 40])
def test_a_clock_that_jumps_changes_nothing(tmp_path, monkeypatch, years):
    CALLS.clear()
    CALLS.extend([0] * 4)
    real, jumps = time.time, count()

    def jumping():
        return real() + next(jumps) % 2 * years * 3.2e7

    monkeypatch.setenv("SPECMUP_PROGRESS", "1")  # a bar reads the clock
    monkeypatch.setattr(time, "time", jumping)
    monkeypatch.setattr("tqdm.std.time", jumping)
    for _ in range(2):
        made = run_experiment(square, jobs(), 1, folder=tmp_path)
        assert made.frame["square"].tolist() == [1, 4, 9, 16]
        assert 0 <= made.seconds < 60
    assert CALLS[4:] == [1, 2, 3, 4]
    assert next(jumps) > 4


def test_nothing_to_run_is_refused():
    with pytest.raises(ValueError, match="empty axis"):
        run_experiment(square, [], 1)


WORK = """
import os
import signal
import time

import pandas as pd
import torch


def piece(*, x):
    if x == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if x < 0:
        raise ValueError(f"{x} is negative")
    return pd.DataFrame({"x": [x], "threads": torch.get_num_threads(), "process": os.getpid()})


def slow(*, x):
    time.sleep(float(os.environ.get("SECONDS_OF_A_PIECE", 0)) * (x > 1))
    return pd.DataFrame({"x": [x]})
"""


@pytest.fixture
def piece(tmp_path, monkeypatch):
    """Work that other processes can import."""
    (tmp_path / "piece_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    import piece_work

    yield piece_work.piece
    sys.modules.pop("piece_work")


def test_pieces_made_side_by_side_come_in_the_order_of_the_jobs(piece, tmp_path):
    told = {"folder": tmp_path / "kept", "workers": 2}
    made = run_experiment(piece, jobs(), 1, **told)
    frame, seconds = made.frame, made.seconds
    assert frame["x"].tolist() == [1, 2, 3, 4]
    assert set(frame["threads"]) == {1}
    assert os.getpid() not in set(frame["process"])
    assert frame["process"].nunique() == 2
    again = run_experiment(piece, jobs(), 1, folder=tmp_path / "kept")
    pd.testing.assert_frame_equal(again.frame, frame)
    assert again.seconds == pytest.approx(seconds)


def test_a_piece_that_fails_beside_others_says_why_and_they_are_kept(piece, tmp_path):
    told = {"folder": tmp_path / "kept", "workers": 2}
    with pytest.raises(ValueError, match="-1 is negative"):
        run_experiment(piece, [{"x": 1}, {"x": -1}, {"x": 2}], 1, **told)
    assert len(list((tmp_path / "kept" / "runs").glob("*.json"))) == 2


def test_a_worker_that_is_killed_is_replaced_and_takes_only_its_piece_along(piece, tmp_path):
    told = {"folder": tmp_path / "kept", "workers": 2}
    with pytest.raises(WorkerDied, match="status -9"):
        run_experiment(piece, [{"x": 0}, {"x": 1}, {"x": 2}, {"x": 3}], 1, **told)
    assert len(list((tmp_path / "kept" / "runs").glob("*.json"))) == 3


def test_no_worker_is_refused():
    with pytest.raises(ValueError, match="workers is 0"):
        run_experiment(square, jobs(), 1, workers=0)


def by_itself(folder, told):
    """The same pieces in a program of their own, which will not end: all but the first are slow."""
    program = f"""
import sys
sys.path.insert(0, {str(folder)!r})
from pathlib import Path
from specmup.runs.experiment import run_experiment
from piece_work import slow
if __name__ == "__main__":
    run_experiment(slow, {jobs()}, 1, folder=Path({str(folder / "kept")!r}), {told})
"""
    (folder / "program.py").write_text(program)
    environment = {**os.environ, "SECONDS_OF_A_PIECE": "600"}
    return subprocess.Popen([sys.executable, folder / "program.py"], env=environment)


@pytest.mark.parametrize("told", ["workers=1", "workers=2"])
def test_an_experiment_that_was_killed_goes_on_and_meanwhile_is_alone(piece, tmp_path, told):
    import piece_work

    kept = tmp_path / "kept"
    first = by_itself(tmp_path, told)
    try:
        deadline = time.monotonic() + 60
        while not list(kept.glob("runs/*.json")):
            assert first.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        with pytest.raises(RunError, match=f"in use by process {first.pid}: wait for it"):
            run_experiment(piece_work.slow, jobs(), 1, folder=kept)
    finally:
        first.kill()
        first.wait()
    found = {path: path.stat().st_mtime_ns for path in kept.glob("runs/*.json")}
    assert len(found) == 1
    frame = run_experiment(piece_work.slow, jobs(), 1, folder=kept).frame
    assert frame["x"].tolist() == [1, 2, 3, 4]
    assert {path: path.stat().st_mtime_ns for path in found} == found  # none was made again
    assert len(list(kept.glob("runs/*"))) == 4
