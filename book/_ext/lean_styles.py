"""Style sheets without the rules that no page of the book can meet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

CLASS = re.compile(r"\.(-?[A-Za-z_](?:[\w-]|\\.)*)")
ASIDE = re.compile(r":(?:not|is|where|has)\([^)]*\)")  # says nothing on its own
NESTED = ("@media", "@supports", "@layer", "@container")
MARK = re.compile(r"[{;]")
BRACE = re.compile(r"[{}]")


def names_on_pages(folder: Path) -> set[str]:
    """The classes of all pages, and every word of a script that may give one."""
    names: set[str] = set()
    for page in folder.rglob("*.html"):
        for classes in re.findall(r'class="([^"]*)"', page.read_text(encoding="utf-8")):
            names.update(classes.split())
    for script in (folder / "_static").rglob("*.js"):
        names.update(re.findall(r"[A-Za-z][\w-]*", script.read_text(encoding="utf-8")))
    return names


def rules(css: str) -> Iterator[tuple[str, str | None]]:
    """The head and the body of every rule; a statement such as ``@import`` has no body."""
    start = 0
    while mark := MARK.search(css, start):
        head, end = css[start : mark.start()].strip(), mark.end()
        if mark[0] == ";":
            yield head, None
        else:
            depth = 1
            while depth:
                brace = BRACE.search(css, end)
                if brace is None:
                    raise ValueError(f"the rule {head!r} is not closed")
                depth += 1 if brace[0] == "{" else -1
                end = brace.end()
            yield head, css[mark.end() : end - 1]
        start = end


def used(css: str, names: set[str]) -> str:
    """A style sheet without the rules that ask for a class of another name."""
    kept = []
    for head, body in rules(re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)):
        if body is None:
            kept.append(f"{head};")
        elif head.startswith(NESTED):
            if inner := used(body, names):
                kept.append(f"{head}{{{inner}}}")
        elif head.startswith("@"):
            kept.append(f"{head}{{{body}}}")
        else:
            selectors = re.split(r",(?![^(]*\))", head)
            met = [one.strip() for one in selectors if names.issuperset(classes_of(one))]
            if met:
                kept.append(f"{','.join(met)}{{{' '.join(body.split())}}}")
    return "\n".join(kept)


def classes_of(selector: str) -> list[str]:
    """The classes that something must have, or stand beside, for a selector to meet it."""
    return [name.replace("\\", "") for name in CLASS.findall(ASIDE.sub("", selector))]
