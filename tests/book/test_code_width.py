"""Code is at most as wide as a page shows it without cutting it off."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from pages import listed

ROOT = Path(__file__).resolve().parents[2]
WIDEST = 88  # characters: what a window of 1,280 pixels shows beside the two side bars
PRINTED = "text"  # what programs print is no code, and its lines wrap


def fences(text: str, first: int = 1) -> Iterator[tuple[str, list[str], int]]:
    """What each fence holds says to be, its lines, and the number of the first of these."""
    for token in MarkdownIt().parse(text):
        if token.type == "fence" and token.map:
            kind, start = token.info.strip(), first + token.map[0] + 1
            if kind.startswith("{") and not kind.startswith("{code-cell}"):
                yield from fences(token.content, start)
            else:
                yield kind, token.content.splitlines(), start


def code(lines: list[str]) -> Iterator[tuple[int, str]]:
    """The lines of a cell that are code, by their place in it; its options come first."""
    options = 0
    if lines[:1] == ["---"]:
        options = lines.index("---", 1) + 1
    while options < len(lines) and lines[options].startswith(":"):
        options += 1
    yield from enumerate(lines[options:], start=options)


def too_wide(text: str) -> list[str]:
    return [
        f"line {start + place} has {len(line)} characters"
        for kind, lines, start in fences(text)
        if kind != PRINTED
        for place, line in code(lines)
        if len(line) > WIDEST
    ]


@pytest.mark.parametrize("page", listed(ROOT), ids=lambda path: path.stem)
def test_no_line_of_code_is_cut_off(page: Path):
    assert too_wide(page.read_text()) == []


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("```{code-cell} ipython3\n:tags: [hide-input]", "```"),
        ("```{code-cell} ipython3\n---\ntags: [hide-input]\n---", "```"),
        ("```python", "```"),
        ("````{admonition} Try it\n```console", "```\n````"),
    ],
)
def test_a_wide_line_is_found(opening: str, closing: str):
    start = opening.count("\n") + 4
    page = f"Words.\n\n{opening}\nCODE\n{closing}\n"
    assert too_wide(page.replace("CODE", "x" * WIDEST)) == []
    assert too_wide(page.replace("CODE", "x" * (WIDEST + 1))) == [f"line {start} has 89 characters"]


def test_options_and_what_programs_print_may_be_wider():
    wide = "x" * 200
    assert too_wide(f"```{{code-cell}} ipython3\n:caption: {wide}\n1\n```\n") == []
    assert too_wide(f"```text\n{wide}\n```\n") == []
