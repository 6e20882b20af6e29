import hashlib
import json
from math import inf, isinf
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.reading.published import BASE, NAME, published, table
from specmup.analysis.transfer import transfer
from specmup.models.gpt import NORMALISATIONS
from specmup.runs.results import book_folder
from specmup.theory.update import LAWS

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "book" / "data"
# Of the cells as they were read from the paper: a manifest that was made anew hides no change.
PINNED = "4b95af2bb2582abfb2935a906c225a4d3ff8d0f4ba5b639ed067cf3c7bb7f3fe"


@pytest.fixture(scope="module")
def frame():
    return published(DATA)


def copy_of_the_data(folder, change=lambda text: text):
    """The data after a change of their text, with a manifest that describes them."""
    content = change((DATA / f"{NAME}.csv").read_text()).encode()
    manifest = json.loads((DATA / f"{NAME}.json").read_text())
    manifest["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / f"{NAME}.csv").write_bytes(content)
    (folder / f"{NAME}.json").write_text(json.dumps(manifest))
    return folder


def test_the_file_is_the_one_that_its_manifest_describes():
    manifest = json.loads((DATA / f"{NAME}.json").read_text())
    content = (DATA / f"{NAME}.csv").read_bytes()
    assert hashlib.sha256(content).hexdigest() == manifest["sha256"] == PINNED
    assert content.count(b"\n") == manifest["rows"] + 1 == 913
    assert set(manifest["meaning"]) == set(manifest["columns"])


def test_every_table_is_a_complete_grid_of_one_sweep(frame):
    assert frame.table.unique().tolist() == list(range(15, 41))
    assert not frame.isna().any().any()
    assert set(frame.optimizer) <= set(LAWS)
    assert set(frame.normalisation) == set(NORMALISATIONS)
    for _, rows in frame.groupby("table"):
        assert len(rows) == rows["size"].nunique() * rows.log2_value.nunique()
        for column in ("optimizer", "rule", "axis", "normalisation", "tuned"):
            assert rows[column].nunique() == 1
        assert np.all(np.diff(sorted(rows.log2_value.unique())) == 1)


def test_cells_stand_where_the_paper_has_them(frame):
    cells = frame.set_index(["table", "size", "log2_value"]).loss
    assert cells[15, 4096, -7] == 5.557
    assert cells[21, 4, -7] == 345.85
    assert cells[40, 256, -9] == 6.009


def test_nan_is_read_as_divergence_and_huge_losses_stay(frame):
    assert np.isinf(frame.loss).sum() == 6
    assert set(frame[np.isinf(frame.loss)].table) == {20, 21}
    assert (frame.loss[np.isfinite(frame.loss)] > np.log(50257)).sum() == 6


def test_nan_below_the_best_value_is_a_gap_and_refused(tmp_path):
    copy_of_the_data(tmp_path, lambda text: text.replace("lr,128,-10,5.127", "lr,128,-10,nan"))
    with pytest.raises(ValueError, match=r"Table 15, size 128 has nan at log2 value -10.*-6"):
        published(tmp_path)


def test_an_altered_file_is_refused(tmp_path):
    copy_of_the_data(tmp_path)
    assert len(published(tmp_path)) == 912
    csv = tmp_path / f"{NAME}.csv"
    csv.write_bytes(csv.read_bytes().replace(b"5.127", b"4.127"))
    with pytest.raises(ValueError, match="is not the file"):
        published(tmp_path)


@pytest.mark.parametrize("number", [15, 22, 40])
def test_a_table_goes_through_transfer(frame, number):
    rows = table(frame, number)
    axis = "width" if rows.width.nunique() > 1 else "depth"
    found = transfer(rows, axis, base=BASE[axis])
    curves = rows.pivot(index=axis, columns="log2_lr", values="loss")
    tuned, largest = curves.loc[BASE[axis]].idxmin(), curves.iloc[-1]
    assert found.carried_log2_lr == tuned
    assert found.regret.estimate == pytest.approx(largest[tuned] - largest.min())
    assert isinf(found.drift.high)  # one seed has no interval
    assert "one seed" in found.report()


def test_the_size_that_does_not_vary_is_the_base(frame):
    assert set(table(frame, 16).depth) == {4}
    assert set(table(frame, 18).width) == {256}


def test_a_table_that_does_not_exist_is_named(frame):
    with pytest.raises(ValueError, match="no table 14; there are 15 to 40"):
        table(frame, 14)


def test_the_data_are_found_from_the_chapters(frame, tmp_path, monkeypatch):
    monkeypatch.setenv("SPECMUP_RESULTS", str(tmp_path))  # concerns our results, not these
    monkeypatch.chdir(ROOT / "chapters")
    assert book_folder() == ROOT
    pd.testing.assert_frame_equal(published(), frame)
    assert published().loss.max() == inf
