"""The execution cache notices an edit to what a chapter computes with, and to nothing else."""

from pathlib import Path

import pytest
from build_book import build
from fresh_execution import DECIDING, fingerprint, records_name

from experiments.reading.claims import JUDGE
from specmup.runs.results import FOLDER_VARIABLE
from specmup.streams import VARIABLE

COUNTED = {
    "specmup/value.py": "first",
    "specmup/theory/deep.py": "x = 1",
    "book/data/published.csv": "a,b",
    "book/results/sweep.csv": "a,b",
    "book/results/sweep.json": "{}",
    "book/sweeps/sweep.toml": "steps = 1",
    "requirements.txt": "torch==1",
}
UNCOUNTED = {
    "README.md": "read me",
    "tests/test_value.py": "pass",
    "specmup/__pycache__/value.pyc": "bytes",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, content in (COUNTED | UNCOUNTED).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


@pytest.mark.parametrize("name", COUNTED)
def test_an_edit_changes_the_fingerprint(tree: Path, name: str):
    before = fingerprint(tree)
    (tree / name).write_text("edited")
    assert fingerprint(tree) != before


@pytest.mark.parametrize("name", COUNTED)
def test_a_removal_and_a_new_name_change_the_fingerprint(tree: Path, name: str):
    before = fingerprint(tree)
    path = tree / name
    if name != "requirements.txt":
        path.rename(path.with_name("renamed"))
        assert fingerprint(tree) != before
        path.with_name("renamed").unlink()
    else:
        path.unlink()
    assert fingerprint(tree) != before


@pytest.mark.parametrize("name", UNCOUNTED)
def test_other_files_do_not_matter(tree: Path, name: str):
    before = fingerprint(tree)
    (tree / name).write_text("edited")
    assert fingerprint(tree) == before


def test_a_rebuild_shows_edited_code_and_repeats_nothing_else(small_book, monkeypatch):
    small_book.add_page(
        "book/page",
        "# Page",
        small_book.note("ran"),
        "> print('shown: ' + open('../specmup/value.py').read())",
    )
    page = small_book.root / "_build" / "html" / "book" / "page.html"

    assert build(small_book.root) == 0
    assert "shown: first" in page.read_text()
    small_book.write("README.md", "edited")
    assert build(small_book.root) == 0
    assert "shown: first" in page.read_text()
    assert small_book.runs() == ["ran"]

    small_book.write("specmup/value.py", "second")
    assert build(small_book.root) == 0
    assert "shown: second" in page.read_text()
    assert small_book.runs() == ["ran", "ran"]

    monkeypatch.setenv(JUDGE, "1")
    assert build(small_book.root) == 0
    assert small_book.runs() == ["ran", "ran", "ran"]


def test_what_passed_with_one_instruction_set_has_not_passed_with_another(tree: Path, monkeypatch):
    before = records_name(tree)
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    assert records_name(tree) != before
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    assert len({before, records_name(tree)}) == 2


@pytest.mark.parametrize("name", [VARIABLE, FOLDER_VARIABLE, JUDGE])
def test_what_passed_with_a_variable_that_decides_results_has_not_passed_without(
    tree: Path, monkeypatch, name
):
    assert name in DECIDING
    monkeypatch.delenv(name, raising=False)
    before = records_name(tree)
    monkeypatch.setenv(name, "shared")
    assert records_name(tree) != before


def test_results_elsewhere_count_with_their_content(tree: Path, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setenv(FOLDER_VARIABLE, str(other))
    before = records_name(tree)
    (other / "sweep.csv").write_text("a,b")
    assert records_name(tree) != before
