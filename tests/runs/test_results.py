import hashlib
import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
from contextlib import nullcontext
from datetime import datetime, timedelta
from math import inf, nan
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from specmup.runs import manifest, results
from specmup.runs.results import load, results_folder, save
from specmup.streams import SHARED, VARIABLE, drawn_from

RUNS = pd.DataFrame(
    {
        "rule": ["sp", "sp", "k2", "none"],
        "depth": [4, 8, 4, 8],
        "log2_lr": [-6.0, -6.5, -6.0, -6.5],
        "seed": [0, 0, 0, 0],
        "loss": [0.1, inf, 1 / 3, 1e-300],
        "fused": [True, False, True, True],
    }
)


def store(folder, frame=RUNS, name="digits-depth", **changes):
    given = {"scale": "quick", "configuration": {"steps": 150}, "wall_seconds": 12.34} | changes
    return save(frame, name, folder=folder, **given)


def test_round_trip(tmp_path):
    store(tmp_path)
    frame, manifest = load("digits-depth", tmp_path)
    assert_frame_equal(frame, RUNS, check_exact=True)
    assert manifest["scale"] == "quick"
    assert manifest["configuration"] == {"steps": 150}
    assert manifest["wall_seconds"] == 12.3


columns = st.one_of(
    st.lists(st.floats(allow_nan=True), min_size=3, max_size=3),
    st.lists(st.integers(-(2**62), 2**62), min_size=3, max_size=3),
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0\r")), min_size=3, max_size=3
    ),
)


@given(data=st.lists(columns, min_size=1, max_size=4))
def test_every_value_and_type_round_trips(data):
    frame = pd.DataFrame({f"column {i}": values for i, values in enumerate(data)})
    with TemporaryDirectory() as folder:
        store(Path(folder), frame)
        assert_frame_equal(load("digits-depth", Path(folder)).frame, frame, check_exact=True)


def test_the_same_frame_gives_the_same_bytes_and_nothing_is_left_behind(tmp_path):
    first = store(tmp_path).read_bytes()
    filtered = pd.concat([RUNS, RUNS]).iloc[4:]  # another index, the same rows
    assert store(tmp_path, filtered).read_bytes() == first
    assert b"inf" in first
    assert {p.name for p in tmp_path.iterdir()} == {"digits-depth.csv", "digits-depth.json"}


def save_often(folder: Path, seed: int, times: int) -> None:
    for _ in range(times):
        store(folder, RUNS.assign(seed=seed), configuration={"seed": seed})


@pytest.mark.skipif(sys.platform == "win32", reason="no folder is locked there")
def test_two_who_save_one_table_take_turns(tmp_path):
    """Neither deletes what the other is writing, and the two files are of one of them."""
    context = multiprocessing.get_context("fork")
    savers = [context.Process(target=save_often, args=(tmp_path, seed, 60)) for seed in (1, 2)]
    for saver in savers:
        saver.start()
    for saver in savers:
        saver.join()
    assert [saver.exitcode for saver in savers] == [0, 0]
    frame, manifest = load("digits-depth", tmp_path)
    assert set(frame["seed"]) == {manifest["configuration"]["seed"]}
    assert len(list(tmp_path.iterdir())) == 2


def test_what_one_that_was_killed_left_is_cleared_where_nobody_is_writing(tmp_path, monkeypatch):
    for name in (".digits-depth.csv.1-0a1b2c3d", ".digits-depth.json.1-0a1b2c3d"):
        (tmp_path / name).write_text("")
    (tmp_path / ".other.csv.1-0a1b2c3d").write_text("")
    with monkeypatch.context() as patched:
        patched.setattr(results, "alone_in", lambda folder: nullcontext(False))
        store(tmp_path)
    assert len(list(tmp_path.iterdir())) == 5
    store(tmp_path)
    assert {p.name for p in tmp_path.glob(".*")} == {".other.csv.1-0a1b2c3d"}


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = store(tmp_path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        store(tmp_path, RUNS[:2])
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_the_commit_says_whether_it_holds_the_code(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "PACKAGE", tmp_path / "specmup")
    assert manifest.commit() == "unknown"  # no folder, let alone a repository
    for name in ("specmup/__init__.py", "book/experiments/old.py", "book/sweeps/small.toml"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("")
    assert manifest.commit() == "unknown"
    for words in ("init -q", "add -A", "-c user.name=a -c user.email=a@b commit -q -m first"):
        subprocess.run(["git", *words.split()], cwd=tmp_path, check=True)
    held = manifest.commit()
    assert re.fullmatch("[0-9a-f]{40}", held)
    (tmp_path / "book" / "page.py").write_text("")  # decides no result
    (tmp_path / "book" / "experiments" / "notes.txt").write_text("")
    assert manifest.commit() == held
    for added in ("book/experiments/brand_new.py", "specmup/theory/brand_new.py"):
        (path := tmp_path / added).parent.mkdir(exist_ok=True)
        path.write_text("")
        assert manifest.commit() == f"{held} with changes"
        path.unlink()
    (tmp_path / "book" / "experiments" / "old.py").write_text("1")
    assert manifest.commit() == f"{held} with changes"


def test_the_manifest_says_where_the_numbers_come_from_and_no_more(tmp_path):
    store(tmp_path, scale="reference", configuration={"widths": (64, np.int64(128)), "lr": None})
    manifest = load("digits-depth", tmp_path).manifest
    assert manifest["configuration"] == {"widths": [64, 128], "lr": None}
    assert manifest["machine"]["cores"] == os.cpu_count()
    assert manifest["machine"]["cpu"]
    assert manifest["machine"]["instruction_set"] == torch.backends.cpu.get_cpu_capability()
    assert manifest["machine"]["threads"] == torch.get_num_threads()
    assert re.match(r"[0-9a-f]{40}( with changes)?$|unknown$", manifest["commit"])
    assert manifest["versions"]["torch"]
    assert manifest["rows"] == 4
    text = (tmp_path / "digits-depth.json").read_text()
    assert str(tmp_path) not in text
    assert str(Path.home()) not in text
    assert not any(socket.gethostname() == value for value in manifest["machine"].values())


def test_the_manifest_says_which_streams_were_drawn_from(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    store(tmp_path)
    assert load("digits-depth", tmp_path).streams == "separate"
    with drawn_from(SHARED):
        store(tmp_path)
    assert load("digits-depth", tmp_path).streams == SHARED


@pytest.mark.parametrize("late", [timedelta(hours=20), timedelta(0), timedelta(days=-400)])
def test_a_clock_that_was_set_back_since_makes_no_result_unbelievable(tmp_path, monkeypatch, late):
    monkeypatch.setattr(manifest, "datetime", clock(late))
    store(tmp_path)
    assert len(load("digits-depth", tmp_path).frame) == 4


def test_what_would_not_be_loaded_again_is_not_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "datetime", clock(timedelta(days=-20000)))
    with pytest.raises(
        ValueError, match=r"would not be believed: date is '19.*nothing was written"
    ):
        store(tmp_path)
    with pytest.raises(ValueError, match="SEED is 5, and the table has seed 0"):
        store(tmp_path, configuration={"settings": {"constants": {"SEED": 5}}})
    assert not list(tmp_path.iterdir())


def clock(late: timedelta):
    """A clock that is so much ahead."""

    class Clock(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(zone) + late

    return Clock


def test_a_manifest_older_than_the_streams_was_of_the_shared_ones(tmp_path):
    path = store(tmp_path).with_suffix(".json")
    manifest = json.loads(path.read_text())
    del manifest["streams"]
    path.write_text(json.dumps(manifest))
    assert load("digits-depth", tmp_path).streams == SHARED


def test_the_description_names_the_scale(tmp_path):
    store(tmp_path, scale="reference", wall_seconds=3 * 3600)
    results = load("digits-depth", tmp_path)
    assert results.scale == "reference"
    assert "scale reference, 4 rows, 3.0 h on" in results.describe()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": "big"}, "quick, reference, gpu"),
        ({"wall_seconds": -1}, "wall_seconds"),
        ({"wall_seconds": nan}, "wall_seconds"),
        ({"name": "Digits depth"}, "hyphens"),
        ({"name": "../escape"}, "hyphens"),
        ({"configuration": {"data": "/home/somebody/data"}}, r"configuration\['data'\] is a path"),
        ({"configuration": {"data": ["C:\\data"]}}, r"\['data'\]\[0\] is a path"),
        ({"configuration": {"model": object()}}, "JSON"),
        ({"configuration": {"lr": inf}}, "JSON"),
        ({"frame": RUNS[:0]}, "at least one row"),
        ({"frame": RUNS.set_axis(["loss"] * 6, axis=1)}, "no column twice"),
        ({"frame": RUNS.assign(note=[None, "a", "b", "c"])}, "'note'"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_writes_nothing(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        store(tmp_path, **changes)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_missing_file_names_itself_and_what_there_is(tmp_path, suffix):
    store(tmp_path)
    store(tmp_path, name="other")
    (tmp_path / f"digits-depth.{suffix}").unlink()
    with pytest.raises(
        FileNotFoundError, match=rf"digits-depth.{suffix}.*other.*run the experiment"
    ):
        load("digits-depth", tmp_path)


def test_a_changed_table_is_corrupt(tmp_path):
    path = store(tmp_path)
    path.write_text(path.read_text().replace("0.1", "0.2"))
    with pytest.raises(ValueError, match=r"digits-depth.csv is not the file.*restore"):
        load("digits-depth", tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', "{}", '{"columns": {}}'])
def test_a_broken_manifest_is_corrupt(tmp_path, text):
    store(tmp_path)
    (tmp_path / "digits-depth.json").write_text(text)
    with pytest.raises(ValueError, match=r"digits-depth.json is not a manifest.*restore"):
        load("digits-depth", tmp_path)


def test_the_hash_is_of_the_table(tmp_path):
    path = store(tmp_path)
    manifest = json.loads(path.with_suffix(".json").read_text())
    assert manifest["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_folder_is_found_from_the_root_and_from_the_chapters(tmp_path, monkeypatch):
    monkeypatch.delenv("SPECMUP_RESULTS", raising=False)
    (tmp_path / "chapters").mkdir()
    monkeypatch.chdir(tmp_path / "chapters")
    with pytest.raises(FileNotFoundError, match=r"_config\.yml"):
        results_folder()
    (tmp_path / "_config.yml").touch()
    assert results_folder() == tmp_path / "book" / "results"
    monkeypatch.chdir(tmp_path)
    assert results_folder() == tmp_path / "book" / "results"
    save(RUNS, "a", scale="quick", configuration={}, wall_seconds=1)
    assert (tmp_path / "book" / "results" / "a.csv").is_file()
    monkeypatch.setenv("SPECMUP_RESULTS", str(tmp_path / "elsewhere"))
    assert results_folder() == tmp_path / "elsewhere"
