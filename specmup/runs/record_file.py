"""A record as it stands in its file: JSON with a checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict

from specmup.runs.job import Record


def encoded(record: Record) -> bytes:
    """The record as JSON with a checksum; infinities are written as Python's json does."""
    said = {"identity": record.job.identity, "job": asdict(record.job)}
    said = {**said, "result": record.result, "origin": record.origin}
    said = json.loads(json.dumps(said, default=list))  # as it is read: tuples are lists
    return json.dumps({**said, "sha256": _digest(said)}).encode()


def decoded(content: bytes, identity: str, kind: type) -> Record:
    """The record that bytes hold.

    Args:
        content: As :func:`encoded` made it.
        identity: Of the job, by the file's name.
        kind: Of the job; a dataclass.

    Raises:
        ValueError: If it is none, or not what it was when written. What else nested or foreign
            JSON raises is in :data:`specmup.runs.files.UNREADABLE`.
    """
    said = json.loads(content)
    if said.pop("sha256") != _digest(said):
        raise ValueError("the checksum does not fit")
    if said["identity"] != identity:  # the job's own differs where its version is older
        raise ValueError("the name does not fit")
    record = Record(kind(**said["job"]), said["result"], said["origin"])
    if not isinstance(record.result, dict) or not isinstance(record.origin, dict):
        raise ValueError("its result or its origin is no table")
    return record


def _digest(content: Mapping) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
