"""Execute the chapters as other processors would round, and say what fails where.

``python tools/check_machines.py`` executes every chapter in each way of :mod:`processors`: other
instruction sets, two threads, starts perturbed by a millionth. Naming chapters, as in
``check_machines.py 02 05``, executes no others; ``--part`` executes a few in one way, others
with every commit. What passed is kept under ``_build/machines`` until code, data or pins change.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from compare_outputs import differences
from execute_chapters import ROOT, execute, say
from outcomes import in_words
from pages import Page, Settings, chapters, read_pages
from processors import OF_CHAPTERS, ways_here
from records import Records

KEPT = ROOT / "_build" / "machines"
PARTS = 9  # of the chapters, one of which a commit executes
# Run by IPython when a kernel starts, before the first cell.
STARTUP = """
import sys
sys.path.insert(0, {tools!r})
from processors import perturb_starts
perturb_starts()
del sys.path[0], perturb_starts
"""


def ways() -> dict[str, Mapping[str, str]]:
    """The ways in which chapters are executed here, with their environment variables."""
    return {way: settings for way, settings in ways_here().items() if way in OF_CHAPTERS}


def chosen_by(commit: int, names: Sequence[str], paths: Sequence[Path]) -> tuple[str, list[Path]]:
    """One way and one part of the chapters, so that commits take turns through all of them."""
    turn, way = divmod(commit, len(names))
    return names[way], [path for i, path in enumerate(paths) if i % PARTS == turn % PARTS]


def commit() -> int:
    """The commit at hand as a number; 0 where git knows none."""
    told = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return int(told.stdout.strip() or "0", 16)


def check(way: str, settings: Mapping[str, str], pages: list[Page], profile: Path) -> list[str]:
    """Execute pages in one way; every failure in words.

    Args:
        way: Its name.
        settings: Its environment variables.
        pages: What to execute.
        profile: A folder that makes kernels perturb their starts if they are told to.
    """
    print(f"\nAs if the processor were: {way}", flush=True)
    folder = KEPT / way.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = execute(
        pages,
        records=Records(folder, ROOT),
        seconds_per_cell=Settings.of(ROOT).seconds_per_cell,
        environment={"IPYTHONDIR": str(profile), **settings},
        report=say,
    )
    failed = [(o.page, o.failure) for o in outcomes if o.failure is not None]
    ended = {page.name for page, _ in failed}
    failed += [(p, f) for p, f in differences(outcomes) if p.name not in ended]
    return [in_words(page, failure) for page, failure in failed]


def main(wanted: list[str]) -> int:
    """Execute, print what failed where and a table of counts; return the status."""
    here, paths = ways(), chapters(ROOT)
    if "--part" in wanted:
        way, paths = chosen_by(commit(), list(here), paths)
        here = {way: here[way]}
    elif wanted:
        paths = [path for path in paths if path.name.startswith(tuple(wanted))]
    pages = read_pages(paths, ROOT, Settings.of(ROOT))
    with TemporaryDirectory() as folder:
        startup = Path(folder) / "profile_default" / "startup" / "perturb.py"
        startup.parent.mkdir(parents=True)
        startup.write_text(STARTUP.format(tools=str(Path(__file__).parent)))
        failures = {way: check(way, here[way], pages, Path(folder)) for way in here}
    for way, told in failures.items():
        print("".join(f"\n{way}: {words}\n" for words in told), end="")
    print()
    for way, told in failures.items():
        print(
            f"{way:<18} {len(pages)} chapters, {len(told) or 'no'} failure{'s' * (len(told) != 1)}"
        )
    return int(any(failures.values()))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main(sys.argv[1:]))
