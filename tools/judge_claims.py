"""Judge the book's claims by the stored results at hand, and say what became of each.

``python tools/judge_claims.py --register`` notes every claim that the pages make now, with its
value, in ``book/replication/claims.json``. Without it every page is executed to its end,
whatever falls, and each noted claim is judged: held, fell, cannot tell, or not reached, where a
cell before it failed. The verdicts are written beside it. Naming pages, as in
``judge_claims.py 02 05``, judges no others and leaves the others' verdicts as they are.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory

from execute_chapters import EXECUTED, ROOT, execute
from outcomes import Outcome, in_words
from pages import Page, Settings, chosen, read_pages, sources
from records import Records

sys.path.append(str(ROOT / "book" / "_ext"))

from claims_page import claims_in

FOLDER = Path("book") / "replication"
NOTED, JUDGED = FOLDER / "claims.json", FOLDER / "verdicts.json"
JUDGE = {"SPECMUP_JUDGE": "1"}  # a claim that does not hold is noted, and its page goes on
NOT_REACHED = "not reached"

Claims = list[dict[str, str]]


def register(root: Path, pages: list[Page], whole: bool = True) -> list[str]:
    """Note the claims of pages; return what failed, in words, and then note nothing.

    Args:
        root: The book's folder.
        pages: Whose claims.
        whole: These are all pages, so that nothing else stays noted.
    """
    records = Records(root / EXECUTED, root)
    seconds = Settings.of(root).seconds_per_cell
    outcomes = execute(pages, records=records, seconds_per_cell=seconds)
    if failed := failures(outcomes):
        return failed
    claims = made_by(outcomes)
    write(root / NOTED, claims if whole else with_others(claims, pages, root / NOTED))
    return []


def judge(root: Path, pages: list[Page]) -> tuple[Claims, list[str]]:
    """Each noted claim of the pages with its new value and verdict; and what failed, in words."""
    with TemporaryDirectory() as folder:  # what is judged is no record of a page that passed
        outcomes = execute(
            pages,
            records=Records(Path(folder), root),
            seconds_per_cell=Settings.of(root).seconds_per_cell,
            environment=JUDGE,
            go_on=True,
        )
    now = {claim["name"]: claim for claim in made_by(outcomes)}
    names = {page.name for page in pages}
    noted = [one for one in json.loads((root / NOTED).read_text()) if one["page"] in names]
    return [with_verdict(one, now.get(one["name"])) for one in noted], failures(outcomes)


def not_there(root: Path, pages: list[Page], whole: bool) -> str:
    """Why noted claims could not be judged by these pages, in words: empty if all can."""
    noted = {one["page"] for one in json.loads((root / NOTED).read_text(encoding="utf-8"))}
    there = {page.name for page in pages}
    if not noted & there:
        return f"no claim of {', '.join(sorted(there))} is noted: register them first, --register"
    if whole and (gone := noted - there):
        command = ["git", "log", "-1", "--format=%h", "--", NOTED]
        at = subprocess.run(command, cwd=root, capture_output=True, text=True).stdout.strip()
        return (
            f"noted claims are of pages that are not there: {', '.join(sorted(gone))}; judge them "
            f"at the commit that registered them, {at or 'an earlier one'}, or name pages"
        )
    return ""


def with_others(judged: Claims, pages: list[Page], path: Path) -> Claims:
    """What pages give now, and of a file of claims or verdicts those of other pages; by page."""
    names = {page.name for page in pages}
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    others = [one for one in before if one["page"] not in names]
    return sorted([*others, *judged], key=itemgetter("page"))


def with_verdict(noted: dict[str, str], now: dict[str, str] | None) -> dict[str, str]:
    """A noted claim with its old and its new value, and what became of it."""
    found = now or {"value": "", "verdict": NOT_REACHED}
    new = {"value": found["value"], "verdict": found["verdict"]}
    return noted | {"old value": noted["value"]} | new


def made_by(outcomes: Iterable[Outcome]) -> Claims:
    """The claims that executed pages made, each with its page."""
    return [{"page": o.page.name} | claim for o in outcomes for claim in claims_in(o.notebook)]


def failures(outcomes: Iterable[Outcome]) -> list[str]:
    """What failed, in words."""
    return [in_words(o.page, o.failure) for o in outcomes if o.failure is not None]


def write(path: Path, claims: Claims) -> None:
    """Write claims, one a line."""
    lines = (json.dumps(claim, ensure_ascii=False) for claim in claims)
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def main(wanted: list[str], root: Path = ROOT) -> int:
    """Register or judge, print what became of the claims, and return the status."""
    named = [word for word in wanted if not word.startswith("-")]
    pages = read_pages(chosen(sources(root), named), root, Settings.of(root))
    if "--register" in wanted:
        failed = register(root, pages, whole=not named)
        print("\n\n".join(failed) or f"noted in {root / NOTED}")
        return int(bool(failed))
    if why := not_there(root, pages, whole=not named):
        print(why)
        return 1
    judged, failed = judge(root, pages)
    write(root / JUDGED, with_others(judged, pages, root / JUDGED))
    for claim in judged:
        if claim["verdict"] != "held":
            values = f"{claim['old value']} then, {claim['value'] or 'nothing'} now"
            print(f"{claim['verdict']}: {claim['name']}: {claim['sentence']}", end=" ")
            print(f"[{values}; {claim['criterion']}]")
    print("", *failed, sep="\n\n")
    counts = Counter((claim["source"], claim["verdict"]) for claim in judged)
    for (source, verdict), count in sorted(counts.items()):
        print(f"{source:<7} {verdict:<12} {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
