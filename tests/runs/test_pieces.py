"""Experiments in pieces: finished pieces are kept, and only the rest is run again."""

import os

import pandas as pd
import pytest

from specmup.runs.pieces import run_pieces, side_by_side

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
        run_pieces(square, jobs(), folder=tmp_path)
    frame, seconds = run_pieces(square, jobs(), folder=tmp_path)
    assert CALLS == [1, 2, 3, 3, 4]
    assert frame["square"].tolist() == [1, 4, 9, 16]
    assert list(frame.columns) == ["x", "square"]
    assert seconds > 0
    again = run_pieces(square, jobs(), folder=tmp_path)
    assert len(CALLS) == 5
    pd.testing.assert_frame_equal(again.frame, frame)
    assert again.seconds == pytest.approx(seconds)


def test_another_job_is_another_piece(tmp_path):
    CALLS.clear()
    CALLS.extend([0] * 4)
    run_pieces(square, [{"x": 1}], folder=tmp_path)
    assert run_pieces(square, [{"x": 5}], folder=tmp_path).frame["square"].tolist() == [25]


def test_a_piece_cut_off_while_written_is_run_again(tmp_path):
    CALLS.clear()
    CALLS.extend([0] * 4)
    run_pieces(square, [{"x": 2}], folder=tmp_path)
    (piece,) = tmp_path.glob("*.csv")
    piece.rename(piece.with_suffix(".partial"))
    run_pieces(square, [{"x": 2}], folder=tmp_path)
    assert CALLS[4:] == [2, 2]
    assert [p.suffix for p in tmp_path.iterdir()] == [".csv"]


def test_nothing_to_run_is_refused():
    with pytest.raises(ValueError, match="empty axis"):
        run_pieces(square, [])


WORK = """
import os

import pandas as pd
import torch


def piece(*, x):
    if x < 0:
        raise ValueError(f"{x} is negative")
    return pd.DataFrame({"x": [x], "threads": torch.get_num_threads(), "process": os.getpid()})
"""


@pytest.fixture
def piece(tmp_path, monkeypatch):
    """Work that other processes can import."""
    (tmp_path / "piece_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    import piece_work

    return piece_work.piece


def test_pieces_made_side_by_side_come_in_the_order_of_the_jobs(piece, tmp_path):
    with side_by_side(2):
        frame, seconds = run_pieces(piece, jobs(), folder=tmp_path / "kept")
    assert frame["x"].tolist() == [1, 2, 3, 4]
    assert set(frame["threads"]) == {1}
    assert os.getpid() not in set(frame["process"])
    assert frame["process"].nunique() == 2
    again = run_pieces(piece, jobs(), folder=tmp_path / "kept")
    pd.testing.assert_frame_equal(again.frame, frame)
    assert again.seconds == pytest.approx(seconds)


def test_a_piece_that_fails_beside_others_says_why_and_they_are_kept(piece, tmp_path):
    with side_by_side(2), pytest.raises(ValueError, match="-1 is negative"):
        run_pieces(piece, [{"x": 1}, {"x": 2}, {"x": -1}], folder=tmp_path / "kept")
    assert len(list((tmp_path / "kept").glob("*.csv"))) == 2


def test_no_worker_is_refused():
    with pytest.raises(ValueError, match="workers is 0"), side_by_side(0):
        pass
