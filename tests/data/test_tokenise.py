"""Documents to token files: the bytes, stopping and going on, and what is refused."""

import errno
import json
import os

import numpy as np
import pytest

from specmup.data.token_files import token_files
from specmup.data.tokenise import write_tokens

END, V = 300, 301
TEXTS = [f"document {i} " * (1 + i % 5) for i in range(25)]


def encode(texts):
    """A token a byte."""
    return [list(text.encode()) for text in texts]


def written(path, texts=TEXTS, encode=encode, **options):
    told = {"end": END, "vocabulary": V, "source": {"name": "tiny"}, "at_once": 4} | options
    return write_tokens(texts, path, encode, **told)


def expected(texts=TEXTS):
    return [id for text in texts for id in (*text.encode(), END)]


class Stopped(Exception):
    pass


def stopping(after):
    """An encoder that is stopped at its call number ``after``, half of it done."""
    calls = []

    def stopped(texts):
        calls.append(texts)
        if len(calls) > after:
            raise Stopped
        return encode(texts)

    return stopped, calls


def test_every_document_is_there_with_its_end(tmp_path):
    path = tmp_path / "train.bin"
    assert written(path) == len(expected())
    assert path.read_bytes() == np.array(expected(), "<u2").tobytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["train.bin", "train.bin.json"]
    note = json.loads((tmp_path / "train.bin.json").read_text())
    assert note == {"source": {"name": "tiny"}, "documents": 25, "tokens": len(expected())}
    text = token_files(path, path, vocabulary=V, context=16)
    assert text.train.tolist() == expected()


def test_no_more_documents_are_read_than_are_written_at_once(tmp_path):
    class Watched(list):
        def __getitem__(self, some):
            assert isinstance(some, slice) and some.stop - some.start == 4
            return super().__getitem__(some)

        def __iter__(self):
            raise AssertionError("all documents were asked for")

    assert written(tmp_path / "train.bin", Watched(TEXTS)) == len(expected())


@pytest.mark.parametrize("left_over", [b"", b"half of a batch that was never noted"])
def test_a_stopped_file_is_gone_on_with_to_the_same_bytes(tmp_path, left_over):
    path = tmp_path / "train.bin"
    stopped, _ = stopping(after=3)
    with pytest.raises(Stopped):
        written(path, encode=stopped)
    assert not path.exists()
    with (tmp_path / "train.bin.partial").open("ab") as file:
        file.write(left_over)
    going_on, calls = stopping(after=99)
    written(path, encode=going_on)
    assert [text for texts in calls for text in texts] == TEXTS[12:]
    assert path.read_bytes() == np.array(expected(), "<u2").tobytes()


def test_a_whole_file_is_left_as_it_is(tmp_path):
    path = tmp_path / "train.bin"
    written(path)
    before = path.stat().st_mtime_ns
    assert written(path, encode=None) == len(expected())  # calling it would fail
    assert path.stat().st_mtime_ns == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["train.bin", "train.bin.json"]


def test_what_comes_from_elsewhere_is_refused(tmp_path):
    path = tmp_path / "train.bin"
    path.write_bytes(b"somebody's")
    with pytest.raises(ValueError, match="is there and not from here: name another folder"):
        written(path)
    assert path.read_bytes() == b"somebody's"
    path.unlink()
    stopped, _ = stopping(after=2)
    with pytest.raises(Stopped):
        written(path, encode=stopped)
    with pytest.raises(ValueError, match=r"of another source, \{'name': 'tiny'\}"):
        written(path, source={"name": "other"})
    (tmp_path / "train.bin.partial").write_bytes(b"cut off")
    with pytest.raises(ValueError, match="has 7 bytes, fewer than the"):
        written(path)
    (tmp_path / "train.bin.json").write_text("half")
    with pytest.raises(ValueError, match=r"train\.bin\.json is damaged: delete it"):
        written(path)
    (tmp_path / "train.bin.json").unlink()
    assert written(path) == len(expected())


def test_two_writers_of_one_file(tmp_path):
    path = tmp_path / "train.bin"
    seen = []

    def beside(texts):
        with pytest.raises(ValueError, match="another process is writing"):
            written(path)
        seen.append(texts)
        return encode(texts)

    written(path, encode=beside)
    assert len(seen) == 7


def test_a_full_disk_is_told_and_gone_on_from(tmp_path, monkeypatch):
    path, calls = tmp_path / "train.bin", []
    fsync = os.fsync

    def full(number):
        calls.append(number)
        if len(calls) > 6:  # three for each batch: the tokens, the note, and the note's name
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(number)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ValueError, match=r"no space left for .*train\.bin: free some"):
        written(path)
    monkeypatch.undo()
    going_on, calls = stopping(after=99)
    written(path, encode=going_on)
    assert len(calls) == 5
    assert path.read_bytes() == np.array(expected(), "<u2").tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocabulary": 300}, "gave the id 300, beyond a vocabulary of 300"),
        ({"vocabulary": 70_000}, "a vocabulary of 70000 does not fit tokens of two bytes"),
        ({"texts": []}, "there are no documents"),
    ],
)
def test_what_cannot_be_written(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        written(tmp_path / "train.bin", **options)
    assert not (tmp_path / "train.bin").exists()


def test_other_trouble_is_not_taken_for_a_full_disk(tmp_path):
    with pytest.raises(FileNotFoundError):
        written(tmp_path / "missing" / "train.bin")
