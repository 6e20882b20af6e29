"""No link is followed and no pipe waited for, under whatever name of ours it was laid."""

import os

import numpy as np
import pytest

from specmup.data import text, tokenise
from specmup.runs.files import NotAFile, left_behind, opened, replacing
from specmup.runs.job import Job, Record
from specmup.runs.store import RunError, Store
from specmup.training.checkpoint import Checkpoint

JOB = Job("tests.task", 1, {"width": 8})
RECORD = Record(JOB, {"seconds": 0.1}, {"device": "cpu"})


def lay(kind: str, path, target) -> None:
    """What somebody else puts where a file of ours is looked for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "link to a device" else target)


KINDS = ("link", "link to a device", "pipe", "folder")
laid = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def target(tmp_path):
    """A file of the user's that must stay as it is."""
    path = tmp_path / "elsewhere"
    path.write_text("mine")
    yield path
    assert path.read_text() == "mine"


@laid
def test_what_is_no_file_is_not_opened(kind, tmp_path, target):
    lay(kind, tmp_path / "x", target)
    for mode in ("rb", "ab"):
        with pytest.raises(NotAFile):
            opened(tmp_path / "x", mode)


@laid
def test_a_record_is_read_from_a_file_only(kind, tmp_path, target):
    store = Store(tmp_path / "store")
    path = store.runs / f"{JOB.identity}.json"
    lay(kind, path, target)
    kept = store.read()
    assert (kept.records, list(kept.corrupt)) == ({}, [path])
    store.since_last()
    with store.locked():
        store.set_aside(path)
        store.write(RECORD)
        assert store.read().records == {JOB.identity: RECORD}


@pytest.mark.parametrize("kind", ["link", "link to a device"])
@pytest.mark.parametrize("name", ["holder", "reserve", f"runs/{JOB.identity}.json"])
def test_a_link_is_replaced_by_what_is_written(kind, name, tmp_path, target):
    store = Store(tmp_path / "store")
    lay(kind, store.folder / name, target)
    with store.locked():
        store.write(RECORD)
        assert not (store.folder / name).is_symlink()


@pytest.mark.parametrize("name", ["runs", "checkpoints", "failed", "lock"])
def test_a_store_is_not_led_out_of_its_folder(name, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    store = Store(tmp_path / "store")
    lay("link", store.folder / name, outside)
    with pytest.raises(RunError, match="is a link"), store.locked():
        raise AssertionError("it was held")
    assert not list(outside.iterdir())


def test_a_holder_s_number_is_a_number(tmp_path):
    store = Store(tmp_path)
    for told in ("\x1b[31m1", "../x", "", "7 "):
        (tmp_path / "holder").write_text(told)
        assert store._last_holder() == "unknown"


def test_no_name_that_can_be_foreseen_is_written_through(tmp_path, target):
    path = tmp_path / "x.json"
    (tmp_path / f".x.json.{os.getpid()}").symlink_to(target)
    path.symlink_to(target)
    with replacing(path) as file:
        file.write(b"new")
    assert not path.is_symlink() and path.read_bytes() == b"new"


def test_what_a_killed_writer_left_is_cleared_by_the_next_holder_and_nothing_else(tmp_path):
    store = Store(tmp_path)
    written = {"": "holder", "runs": "abc.json", "checkpoints": "abc.pt", "failed": "abc.txt"}
    others = (".hidden", ".coverage.host.1234.567890", ".backup.2024", ".notes.1", "abc")
    others += (".abc.md.123-0a1b2c3d", ".holder.123", ".abc.json.123-0a1b", ".tmp.12-0a1b2c3d")
    for folder, name in written.items():
        (tmp_path / folder).mkdir(exist_ok=True)
        for own in (f".{name}.123-0a1b2c3d", *others):
            (tmp_path / folder / own).write_text("")
        assert [path.name for path in left_behind(tmp_path / folder, name)] == [
            f".{name}.123-0a1b2c3d"
        ]
    with store.locked():
        for folder, name in written.items():
            assert not list(left_behind(tmp_path / folder, name))
            assert all((tmp_path / folder / other).exists() for other in others)


@laid
def test_a_checkpoint_is_read_from_a_file_only(kind, tmp_path, target):
    checkpoint = Checkpoint(tmp_path / "c.pt", 1)
    lay(kind, checkpoint.path, target)
    with pytest.warns(UserWarning, match="NotAFile"):
        assert checkpoint.read({"seed": 0}) is None
    checkpoint.write({"step": 1}, {"seed": 0})
    assert checkpoint.read({"seed": 0}) == {"step": 1}


@laid
def test_kept_tokens_are_read_from_a_file_only(kind, tmp_path, target):
    path = tmp_path / "kept.npz"
    lay(kind, path, target)
    assert text._read_kept(path, 16) is None
    if kind != "folder":
        tokens = np.arange(8, dtype=np.uint16)
        text._keep(path, tokens, tokens)
        assert text._read_kept(path, 16)[0].tolist() == list(range(8))
        assert text._read_kept(path, 7) is None  # an id beyond the vocabulary


@pytest.mark.parametrize("array", [np.arange(3.0), np.zeros((2, 2), np.uint16), np.uint16([])])
def test_kept_tokens_of_another_shape_are_made_anew(array, tmp_path):
    text._keep(tmp_path / "kept.npz", array, array)
    assert text._read_kept(tmp_path / "kept.npz", 16) is None


@laid
@pytest.mark.parametrize("suffix", [".json", ".partial", ".lock"])
def test_a_file_of_tokens_is_written_beside_files_only(kind, suffix, tmp_path, target):
    lay(kind, tmp_path / f"train.bin{suffix}", target)
    with pytest.raises(ValueError):
        tokenise.write_tokens(
            ["ab"], tmp_path / "train.bin", lambda t: [[1, 2]], end=0, vocabulary=4, source={}
        )
