"""A small book of one's own, for tests that build and break it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from execute_chapters import EXECUTED, execute
from outcomes import Outcome
from pages import Page, Settings, listed, read_pages
from records import Records

ROOT = Path(__file__).resolve().parents[2]
EXTENSIONS = ("claims_page", "fresh_execution", "worded_status")

# As experiments.reading.claims leaves one, without what that takes to be imported.
CLAIM = """> import os
from IPython.display import publish_display_data

value = {value}
held = value < 1
if not held and "SPECMUP_JUDGE" not in os.environ:
    raise AssertionError("it fell")
said = {{"name": "{name}", "sentence": "It is.", "criterion": "below 1", "source": "stored"}}
said |= {{"value": str(value), "verdict": "held" if held else "fell"}}
publish_display_data({{"text/plain": "said"}}, metadata={{"claim": said}})
"""
HEAD = """\
---
jupytext:
  formats: md:myst,ipynb
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

"""


class SmallBook:
    """A folder with a book's configuration, inputs and pages."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names: list[str] = []
        # The book's own settings, less what would need the rest of its files.
        configuration = yaml.safe_load((ROOT / "_config.yml").read_text())
        folder = str(ROOT / "book" / "_ext")
        configuration["sphinx"] = {"local_extensions": dict.fromkeys(EXTENSIONS, folder)}
        self.write("_config.yml", yaml.safe_dump(configuration))
        self.write("specmup/value.py", "first")
        self.write("requirements.txt", "torch==1")

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def add_page(self, name: str, *parts: str) -> Path:
        """Add a page of text and of code, which is what begins with ``>``, and list it."""
        fenced = [
            f"```{{code-cell}} ipython3\n{part[1:].strip()}\n```" if part[0] == ">" else part
            for part in parts
        ]
        if name not in self.names:
            self.names.append(name)
        toc = {"format": "jb-book", "root": self.names[0]}
        if more := [{"file": name} for name in self.names[1:]]:
            toc["chapters"] = more
        self.write("_toc.yml", yaml.safe_dump(toc))
        return self.write(f"{name}.md", HEAD + "\n\n".join(fenced) + "\n")

    def read(self) -> list[Page]:
        """Its pages with code."""
        return read_pages(listed(self.root), self.root, Settings.of(self.root))

    def execute(self, **options: Any) -> list[Outcome]:
        """Execute it, without a word."""
        records = Records(self.root / EXECUTED, self.root)
        given = {"seconds_per_cell": 600, "report": lambda *_: None, "records": records}
        return execute(self.read(), **(given | options))

    @staticmethod
    def claim(name: str, value: object) -> str:
        """A cell that claims that a value, or what an expression gives, is below one."""
        return CLAIM.format(name=name, value=value)

    @staticmethod
    def note(word: str) -> str:
        """A cell that leaves a word every time that it runs."""
        return f"> with open('../runs.log', 'a') as log:\n    print({word!r}, file=log)"

    def runs(self) -> list[str]:
        """The words that cells left."""
        log = self.root / "runs.log"
        return log.read_text().split() if log.exists() else []


@pytest.fixture(scope="session")
def begin_book() -> type[SmallBook]:
    """Begins a small book in a folder, for fixtures that many tests share."""
    return SmallBook


@pytest.fixture
def small_book(tmp_path: Path) -> SmallBook:
    return SmallBook(tmp_path / "a book of one's own")
