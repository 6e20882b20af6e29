"""A job is a task, its declared version and its options; a record is what came of one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from specmup.streams import version as streams_version


class Identified(Protocol):
    """A job of any kind: what tells it from others is its identity."""

    @property
    def identity(self) -> str:
        """The name of its record."""


@dataclass(frozen=True)
class Job:
    """One piece of work, completely described: equal descriptions give equal results.

    Args:
        task: What is done, such as ``experiments.ridge.sweep_one_multiplier``.
        version: Of the task, raised when the same options come to mean another result.
        options: Plain values.
    """

    task: str
    version: int
    options: Mapping[str, Any]

    @cached_property
    def identity(self) -> str:
        """A hash of all it says and of the version of the random streams: its record's name."""
        said = [self.task, self.version, streams_version(), self.options]
        text = json.dumps(said, sort_keys=True, default=list)
        return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Record:
    """A finished job.

    Args:
        job: A :class:`Job`, or another frozen dataclass of plain values with an ``identity``.
        result: What came of it, in values that JSON knows and infinities; among them ``seconds``.
        origin: Device, versions and what else the result depends on.
    """

    job: Any
    result: Mapping[str, Any]
    origin: Mapping[str, Any]
