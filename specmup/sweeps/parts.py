"""A sweep in parts, each with a store of its own: machines that share a folder need no driver.

A store is held by one process at a time. So the tasks of an array job each fill one,
``parts/NUMBER-of-PARTS`` in the sweep's folder, and what they made is gathered from there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from specmup.runs.job import Record
from specmup.runs.refusals import UNCHANGED, answered
from specmup.runs.store import RunError, Store, StoreContents
from specmup.sweeps.collect import finished_and_missing
from specmup.sweeps.configuration import Sweep
from specmup.sweeps.content import text_of_records
from specmup.sweeps.growth import requested_runs
from specmup.sweeps.run import Run

NAME = re.compile(r"(\d+)-of-(\d+)")


@dataclass(frozen=True)
class Part:
    """One of several shares of a sweep's runs, which together are all of them.

    Args:
        number: From 0, as array jobs count.
        of: How many parts there are.

    Raises:
        ValueError: If there is no such part.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        """Refuse a number beyond the parts."""
        if not 0 <= self.number < self.of:
            raise ValueError(f"part {self.number} of {self.of}: the parts count from 0 on")

    def store(self, whole: Store) -> Store:
        """Its own, inside the folder of the whole sweep."""
        return Store(whole.folder / "parts" / f"{self.number}-of-{self.of}", Run, whole.check)

    def owner(self, sweep: Sweep) -> Callable[[Run], bool]:
        """Tells whether a run is this part's.

        Runs of the file are dealt out in their order, so that every part gets large ones and small
        ones; those that a grid grew by, whose order depends on what is found first, by their names.
        """
        first = {run.identity: place for place, run in enumerate(requested_runs(sweep, {}))}

        def owns(run: Run) -> bool:
            return first.get(run.identity, int(run.identity, 16)) % self.of == self.number

        return owns


def stores_of_parts(whole: Store) -> Iterator[Store]:
    """The stores of all parts that there are, in however many parts a sweep was run.

    Raises:
        RunError: If one of the folders is a link, or the system does not let it be read.
    """
    folder = whole.folder / "parts"
    with answered(whole.folder, UNCHANGED):
        found = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in (folder, *found):
        if path.is_symlink():
            raise RunError(f"{path} is a link, which is not followed: put the folder itself there")
    for path in found:
        if NAME.fullmatch(path.name):
            yield Store(path, Run, whole.check)


def records_elsewhere(whole: Store, own: Store) -> dict[str, Record]:
    """Records of the whole and of all parts but one's own."""
    stores = [whole, *(s for s in stores_of_parts(whole) if s.folder != own.folder)]
    return {name: record for store in stores for name, record in store.read().records.items()}


@dataclass
class Gathered:
    """What :func:`gather` found in the parts.

    Attributes:
        taken: Records that the whole had not.
        found: Records that it had.
        corrupt: Files that are no records, which their part sets aside when it is run again.
    """

    taken: int = 0
    found: int = 0
    corrupt: list[Path] = field(default_factory=list)


def ungathered(whole: Store) -> int:
    """How many runs have a record in some part and none in the whole."""
    kept = whole.read().records.keys()
    return len({name for s in stores_of_parts(whole) for name in s.read().records} - kept)


def gather(sweep: Sweep, whole: Store) -> Gathered:
    """Copy every record of the parts into the whole, each run's once.

    A part that is running still gives what it has finished. The parts keep their files.

    Args:
        sweep: What was run.
        whole: Its store, held alone meanwhile.

    Raises:
        RunError: If another process holds the whole; if two records of one run differ in what came
            of it, or runs were trained on different texts: nothing is copied then.
        DiskFull: If there is no room.
    """
    told = Gathered()
    with whole.locked():
        contents = whole.read()
        origin = {name: whole.folder for name in contents.records}
        records = dict(contents.records)
        for store in stores_of_parts(whole):
            part = store.read()
            told.corrupt += part.corrupt
            for name, record in part.records.items():
                if name not in records:
                    records[name], origin[name] = record, store.folder
                elif not _agree(record, records[name]):
                    raise RunError(_conflict(name, origin[name], store.folder))
        text_of_records(finished_and_missing(sweep, StoreContents(records))[0])
        for path in contents.corrupt:
            whole.set_aside(path)
        for name, record in records.items():
            if origin[name] == whole.folder:
                told.found += 1
            else:
                whole.write(record)
                told.taken += 1
    return told


def _agree(one: Record, other: Record) -> bool:
    """Whether two records tell the same of a run; it may have taken another time elsewhere."""
    results = [{**record.result, "seconds": 0} for record in (one, other)]
    return one.job == other.job and results[0] == results[1]


def _conflict(name: str, first: Path, second: Path) -> str:
    return (
        f"two results of one run: runs/{name}.json differs in {first} and in {second}; nothing "
        "was gathered: delete the one that you do not trust"
    )
