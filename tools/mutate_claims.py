"""Break the book in one place at a time, and count which of its claims fall.

``python tools/mutate_claims.py`` puts each mutant of ``tools/mutants.toml`` into a copy of the book
and executes the pages that depend on it, judging their claims to the end. A mutant is killed if
a claim that held no longer does, or a cell fails; a page that hangs, or whose kernel dies, tells
nothing. The rate of kills is printed, and the claims that no fault fells; all of it passes if
neither a mutant nor a claim survives. What was found is kept under ``_build/mutations``, so a
stopped run goes on.

Naming mutants runs no others; ``--pages 01 05`` executes no others; ``--first`` goes on to the
next mutant once a page, the quickest first, has killed one: that tells the rate, not the claims.
``--plan`` only says what would be executed, and how long that takes.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from cores import cores
from execute_chapters import EXECUTED, ROOT, execute
from felled import Found, Report, told
from judge_claims import JUDGE, failures, made_by
from modules import MODULES, imports_of, rests_on
from mutants import RESULTS, Mutant, declared
from outcomes import Outcome
from pages import Page, Settings, chosen, code_cells, read_pages, sources
from records import Records

KEPT = Path("_build") / "mutations"
COPIED = ("specmup", "book", "chapters", "_config.yml", "_toc.yml", "requirements.txt")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.ipynb", "*.egg-info", ".ipynb_checkpoints")
DATA = Path("book") / "data"
WHERE = "import specmup, experiments; print(specmup.__file__, *experiments.__path__, sep='\\n')"


def depends_on(page: Page) -> set[str]:
    """Files from the root that a page depends on: modules of ours, tables that it or they name.

    A page that names a stored result may make a slice of it again, by the experiment of that name.
    """
    source = "\n".join(cell.source for cell in code_cells(page.notebook))
    named = strings_in(source)
    tables = {path.stem for path in (ROOT / RESULTS).glob("*.csv")} & named
    experiments = {f"experiments.{table.replace('-', '_')}" for table in tables} & MODULES.keys()
    needed = [MODULES[name] for name in rests_on(imports_of(source) | experiments)]
    named |= set().union(*(strings_in(path.read_text(encoding="utf-8")) for path in needed))
    data = {path for path in (ROOT / DATA).glob("*.csv") if path.stem in named}
    files = {*needed, *data, *(ROOT / RESULTS / f"{table}.csv" for table in tables), page.path}
    return {path.relative_to(ROOT).as_posix() for path in files}


def strings_in(source: str) -> set[str]:
    """The texts that stand in a piece of code."""
    nodes = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return {value for value in nodes if isinstance(value, str)}


def copied(folder: Path) -> Path:
    """A copy of all that a page is executed with."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=NOT_COPIED)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def environment(root: Path) -> dict[str, str]:
    """For kernels that import the copy and judge claims to the end."""
    path = os.pathsep.join(map(str, (root, root / "book")))
    return {**JUDGE, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def check_imported(root: Path) -> None:
    """Make sure that kernels will import the copy, not what is installed.

    Raises:
        RuntimeError: If they would not, so that no mutant could be noticed.
    """
    told = subprocess.run(
        [sys.executable, "-c", WHERE],
        env={**os.environ, **environment(root)},
        cwd=root / "chapters",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if not all(Path(line).is_relative_to(root) for line in told.split("\n") if line):
        raise RuntimeError(f"kernels would import {told.strip()}, not the copy in {root}")


def run(mutant: Mutant, pages: Sequence[Page], first: bool) -> dict[str, Found]:
    """What pages make of a mutant, by name; with ``first`` up to the one that kills it.

    Pages that were cut off are left out.
    """
    found: dict[str, Found] = {}
    with TemporaryDirectory() as folder:
        root = copied(Path(folder).resolve())
        check_imported(root)
        mutant.apply(root)
        paths = [root / page.path.relative_to(ROOT) for page in pages]
        settings = Settings.of(root)
        waiting = read_pages(paths, root, settings)
        records = Records(root / EXECUTED, root)
        while waiting:
            some = waiting[: cores()] if first else waiting
            waiting = waiting[len(some) :]
            kept = {page.name: kept_at(records.name, page) for page in some}
            anew = [page for page in some if not kept[page.name].exists()]
            for outcome in execute(
                anew,
                records=records,
                seconds_per_cell=settings.seconds_per_cell,
                environment=environment(root),
                go_on=True,
            ):
                if outcome.cut_off:
                    print(f"{outcome.page.name} is not counted: {outcome.failure.name}")
                else:
                    keep(kept[outcome.page.name], of_outcome(outcome))
            there = {name: path for name, path in kept.items() if path.exists()}
            found |= {name: Found(**json.loads(path.read_text())) for name, path in there.items()}
            if first and any(f.fallen or f.failed for f in found.values()):
                break
    return found


def of_outcome(outcome: Outcome) -> Found:
    """What an executed page says."""
    verdicts = {claim["name"]: claim["verdict"] for claim in made_by([outcome])}
    return Found(verdicts, "\n".join(failures([outcome])))


def kept_at(state: str, page: Page) -> Path:
    """Where it is kept what a page makes of a mutant, which the state of code and data knows."""
    name = hashlib.sha256(f"{state}\n{page.name}\n{page.text}".encode()).hexdigest()[:20]
    return ROOT / KEPT / f"{name}.json"


def keep(path: Path, found: Found) -> None:
    """Write what was found."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(found), ensure_ascii=False), encoding="utf-8")


def main(words: Sequence[str]) -> int:
    """Run mutants, print what became of each and of all claims, and return the status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="mutants; all of them by default")
    parser.add_argument("--pages", nargs="+", default=[], help="how their files begin")
    parser.add_argument("--first", action="store_true", help="stop at the first page that kills")
    parser.add_argument("--plan", action="store_true", help="only say what would be executed")
    asked = parser.parse_args(words)
    mutants = [m for m in declared() if m.name in (asked.names or [m.name])]
    if unknown := set(asked.names) - {mutant.name for mutant in mutants}:
        parser.error(f"no mutant is named {', '.join(sorted(unknown))}")
    settings, records = Settings.of(ROOT), Records(ROOT / EXECUTED, ROOT)
    pages = read_pages(chosen(sources(ROOT), asked.pages), ROOT, settings)
    seconds = records.seconds()
    pages.sort(key=lambda page: seconds.get(page.name, 0.0))
    needed = {page.name: depends_on(page) for page in pages}
    meet = {m: [page for page in pages if m.file in needed[page.name]] for m in mutants}
    if asked.plan:
        for mutant, some in meet.items():
            took = sum(seconds.get(page.name, 0.0) for page in some)
            print(f"{mutant.kind:<10} {mutant.name:<36} {len(some):>2} pages, {took:.0f} s")
        return 0
    control = execute(pages, records=records, seconds_per_cell=settings.seconds_per_cell)
    if failed := failures(control):
        print("\n\n".join(failed), "the book must hold before it is broken", sep="\n\n")
        return 1
    report = Report({claim["name"]: claim for claim in made_by(control)}, {})
    for mutant, some in meet.items():
        if some:
            report = Report(report.held, {**report.found, mutant: run(mutant, some, asked.first)})
            print(told(mutant, report), flush=True)
            for name in report.unmoved(mutant):
                print(f"  {name} should have fallen")
        else:
            print(f"no page of these depends on {mutant.name}")
    if not report.found:
        return 1
    print("", *report.lines(), sep="\n")
    whole = not (asked.names or asked.pages or asked.first)
    survived = any(not report.killed(m) or report.unmoved(m) for m in report.found)
    return int(survived or (whole and bool(report.never())))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main(sys.argv[1:]))
