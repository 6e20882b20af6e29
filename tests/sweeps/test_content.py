"""Runs of two texts of one name are not mixed, and records from before texts were noted count."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from specmup.runs.job import Record
from specmup.runs.results import load
from specmup.runs.store import RunError, Store
from specmup.sweeps.collect import collect, frame_of
from specmup.sweeps.content import UNKNOWN, text_of_records
from specmup.sweeps.growth import requested_runs
from specmup.sweeps.run import Run
from specmup.sweeps.runner import run_sweep


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", Run)


def records(sweep, *texts):
    runs = requested_runs(sweep, {})
    origins = [{"device": "cpu"} | ({"text": text} if text else {}) for text in texts]
    result = {"loss": 1.0, "train_loss": 1.0, "diverged_at": -1, "seconds": 1.0}
    return [Record(run, result, origin) for run, origin in zip(runs, origins)]  # noqa: B905


def test_one_text_or_none_that_is_known(sweeps):
    sweep = sweeps.make()
    assert text_of_records([]) == text_of_records(records(sweep, None, None)) == UNKNOWN
    assert text_of_records(records(sweep, None), now="bb") == UNKNOWN
    assert text_of_records(records(sweep, "aa", None, "aa"), now="aa") == "aa"
    with pytest.raises(RunError, match="not trained on one text, but 2 on aa, 1 on bb"):
        text_of_records(records(sweep, "aa", "bb", "aa"))
    with pytest.raises(RunError, match="2 runs are kept of the text aa, and this one is bb"):
        text_of_records(records(sweep, "aa", None, "aa"), now="bb")


def test_a_store_takes_no_runs_of_another_text(sweeps, store, counting_text, tmp_path):
    sweep = sweeps.make(rules=["sp"], widths=[8])
    options = {"workers": 1, "make_pool": sweeps.Inline}
    run_sweep(sweep, store, text_folder=counting_text, **options)
    kept = store.read()
    (text,) = {record.origin["text"] for record in kept.records.values()}
    path = collect(sweep, kept, folder=tmp_path / "results")
    assert load(path.stem, path.parent).manifest["configuration"]["text_fingerprint"] == text
    other = tmp_path / "other"
    other.mkdir()
    for name in ("train.bin", "val.bin"):
        np.fromfile(counting_text / name, "<u2")[::-1].tofile(other / name)
    wider = sweeps.make(rules=["sp"], widths=[8, 16])
    with pytest.raises(RunError, match=f"3 runs are kept of the text {text}, and this one is"):
        run_sweep(wider, store, text_folder=other, **options)
    # Another sweep may share the folder, whatever its text.
    longer = sweeps.make({"steps": 7}, rules=["sp"], widths=[8])
    assert run_sweep(longer, store, text_folder=other, **options).finished == 3


def test_a_mixed_store_is_not_collected_and_an_old_one_is(sweeps, store, tmp_path):
    sweep = sweeps.make(rules=["sp"], widths=[8])
    with store.locked():
        for record in records(sweep, None, None, None):
            store.write(record)
    path = collect(sweep, store.read(), folder=tmp_path)
    manifest = json.loads(path.with_suffix(".json").read_text())
    assert manifest["configuration"]["text_fingerprint"] == UNKNOWN
    kept = store.read()
    mixed = {
        name: replace(record, origin={"text": name, **record.origin})
        for name, record in kept.records.items()
    }
    with pytest.raises(RunError, match="not trained on one text"):
        collect(sweep, replace(kept, records=mixed), folder=tmp_path)


@pytest.mark.parametrize(
    ("first", "second", "difference"),
    [
        ({"training": {"steps": 10}}, {"training": {"steps": 99}}, "training.steps (10, 99)"),
        ({}, {"model": {"qk_norm": True}}, "model.qk_norm (not given, True)"),
        ({}, {"model": {"bias": False}, "seeds": [1]}, "model.bias (not given, False)"),
        (
            {"model": {"bias": True}},
            {"training": {"steps": 9}, "log2_lr": [-2.0]},
            "model.bias (True, not given) and training.steps (6, 9)",
        ),
    ],
)
def test_a_curve_is_of_one_model_and_training(sweeps, first, second, difference):
    sweep = sweeps.make()
    grids = [replace(sweep.grid[0], **options) for options in (first, second)]
    for grid in grids:
        assert len(frame_of(records(replace(sweep, grid=[grid]), *[None] * 12))) > 3
    with pytest.raises(RunError, match=re.escape(f"runs that differ in {difference} would stand")):
        frame_of(records(replace(sweep, grid=grids), *[None] * 24))
    # Other rules, sizes and decays have curves of their own.
    grids[1] = replace(grids[1], weight_decay=[0.1])
    frame_of(records(replace(sweep, grid=grids), *[None] * 24))
