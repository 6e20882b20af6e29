"""Execute the book's pages side by side, one on each core, and keep the results of what passed.

``python tools/execute_chapters.py`` executes the pages whose code, data or pins have changed, and
renders nothing; naming pages, for instance ``execute_chapters.py 02 05``, executes no others.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO

from jupyter_client.manager import start_new_async_kernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import from_dict
from outcomes import Failure, Outcome, at_cell, found_in, in_words, without_cell
from pages import Page, Settings, listed, read_pages
from records import Records

ROOT = Path(__file__).resolve().parent.parent
EXECUTED = Path("_build") / "executed"  # under the book's folder; the builder reads it too
SILENT = logging.Logger("what nbclient says of failures that are reported in other words")
SILENT.addHandler(logging.NullHandler())


def say(outcome: Outcome, done: int, total: int) -> None:
    """Print one line about a page that has ended."""
    result = "passed" if outcome.passed else "FAILED"
    print(
        f"{outcome.page.name}: {result} in {outcome.seconds:.0f} s ({done} of {total})", flush=True
    )


def execute(
    pages: Iterable[Page],
    *,
    records: Records,
    seconds_per_cell: float,
    environment: Mapping[str, str] | None = None,
    workers: int | None = None,
    report: Callable[[Outcome, int, int], None] = say,
) -> list[Outcome]:
    """Execute the pages whose results are not kept yet, several at a time.

    Each page has a kernel of its own, in the page's folder. One that fails stops at the failing
    cell while the others go on. The results of those that pass are kept.

    Args:
        pages: What to execute.
        records: The kept results. Give each environment a folder of its own.
        seconds_per_cell: After so long a cell counts as hung.
        environment: Variables for the kernels, over those of this process.
        workers: How many pages run at the same time; by default one on each core.
        report: Called as each executed page ends, with its number and that of all to be executed.

    Returns:
        One outcome a page, in the order of the pages.
    """
    pages = list(pages)
    outcomes = {page.name: records.find(page) for page in pages}
    waiting = longest_last([p for p in pages if outcomes[p.name] is None], records.seconds())
    total, ended = len(waiting), []
    variables = {**os.environ, **(environment or {})}

    async def work() -> None:
        while waiting:
            outcome = await execute_page(waiting.pop(), variables, seconds_per_cell)
            records.keep(outcome)
            ended.append(outcome)
            report(outcome, len(ended), total)

    async def work_together() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(total, workers or cores())):
                group.create_task(work())

    if waiting:
        asyncio.run(work_together())
        records.note_seconds(ended)
    outcomes |= {outcome.page.name: outcome for outcome in ended}
    return [outcomes[page.name] for page in pages]


def longest_last(pages: list[Page], seconds: Mapping[str, float]) -> list[Page]:
    """Order pages so that taking them from the end leaves no long one to run alone at last.

    Args:
        pages: The pages.
        seconds: How long they took before. One that is not in it may be the longest of all; among
            several such, the one with more text comes first.
    """
    return sorted(pages, key=lambda p: (seconds.get(p.name, float("inf")), len(p.text)))


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


async def execute_page(
    page: Page, variables: Mapping[str, str], seconds_per_cell: float
) -> Outcome:
    """Execute one page in a new kernel.

    Args:
        page: The page.
        variables: The kernel's whole environment.
        seconds_per_cell: After so long a cell counts as hung.
    """
    client = NotebookClient(
        from_dict(page.notebook),
        timeout=seconds_per_cell,
        iopub_timeout=seconds_per_cell,  # a busy machine may be slow to hand an output over
        record_timing=False,  # the times would be part of the cells that a page is looked up by
        log=SILENT,
    )
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:  # what a kernel writes past its notebook
        try:
            client.km, client.kc = await start_new_async_kernel(
                seconds_per_cell,
                client.nb.metadata["kernelspec"]["name"],
                cwd=str(page.path.parent),
                env=dict(variables),
                stdout=said,
                stderr=said,
            )
        except RuntimeError as error:
            failure = without_cell(page, "no kernel started", f"{error}\n{end_of(said)}")
        else:
            try:
                failure = await execute_cells(page, client, said)
            finally:
                client.kc.stop_channels()
                await client.km.shutdown_kernel(now=True)
    return Outcome(page, time.monotonic() - start, client.nb, failure, ran=True)


async def execute_cells(page: Page, client: NotebookClient, said: IO[str]) -> Failure | None:
    """Execute the cells of a page in order; stop at the first failure and return it.

    Args:
        page: The page.
        client: Connected to the page's kernel; its notebook receives the outputs.
        said: What the kernel writes past the notebook.
    """
    about = await client.async_wait_for_reply(client.kc.kernel_info())
    client.nb.metadata["language_info"] = about["content"]["language_info"]
    for index, place in page.places.items():
        try:
            await client.async_execute_cell(client.nb.cells[index], index, place.number)
        except CellExecutionError as error:
            return at_cell(place, error.ename, error.evalue, error.traceback)
        except CellTimeoutError:
            return at_cell(place, "hung", f"it did not end within {client.timeout:g} s")
        except DeadKernelError:
            if asyncio.current_task().cancelling():  # nbclient takes an interruption for a death
                raise asyncio.CancelledError from None
            return at_cell(place, "the kernel died", end_of(said))
    return found_in(page, client.nb)


def end_of(file: IO[str], lines: int = 5) -> str:
    """The last lines of a file."""
    file.seek(0)
    return "".join(file.readlines()[-lines:])


def failures_in_words(outcomes: Iterable[Outcome]) -> str:
    """Every failure, as a reader is told it; empty where all passed."""
    failed = [in_words(o.page, o.failure) for o in outcomes if o.failure is not None]
    return "\n\n".join(failed)


def main(wanted: list[str]) -> int:
    """Execute the book's pages, or those whose file names begin as wanted; return the status."""
    settings = Settings.of(ROOT)
    paths = [p for p in listed(ROOT) if not wanted or p.name.startswith(tuple(wanted))]
    pages = read_pages(paths, ROOT, settings)
    records = Records(ROOT / EXECUTED, ROOT)
    outcomes = execute(pages, records=records, seconds_per_cell=settings.seconds_per_cell)
    passed = sum(outcome.passed for outcome in outcomes)
    print(failures_in_words(outcomes) or f"{passed} pages passed", flush=True)
    return 0 if passed == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
