"""Words that others chose, such as names of parameters: shown as they are, never obeyed.

So are the errors that their code raises: told in one line, with what was being done.

A name may hold anything. What a terminal, Markdown or a figure would take for a command is written
so that it is read. HTML has :func:`html.escape`, rich a ``Text``; LaTeX gets no foreign word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# What may begin something in some Markdown; an underscore does so at the edge of a word.
MARKS = re.compile(r"[\\`*\[\]{}<>&|$~#!^@]|(?<![^\W_])_|_(?![^\W_])")
SPECIAL_IN_CODE = re.compile(r"[\\`|]")  # as a table takes it apart


def printable(text: str) -> str:
    r"""On one line, without what moves a cursor, colours, or turns the direction of writing.

    Such characters are written as Python writes them: ``\\x1b``, ``\\n``, ``\\u202e``.
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def in_one_line(problem: Exception, most: int = 200) -> str:
    """The class of an error of others and what it says, cut where that is longer than ``most``.

    It may say words of others, such as a key of theirs: :func:`printable`.
    """
    return f"{type(problem).__name__}: {printable(' '.join(str(problem).split()))[:most]}"


@contextmanager
def refusing(
    what: str, remedy: str = "", *, passing: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Tell whatever code of others raises as one line, its own error in brackets.

    Args:
        what: What fails, with its values, as ``my.py:build makes no model of width=64``.
        remedy: What to do.
        passing: Errors that go through as they are.

    Raises:
        ValueError: If the code within raises anything else.
    """
    try:
        yield
    except passing:
        raise
    except Exception as problem:  # of any kind: the code is not ours
        remedy = f": {remedy}" if remedy else ""
        raise ValueError(f"{what} ({in_one_line(problem)}){remedy}") from problem


def named_sizes(sizes: Mapping[str, object]) -> str:
    """Sizes as they are given by name: ``width=64, depth=2``."""
    return ", ".join(f"{name}={size}" for name, size in sizes.items())


def in_markdown(text: str) -> str:
    """As plain words of Markdown, in a table too."""
    # An address would become a link, and so would what begins with www.
    text = MARKS.sub(r"\\\g<0>", printable(text))
    return re.sub(r"(?i)(https?|ftp|mailto|xmpp)(:)|\b(www)(\.)", r"\1\3\\\2\4", text)


def code_in_markdown(text: str) -> str:
    """As code in a table of Markdown; in plain words where a table would take it apart."""
    text = printable(text)
    return in_markdown(text) if SPECIAL_IN_CODE.search(text) else f"`{text}`"


def in_figure(text: str) -> str:
    """As words of a figure, of which matplotlib takes none for mathematics."""
    return printable(text).replace("$", r"\$")
