"""The book's pages that hold code, read as the book builder reads them.

The builder looks an executed page up by its code cells, so what is executed beforehand must be cut
into cells in exactly its way: its own reader, given its own settings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jupyter_book.config import get_final_config
from markdown_it import MarkdownIt
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from nbformat import NotebookNode
from sphinx_external_toc.parsing import parse_toc_yaml


@dataclass(frozen=True)
class Settings:
    """What ``_config.yml`` says about reading and executing pages."""

    reading: MdParserConfig
    seconds_per_cell: int

    @classmethod
    def of(cls, root: Path) -> Settings:
        """The settings of the book in a folder."""
        configuration, _ = get_final_config(
            user_yaml=root / "_config.yml",
            cli_config={"latex_individualpages": False},
            sourcedir=root,
        )
        names = {f"myst_{name}": name for name, _, _ in MdParserConfig().as_triple()}
        reading = {names[key]: configuration[key] for key in names.keys() & configuration.keys()}
        return cls(MdParserConfig(**reading), configuration["nb_execution_timeout"])


@dataclass(frozen=True)
class Place:
    """Where a code cell stands, for a reader.

    Attributes:
        number: Its number among the page's code cells, from 1: Jupyter's ``In [number]``.
        section: The nearest heading above it, or the page's title.
        line: The line of the page's file on which its code begins, from 1.
        source: Its code.
    """

    number: int
    section: str
    line: int
    source: str


@dataclass(frozen=True)
class Page:
    """One page with code, as its file reads now.

    Attributes:
        name: The path from the book's root without the ending: ``chapters/08-phases``.
        path: The file.
        text: What the file holds.
        notebook: The same as cells, none of them executed.
    """

    name: str
    path: Path
    text: str
    notebook: NotebookNode

    @cached_property
    def title(self) -> str:
        """The first heading."""
        found = (title for cell in self.notebook.cells for title in headings(cell))
        return next(found, self.name)

    @cached_property
    def places(self) -> dict[int, Place]:
        """Where each code cell stands, by its index among all cells."""
        places: dict[int, Place] = {}
        section = self.title
        for index, cell in enumerate(self.notebook.cells):
            section = [section, *headings(cell)][-1]
            if cell.cell_type == "code":
                fence = self.notebook.metadata["source_map"][index]
                line = self._first_line(cell.source, fence)
                places[index] = Place(len(places) + 1, section, line, cell.source)
        return places

    def _first_line(self, source: str, fence: int) -> int:
        """Line on which a cell's code begins; its fence and the options below come before it."""
        lines, code = self.text.splitlines(), source.splitlines()
        starts = range(fence, len(lines) - len(code) + 1)
        return next((at + 1 for at in starts if lines[at : at + len(code)] == code), fence)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells of a notebook, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def headings(cell: NotebookNode) -> list[str]:
    """The headings in a cell of text, in order."""
    if cell.cell_type != "markdown":
        return []
    tokens = MarkdownIt().parse(cell.source)
    return [tokens[i + 1].content for i, t in enumerate(tokens) if t.type == "heading_open"]


def read_page(path: Path, root: Path, settings: Settings) -> Page | None:
    """Read one file; None where it holds no code cells.

    Args:
        path: The ``.md`` file.
        root: The book's folder, which the page's name starts from.
        settings: The book's settings.
    """
    text = path.read_text(encoding="utf8")
    if not is_myst_markdown_notebook(text):
        return None
    notebook = read_myst_markdown_notebook(
        text, config=settings.reading, add_source_map=True, path=path
    )
    name = path.relative_to(root).with_suffix("").as_posix()
    return Page(name, path, text, notebook)


def read_pages(paths: Iterable[Path], root: Path, settings: Settings) -> list[Page]:
    """Read those of the files that hold code cells, each once, in order."""
    pages = (read_page(path, root, settings) for path in dict.fromkeys(paths))
    return [page for page in pages if page is not None]


def listed(root: Path) -> list[Path]:
    """The files that ``_toc.yml`` makes pages of the book, in its order."""
    return [root / f"{name}.md" for name in parse_toc_yaml(root / "_toc.yml")]


def chapters(root: Path) -> list[Path]:
    """Every chapter's source, also of those that ``_toc.yml`` does not list yet."""
    return sorted((root / "chapters").glob("*.md"))


def sources(root: Path) -> list[Path]:
    """Every chapter's source, then those of the book's other pages."""
    return list(dict.fromkeys([*chapters(root), *listed(root)]))


def chosen(paths: list[Path], beginnings: list[str]) -> list[Path]:
    """Those of the files whose names begin as asked; all of them where nothing is asked.

    Raises:
        SystemExit: If one of the beginnings fits no file.
    """
    for beginning in beginnings:
        if not any(path.name.startswith(beginning) for path in paths):
            raise SystemExit(f"no page's file name begins with {beginning}")
    return [path for path in paths if path.name.startswith(tuple(beginnings or [""]))]
