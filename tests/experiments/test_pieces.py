"""Experiments in pieces: finished pieces are kept, and only the rest is run again."""

import pandas as pd
import pytest

from specmup.experiments.pieces import run_pieces

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
