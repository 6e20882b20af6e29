"""Hold executed chapters against their notebooks' stored outputs, by nbval, without a second run.

nbval drives a kernel and judges the messages that come back. Here the kernel is one that executes
nothing and sends what the chapter's execution recorded, so nbval's own rules decide: an error in
any cell fails it, and so does a checked cell whose output is not the stored one.

``python tools/compare_outputs.py`` compares all chapters, executing those whose results are not
kept; naming chapters, for instance ``compare_outputs.py 02 05``, compares no others.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from difflib import ndiff
from pathlib import Path
from typing import Any

import pytest
from execute_chapters import EXECUTED, ROOT, execute, failures_in_words
from nbformat import NotebookNode
from nbval.plugin import IPyNbCell, IPyNbFile
from outcomes import Failure, Outcome, at_cell, in_words, without_cell
from pages import Page, Settings, chapters, chosen, code_cells, listed, read_pages
from records import Records


class RecordedKernel:
    """What nbval takes for a kernel: it answers each cell with what the record holds.

    Args:
        cells: The executed code cells, in order.
    """

    def __init__(self, cells: Iterable[NotebookNode]) -> None:
        """Begin before the first cell."""
        self._cells = iter(cells)
        self._messages: deque[dict[str, Any]] = deque()
        self._request = 0

    def execute_cell_input(self, source: str, allow_stdin: bool | None = None) -> int:
        """Queue the recorded answer to the next cell; return the number of the request."""
        self._request += 1
        for output in next(self._cells).outputs:
            self._answer(output.output_type, output)
        self._answer("status", {"execution_state": "idle"})
        return self._request

    def _answer(self, kind: str, content: Mapping[str, Any]) -> None:
        parent = {"msg_id": self._request}
        self._messages.append({"msg_type": kind, "content": content, "parent_header": parent})

    def get_message(self, stream: str, timeout: float | None = None) -> dict[str, Any]:
        """The next message of the record."""
        return self._messages.popleft()

    def await_reply(self, request: int, timeout: float | None = None) -> None:
        """Return at once: the record is complete."""

    def await_idle(self, request: int, timeout: float | None = None) -> None:
        """Drop what follows an error, as a kernel's own connection does."""
        self._messages.clear()

    def is_alive(self) -> bool:
        """Whether cells can be answered: always."""
        return True

    def stop(self) -> None:
        """Nothing runs, so nothing is stopped."""


class RecordedNotebook(IPyNbFile):
    """A notebook that nbval checks against the record of its execution."""

    record: NotebookNode

    def setup(self) -> None:
        """Give nbval the record for a kernel."""
        self.kernel = RecordedKernel(cell for cell in code_cells(self.record) if ran(cell))

    def collect(self) -> Iterator[pytest.Item]:
        """One test a code cell that was executed; a failed execution stops before the last.

        Raises:
            CollectError: If the notebook's cells are not those that were executed.
        """
        self.compare_outputs = False  # of cells that are not marked to be checked
        tests = list(super().collect())
        executed = code_cells(self.record)
        if [t.cell.source.strip() for t in tests] != [c.source.strip() for c in executed]:
            raise self.CollectError(f"{self.path.name} is not what was executed: run `make sync`")
        return (test for test, cell in zip(tests, executed, strict=True) if ran(cell))


def ran(cell: NotebookNode) -> bool:
    """Whether a code cell was executed."""
    return cell.execution_count is not None


class Comparison:
    """A pytest plugin that gives notebooks their records and gathers what nbval finds.

    Args:
        outcomes: Executed pages, by the path of the stored notebook.
    """

    def __init__(self, outcomes: Mapping[Path, Outcome]) -> None:
        """Begin with nothing found."""
        self.outcomes = outcomes
        self.found: list[tuple[Page, Failure]] = []

    def pytest_collect_file(
        self, file_path: Path, parent: pytest.Collector
    ) -> RecordedNotebook | None:
        """Make a stored notebook one of nbval's, with its record."""
        if file_path not in self.outcomes:
            return None
        notebook = RecordedNotebook.from_parent(parent, path=file_path)
        notebook.record = self.outcomes[file_path].notebook
        return notebook

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Any:
        """Note a notebook that could not be compared."""
        report = yield
        if report.failed and collector.path in self.outcomes:
            page = self.outcomes[collector.path].page
            self.found.append((page, without_cell(page, "not compared", report.longreprtext)))
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: IPyNbCell, call: pytest.CallInfo) -> Any:
        """Note a cell that nbval fails."""
        report = yield
        if report.failed:
            page = self.outcomes[item.path].page
            place = list(page.places.values())[item.cell_num]
            said = in_short(item.cell.outputs, item.test_outputs or [])
            self.found.append((page, at_cell(place, str(call.excinfo.value), said)))
        return report


def in_short(stored: Iterable[NotebookNode], now: Iterable[NotebookNode]) -> str:
    """The lines in which two lists of outputs differ, each with the side that it is on."""
    lines = [[line for output in side for line in text_of(output)] for side in (stored, now)]
    words = {"-": "stored:", "+": "now:   "}
    return "\n".join(f"{words[line[0]]} {line[2:]}" for line in ndiff(*lines) if line[0] in words)


def text_of(output: NotebookNode) -> list[str]:
    """What an output shows, as lines of text."""
    if output.output_type == "error":
        return [f"{output.ename}: {output.evalue}"]
    if output.output_type == "stream":
        return output.text.splitlines()
    return str(output.data.get("text/plain", "a figure")).splitlines()


def differences(outcomes: Iterable[Outcome]) -> list[tuple[Page, Failure]]:
    """What nbval finds in executed chapters that does not agree with the stored notebooks.

    Args:
        outcomes: Executed pages, each with its notebook beside it: ``NN-name.ipynb``.

    Returns:
        Each failing cell with its page; empty where every checked output is the stored one.

    Raises:
        RuntimeError: If pytest could not compare.
    """
    stored = {o.page.path.with_suffix(".ipynb"): o for o in outcomes}
    if not stored:  # pytest, given nothing, would run all the tests that it finds
        return []
    comparison = Comparison(stored)
    quiet = ["-qq", "--no-header", "--no-summary", "--color=no", "--tb=no"]
    without = [
        "-p",
        "no:cacheprovider",
        "-p",
        "no:warnings",
        "-p",
        "no:xdist",
        "--continue-on-collection-errors",
    ]
    status = pytest.main([*quiet, *without, *map(str, stored)], plugins=[comparison])
    if status != pytest.ExitCode.OK and not comparison.found:
        raise RuntimeError(f"nbval did not compare: {pytest.ExitCode(status).name}")
    return comparison.found


def main(wanted: list[str]) -> int:
    """Execute what is not kept and compare all chapters, or the wanted ones; return the status."""
    settings = Settings.of(ROOT)
    sources = chosen(chapters(ROOT), wanted)
    # All of the book's pages at once leave no core idle, and the book needs the others anyway.
    pages = read_pages(sources if wanted else [*listed(ROOT), *sources], ROOT, settings)
    records = Records(ROOT / EXECUTED, ROOT)
    outcomes = execute(pages, records=records, seconds_per_cell=settings.seconds_per_cell)
    found = differences(outcome for outcome in outcomes if outcome.page.path in sources)
    failed = {(o.page.name, o.failure.cell) for o in outcomes if o.failure}
    told = [in_words(page, at) for page, at in found if (page.name, at.cell) not in failed]
    print("\n\n".join([*told, *failures_in_words(outcomes)]))
    return 1 if told or failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
