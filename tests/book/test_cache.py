"""The execution cache notices an edit to what a chapter computes with, and to nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fresh_execution import fingerprint

ROOT = Path(__file__).resolve().parents[2]

# One executed page: it shows what it read, and leaves one line for every time that it ran.
PAGE = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# Page

```{code-cell} ipython3
from pathlib import Path

with open("../runs.log", "a") as log:
    print("ran", file=log)
print("shown: " + Path("../specmup/value.py").read_text())
```
"""

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


def build(tree: Path) -> str:
    """Build the small book; return the text of its page."""
    command = [Path(sys.executable).with_name("jupyter-book"), "build", tree, "-W", "--keep-going"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return (tree / "_build" / "html" / "book" / "page.html").read_text()


def test_a_rebuild_shows_edited_code_and_repeats_nothing_else(tree: Path):
    configuration = yaml.safe_load((ROOT / "_config.yml").read_text())
    # The book's own settings, less what would need the rest of its files.
    configuration["sphinx"] = {"local_extensions": {"fresh_execution": str(ROOT / "book" / "_ext")}}
    (tree / "_config.yml").write_text(yaml.safe_dump(configuration))
    (tree / "_toc.yml").write_text("format: jb-book\nroot: book/page\n")
    (tree / "book" / "page.md").write_text(PAGE)
    runs = tree / "runs.log"

    assert "shown: first" in build(tree)
    (tree / "README.md").write_text("edited")
    assert "shown: first" in build(tree)
    assert runs.read_text().count("ran") == 1

    (tree / "specmup" / "value.py").write_text("second")
    assert "shown: second" in build(tree)
    assert runs.read_text().count("ran") == 2
