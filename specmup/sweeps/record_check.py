"""A record of a run is believed only where this program can have written it.

A checksum tells damage, not intent: whoever makes up a record makes up its checksum, too.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from specmup.runs.job import Record
from specmup.sweeps.schema import (
    Base,
    Model,
    NotNegative,
    Seed,
    Size,
    Table,
    Text,
    Training,
    Word,
    check,
)

Loss = Annotated[float, Meta(ge=0)]  # infinite for a run that diverged, and a number
Rate = Annotated[float, Meta(ge=-1000, le=1000)]  # a grid may have extended itself


class _Run(Table):
    text: Text
    model: Model
    base: Base
    training: Training
    rule: Word
    optimizer: Word
    options: dict[str, Any]
    width: Size
    depth: Size
    log2_lr: Rate
    weight_decay: NotNegative
    seed: Seed


class _Result(msgspec.Struct):
    loss: Loss
    train_loss: Loss
    diverged_at: Annotated[int, Meta(ge=-1)]
    seconds: NotNegative


def check_record(record: Record) -> None:
    """Refuse what no run can have left.

    Args:
        record: Of a :class:`specmup.sweeps.run.Run`.

    Raises:
        ValueError, TypeError, LookupError: If its run, its result or its origin is not such a one.
    """
    check(asdict(record.job), _Run, "job")
    check(record.result, _Result, "result")
    check(record.origin, dict[str, str], "origin")
    run = record.job
    _ = run.shape, run.base_shape, run.recipe, run.identity
