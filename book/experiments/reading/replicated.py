"""Stored results made again, and what became of the claims that had been registered before."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from specmup.runs.results import Results, book_folder, load
from specmup.streams import SEPARATE

Claim = Mapping[str, str]
VERDICTS = ("held", "fell", "cannot tell")
PUBLISHED = "not ours"  # rests on tables that others published: nothing was drawn anew
NOT_REACHED = "not reached"  # a cell before it failed on the new tables
WAITS = "waits"  # for a table that has not been made again
# Chapters, as registered, that read the published tables, and those that wait for tables of ours.
READ_PUBLISHED = {"chapters/16-transfer-across-depth", "chapters/18-the-published-record"}
NEEDED = {
    "chapters/15-transfer-across-width": {"gpt-small", "width-parts"},
    "chapters/16-transfer-across-depth": {"gpt-small", "depth-parts", "kimi-parts"},
    "chapters/18-the-published-record": {"gpt-small"},
}


def folder() -> Path:
    """Where claims are registered and judged, and tables wait to be read."""
    return book_folder() / "book" / "replication"


def registered() -> list[Claim]:
    """The registered claims that rest on a stored result, with ``verdict`` and new ``value``."""
    judged = {one["name"]: one for one in read("verdicts.json")}
    claims = [one for one in read("claims.json") if one["source"] == "stored"]
    waiting = {one.manifest["name"] for one in made_again()[1]}
    return [with_verdict(one, judged.get(one["name"]), waiting) for one in claims]


def read(name: str) -> list[Claim]:
    """Claims of a file."""
    claims: list[Claim] = json.loads((folder() / name).read_text(encoding="utf-8"))
    return claims


def with_verdict(claim: Claim, judged: Claim | None, waiting: AbstractSet[str]) -> Claim:
    """A registered claim and what became of it.

    On a page that reads the published tables, a value that is the same to its last digit is theirs.

    Args:
        claim: As registered.
        judged: With its verdict; None if its page has not been executed on new tables.
        waiting: Names of the tables that have not been made again.
    """
    if judged is None or judged["verdict"] not in VERDICTS:
        waits = judged is None or NEEDED.get(claim["page"], set()) & waiting
        verdict = WAITS if waits else NOT_REACHED
        return {**claim, "verdict": verdict, "old value": claim["value"], "value": ""}
    if claim["page"] in READ_PUBLISHED and judged["value"] == judged["old value"]:
        return {**judged, "verdict": PUBLISHED}
    return judged


def chapter(claim: Claim) -> str:
    """The chapter as it was named at the registration, from the file's name."""
    words = claim["page"].rpartition("/")[2].split("-")[1:]
    return " ".join(words).capitalize().replace("Gpt2", "GPT-2")


def count_table(claims: list[Claim]) -> Iterator[str]:
    """Lines of a Markdown table: how many claims of each chapter held, fell, and so on."""
    columns = (*VERDICTS, PUBLISHED, NOT_REACHED, WAITS)
    counts = Counter((chapter(one), one["verdict"]) for one in claims)
    yield f"| chapter, as registered | claims | {' | '.join(columns)} |"
    yield "| --- |" + " ---: |" * (len(columns) + 1)
    for name in dict.fromkeys(map(chapter, claims)):
        yield row(name, [counts[name, verdict] for verdict in columns])
    yield row("all", [sum(one["verdict"] == verdict for one in claims) for verdict in columns])


def row(name: str, numbers: list[int]) -> str:
    """One line of the table, with the sum in front."""
    return f"| {name} | {sum(numbers)} | " + " | ".join(map(str, numbers)) + " |"


def listed(claims: list[Claim], verdict: str) -> Iterator[str]:
    """Lines of a Markdown list: the claims of one verdict with their first and new value."""
    for one in claims:
        if one["verdict"] == verdict:
            values = f"{one['old value']} → {one['value']}; must be {one['criterion']}"
            yield f"- *{chapter(one)}.* {one['sentence']} {values}."


def made_again() -> tuple[list[Results], list[Results]]:
    """The stored results that have been made again, and those that wait."""
    again = {path.stem: folder() for path in folder().glob("*.csv")}
    results = book_folder() / "book" / "results"
    names = sorted(path.stem for path in results.glob("*.csv"))
    found = [load(name, again.get(name, results)) for name in names]
    done = [one for one in found if one.streams == SEPARATE]
    return done, [one for one in found if one.streams != SEPARATE]
