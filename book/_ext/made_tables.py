"""Sphinx extension: tables get what Markdown has no sign for.

A table with a caption heads its rows by their first cell, one of the class ``stubs-N`` by N. Where
these repeat the row above, one cell stands for all; so does a head that neighbouring columns share,
which Markdown holds before a bar in each (``experiments.reading.tables`` makes both). Every head
says in its HTML whether it is of a row or of a column, or of several. In a table that would be
wider than the page, what follows the ± stands below the number, and long names may break.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from docutils import nodes
from page_html import rewrite_pages
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

STUBS = re.compile(r"stubs-(\d+)")
BAR = "¦"
OF_ROW = "rowhead"
CELL = re.compile(r"<t([dh])((?: [^>]*)?)>(.*?)</t\1>", re.DOTALL)
TABLE = re.compile(r'<table class="(?P<classes>[^"]*)".*?</table>', re.DOTALL)
# The half-width behind a number, or the blanks that kept its place where there is none.
HALF = re.compile("\xa0(?:(±\xa0[^<]*)|\u2007\xa0[^<]*)(?=</td>)")
NAME = re.compile(r"[\w.*]{24,}(?=[^<>]*<)")  # of a parameter, in a text
LETTERS = 67  # so many fit beside each other where a window of 1,280 pixels shows both side bars
BETWEEN = 2.5  # letters that a cell's two margins take


class MadeTables(SphinxTransform):
    """Set the heads of tables that have a caption."""

    default_priority = 500

    def apply(self, **kwargs: object) -> None:
        """Look at each table of the page."""
        for table in self.document.findall(nodes.table):
            if not isinstance(table[0], nodes.title):
                continue
            marks = map(STUBS.fullmatch, table["classes"])
            stubs = next((int(mark[1]) for mark in marks if mark), 1)
            head_rows([list(row.children) for row in rows_of(table, nodes.tbody)], stubs)
            for row in list(rows_of(table, nodes.thead)):
                share_heads(row)


def rows_of(table: nodes.table, part: type[nodes.Element]) -> Iterator[nodes.row]:
    """The rows of a table's head or body."""
    for found in table.findall(part):
        yield from found.findall(nodes.row)


def head_rows(rows: list[list[nodes.entry]], stubs: int) -> None:
    """Mark the first cells of each row as its heads, and join those that repeat the row above."""
    for row in rows:
        for entry in row[:stubs]:
            entry["classes"] = [OF_ROW]
    for column in reversed(range(stubs - 1)):  # the last tells rows apart
        first: list[nodes.entry] = []
        for row in rows:
            words = [entry.astext() for entry in row[: column + 1]]
            if first and words == [entry.astext() for entry in first[: column + 1]]:
                kept = first[column]
                kept["morerows"] = kept.get("morerows", 0) + 1
                row[column].parent.remove(row[column])
            else:
                first = row


def share_heads(row: nodes.row) -> None:
    """Give heads with a bar in them two rows: what stands before it, once for its neighbours."""
    if BAR not in row.astext():
        return
    own, shared = nodes.row(), None
    for entry in list(row.children):
        before, after = parted(entry)
        if after is None:
            entry["morerows"], shared = 1, None
            continue
        own += after
        if shared is not None and shared.astext() == before.astext():
            shared["morecols"] = shared.get("morecols", 0) + 1
            row.remove(entry)
        else:
            row.replace(entry, before)
            shared = before
    row.parent.insert(row.parent.index(row) + 1, own)


def parted(entry: nodes.entry) -> tuple[nodes.entry, nodes.entry | None]:
    """A head cut at its bar into two, or itself."""
    parts: list[list[nodes.Node]] = [[]]
    for node in entry.next_node(nodes.paragraph).children:
        if isinstance(node, nodes.Text) and BAR in node:
            left, right = node.split(BAR)
            parts[-1] += [nodes.Text(left.rstrip())]
            parts.append([nodes.Text(right.lstrip())])
        else:
            parts[-1].append(node)
    if len(parts) == 1:
        return entry, None
    before, after = (
        nodes.entry("", nodes.paragraph("", "", *(node.deepcopy() for node in part)))
        for part in parts
    )
    after["classes"] = entry["classes"]
    before["classes"] = ["shared"]
    return before, after


def scoped(html: str) -> str:
    """The HTML of a page, each head of its tables with what it is the head of."""
    return CELL.sub(_scope, html)


def _scope(cell: re.Match[str]) -> str:
    tag, attributes, inside = cell.groups()
    of_row = OF_ROW in attributes
    if (tag == "d" and not of_row) or "scope=" in attributes or not inside.strip():
        return cell[0]
    several = ("rowspan" if of_row else "colspan") in attributes
    scope = ("row" if of_row else "col") + "group" * several
    return f'<th scope="{scope}"{attributes}>{inside}</th>'


def stacked(html: str) -> str:
    """The HTML of a page, in tables that are too wide each half-width below its number."""
    return TABLE.sub(_stack, html)


def _stack(table: re.Match[str]) -> str:
    rows = (CELL.findall(row) for row in table[0].split("<tr"))
    if max(map(_letters, rows)) <= LETTERS:
        return table[0]
    wide = f'<table class="{table["classes"]} wide"' + table[0].split('"', 2)[2]
    wide = NAME.sub(lambda name: name[0].replace(".", ".<wbr/>"), wide)
    return HALF.sub(lambda half: f"<br/>{half[1]}" if half[1] else "", wide)


def _letters(row: list[tuple[str, str, str]]) -> float:
    """How many letters a row takes whose cells break where they can."""
    texts = (re.sub(r"<[^>]+>", "", cell).strip(" \n") for *_, cell in row)
    return sum(max(map(len, text.split(" "))) + BETWEEN for text in texts)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform, and the handler behind what makes empty heads ordinary cells."""
    app.add_transform(MadeTables)
    rewrite_pages(app, scoped, priority=600)
    rewrite_pages(app, stacked, priority=750)  # of cells that hold a number and no more
    return {"parallel_read_safe": True, "parallel_write_safe": True}
