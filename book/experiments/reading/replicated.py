"""Stored results made again, and what became of the claims that had been registered before."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from specmup.runs.results import Results, book_folder, load
from specmup.streams import SEPARATE

Claim = Mapping[str, str]
VERDICTS = ("held", "fell", "cannot tell")
WAITS = "waits"  # for a table that has not been made again


def folder() -> Path:
    """Where claims are registered and judged, and tables wait to be read."""
    return book_folder() / "book" / "replication"


def registered() -> list[Claim]:
    """The registered claims that rest on a stored result, with ``verdict`` and new ``value``."""
    judged = {one["name"]: one for one in read("verdicts.json")}
    claims = [one for one in read("claims.json") if one["source"] == "stored"]
    return [with_verdict(one, judged.get(one["name"])) for one in claims]


def read(name: str) -> list[Claim]:
    """Claims of a file."""
    claims: list[Claim] = json.loads((folder() / name).read_text(encoding="utf-8"))
    return claims


def with_verdict(claim: Claim, judged: Claim | None) -> Claim:
    """A registered claim and what became of it."""
    if judged is None or judged["verdict"] not in VERDICTS:
        return {**claim, "verdict": WAITS, "old value": claim["value"], "value": ""}
    return judged


def chapter(claim: Claim) -> str:
    """The chapter as it was named at the registration, from the file's name."""
    words = claim["page"].rpartition("/")[2].split("-")[1:]
    return " ".join(words).capitalize().replace("Gpt2", "GPT-2")


def count_table(claims: list[Claim]) -> Iterator[str]:
    """Lines of a Markdown table: how many claims of each chapter held, fell, and so on."""
    columns = (*VERDICTS, WAITS)
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
