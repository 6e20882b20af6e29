"""Execute the book's pages side by side, one on each core, and keep the results of what passed.

``python tools/execute_chapters.py`` executes the pages whose code, data or pins have changed, and
renders nothing; naming pages, for instance ``execute_chapters.py 02 05``, executes no others.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cores import cores
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import from_dict
from outcomes import (
    DIED,
    HUNG,
    NOT_STARTED,
    Failure,
    Outcome,
    at_cell,
    found_in,
    in_words,
    without_cell,
)
from pages import Page, Settings, chosen, listed, read_pages
from records import Records

ROOT = Path(__file__).resolve().parent.parent
EXECUTED = Path("_build") / "executed"  # under the book's folder; the builder reads it too
# Figures come in a second variant, for narrow screens.
KERNEL = ["--ext=experiments.reading.stacked"]
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
    go_on: bool = False,
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
        go_on: Execute the cells after one that fails too.

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
            outcome = await execute_page(waiting.pop(), variables, seconds_per_cell, go_on)
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


async def execute_page(
    page: Page, variables: Mapping[str, str], seconds_per_cell: float, go_on: bool = False
) -> Outcome:
    """Execute one page in a new kernel.

    Args:
        page: The page.
        variables: The kernel's whole environment.
        seconds_per_cell: After so long a cell counts as hung.
        go_on: Execute the cells after one that fails too.
    """
    client = NotebookClient(
        from_dict(page.notebook),
        timeout=seconds_per_cell,
        iopub_timeout=seconds_per_cell,  # a busy machine may be slow to hand an output over
        record_timing=False,  # the times would be part of the cells that a page is looked up by
        log=SILENT,
    )
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        # Sockets that are files: kernels that start together cannot take each other's port.
        client.km = AsyncKernelManager(
            kernel_name=client.nb.metadata["kernelspec"]["name"],
            transport="ipc",
            connection_file=f"{folder}/kernel.json",
        )
        try:
            failure = await connect(page, client, variables, Path(folder) / "said")
            failure = failure or await execute_cells(page, client, go_on)
        finally:
            if client.kc is not None:
                client.kc.stop_channels()
            await client.km.shutdown_kernel(now=True)
    return Outcome(page, time.monotonic() - start, client.nb, failure, ran=True)


async def connect(
    page: Page, client: NotebookClient, variables: Mapping[str, str], said: Path
) -> Failure | None:
    """Start a page's kernel and wait until it answers; return why it does not.

    Args:
        page: The page.
        client: Has the kernel's manager, and receives the connection.
        variables: The kernel's whole environment.
        said: File for what the kernel writes past the notebook.
    """
    with said.open("w") as file:
        await client.km.start_kernel(
            extra_arguments=KERNEL,
            cwd=str(page.path.parent),
            env=dict(variables),
            stdout=file,
            stderr=file,
        )
    client.kc = client.km.client()
    client.kc.start_channels()
    try:
        await client.kc.wait_for_ready(timeout=client.timeout)
    except RuntimeError as error:
        return without_cell(page, NOT_STARTED, f"{error}\n{said.read_text()}")
    about = await client.async_wait_for_reply(client.kc.kernel_info())
    client.nb.metadata["language_info"] = about["content"]["language_info"]
    return None


async def execute_cells(page: Page, client: NotebookClient, go_on: bool) -> Failure | None:
    """Execute the cells of a page in order, to the first failure or the end; return the first.

    Args:
        page: The page.
        client: Connected to the page's kernel; its notebook receives the outputs.
        go_on: Execute the cells after one that fails too.
    """
    for index, place in page.places.items():
        try:
            await client.async_execute_cell(client.nb.cells[index], index, place.number)
        except CellExecutionError as error:
            if not go_on:
                return at_cell(place, error.ename, error.evalue, error.traceback)
        except CellTimeoutError:
            return at_cell(place, HUNG, f"it did not end within {client.timeout:g} s")
        except DeadKernelError:
            if asyncio.current_task().cancelling():  # nbclient takes an interruption for a death
                raise asyncio.CancelledError from None
            return at_cell(place, DIED, await cause_of_death(client.km))
    return found_in(page, client.nb)


async def cause_of_death(manager: AsyncKernelManager) -> str:
    """What the system says of a kernel that ended by itself."""
    status = await manager.provisioner.poll()
    if status is not None and status < 0:
        return signal.strsignal(-status) or f"signal {-status}"
    return f"exit status {status}"


def failures_in_words(outcomes: Iterable[Outcome]) -> list[str]:
    """Every failure, as a reader is told it."""
    return [in_words(o.page, o.failure) for o in outcomes if o.failure is not None]


def execute_book(root: Path) -> str:
    """Execute the pages of a book; return what failed, in a reader's words, or nothing."""
    settings = Settings.of(root)
    records = Records(root / EXECUTED, root)
    pages = read_pages(listed(root), root, settings)
    outcomes = execute(pages, records=records, seconds_per_cell=settings.seconds_per_cell)
    if failed := failures_in_words(outcomes):
        return "\n\n".join(failed)
    if not records.are_current():
        return "The package, the data or the pins were edited meanwhile: build again."
    records.drop_others()
    return ""


def main(wanted: list[str]) -> int:
    """Execute the book's pages, or those whose file names begin as wanted; return the status."""
    settings = Settings.of(ROOT)
    pages = read_pages(chosen(listed(ROOT), wanted), ROOT, settings)
    records = Records(ROOT / EXECUTED, ROOT)
    outcomes = execute(pages, records=records, seconds_per_cell=settings.seconds_per_cell)
    failed = failures_in_words(outcomes)
    print("\n\n".join(failed) or f"{len(outcomes)} pages passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
