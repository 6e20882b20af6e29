"""What a sweep's file may say: its tables, their keys, and the type and range of every value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from reprlib import Repr
from types import UnionType
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from specmup.runs.results import NAME

# A manifest records it, and takes no paths.
SOURCE = r"\A[A-Za-z0-9][A-Za-z0-9_.-]*\Z"
IN_WORDS = {
    f"matching regex {NAME!r}": "of lower-case letters, digits and hyphens",
    f"matching regex {SOURCE!r}": "that is a name, of letters, digits, hyphens, dots",
    "`array`": "a list",
    "`object`": "a table",
    "`str`": "a text in quotes",
    "`int`": "an integer",
    "`float`": "a number",
    "`bool`": "true or false",
    "`float | object`": "a number or a table of numbers",
    "`int | float | str`": "a number or a text in quotes",
    "`bool | int | float | str | array`": "a number, a text, true, false or a list",
}

Word = Annotated[str, Meta(max_length=100)]
# Of a sweep: its table and the folder of its runs are called so.
Name = Annotated[str, Meta(pattern=NAME, max_length=100)]
Source = Annotated[str, Meta(pattern=SOURCE, max_length=100)]
Size = Annotated[int, Meta(ge=1, le=1 << 20)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Log2 = Annotated[float, Meta(ge=-126, le=127)]  # as float32 holds
Positive = Annotated[float, Meta(gt=0, le=1e12)]
NotNegative = Annotated[float, Meta(ge=0, le=1e12)]
Seed = Annotated[int, Meta(ge=0, lt=1 << 32)]
OneOrMore = Meta(min_length=1)
# Of an option of a library, which knows the rest itself.
Option = bool | int | float | Word | list[int | float | Word]


class Table(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A table that takes the keys listed and no others; what is unset has its usual value."""


class Text(Table):
    """``[text]``."""

    source: Source
    vocabulary: Size


class Model(Table):
    """``[model]``, of the file or of a grid: see :mod:`specmup.models.language`."""

    kind: Word | UnsetType = UNSET
    group: Size | UnsetType = UNSET
    expansion: Size | UnsetType = UNSET
    context: Size | UnsetType = UNSET
    head_dimension: Size | UnsetType = UNSET
    normalisation: Word | UnsetType = UNSET
    qk_norm: bool | UnsetType = UNSET
    attention_scale: Word | UnsetType = UNSET
    bias: bool | UnsetType = UNSET
    tied: bool | UnsetType = UNSET


class Base(Table):
    """``[base]``."""

    width: Size
    depth: Size
    std: Positive | dict[str, Positive]
    epsilon: NotNegative | dict[str, NotNegative] | UnsetType = UNSET


class Training(Table):
    """``[training]``, of the file or of a grid: see :class:`specmup.training.recipe.Recipe`."""

    steps: Count | UnsetType = UNSET
    batch_size: Count | UnsetType = UNSET
    warm_up: Count | UnsetType = UNSET
    floor: NotNegative | UnsetType = UNSET
    floor_rate: NotNegative | UnsetType = UNSET
    clip: Positive | UnsetType = UNSET
    accumulation: Count | UnsetType = UNSET
    autocast: bool | UnsetType = UNSET
    compile: bool | UnsetType = UNSET
    validation_windows: Count | UnsetType = UNSET
    validate_every: Count | UnsetType = UNSET


class Grid(Table):
    """``[[grid]]``."""

    rules: Annotated[list[Word], OneOrMore]
    optimizers: Annotated[list[Word], OneOrMore]
    log2_lr: Annotated[list[Log2], OneOrMore]
    widths: list[Size] | UnsetType = UNSET
    depths: list[Size] | UnsetType = UNSET
    seeds: Annotated[list[Seed], OneOrMore] | UnsetType = UNSET
    weight_decay: Annotated[list[NotNegative], OneOrMore] | UnsetType = UNSET
    extend: Annotated[int, Meta(ge=0, le=100)] | UnsetType = UNSET
    model: Model | UnsetType = UNSET
    training: Training | UnsetType = UNSET


class Options(msgspec.Struct):
    """``[optimizers.NAME]``: what is not of the library, whose own options it knows itself."""

    epsilon: NotNegative | dict[str, NotNegative] | UnsetType = UNSET
    companion_rate: Positive | UnsetType = UNSET
    companion: dict[str, Any] | UnsetType = UNSET


class File(Table):
    """The whole file."""

    name: Name
    scale: Word
    text: Text
    model: Model
    base: Base
    training: Training
    grid: Annotated[list[Grid], OneOrMore]
    optimizers: dict[Word, dict[str, Any]] | UnsetType = UNSET


TABLES: dict[str, type[Table]] = {
    "text": Text,
    "model": Model,
    "base": Base,
    "training": Training,
    "grid": Grid,
}


def check(told: Any, kind: type | UnionType = File, within: str = "") -> None:
    """Refuse what is not of its type or range.

    Args:
        told: As TOML or JSON gives it.
        kind: What it should be.
        within: Name of the table in the file.

    Raises:
        ValueError: If something is; the message names the key, its value and what it may be.
    """
    try:
        msgspec.convert(told, kind)
    except msgspec.ValidationError as problem:
        said, _, path = str(problem).partition(" - at `")
        # The path ends where a table's keys are free, for there msgspec does not say which it is.
        steps = [] if path.startswith("key") else re.findall(r"\w+", path)
        raise ValueError(_in_words(said, steps, told, within)) from None


def short(value: Any) -> str:
    """A value in a message, cut where it is long."""
    printer = Repr()
    printer.maxlevel, printer.maxstring, printer.maxother = 3, 60, 60
    try:
        return printer.repr(value)
    except ValueError:  # Python prints no integers of more than 4300 digits
        return "a huge integer"


def refuse_unknown(where: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuse keys that are not known.

    Raises:
        ValueError: If there is one; the message names what is meant, or all that there is.
    """
    for key, value in given.items():
        if key not in known:
            close = get_close_matches(key, known, 1)
            remedy = f"did you mean {close[0]}?" if close else f"it takes {', '.join(known)}"
            raise ValueError(f"{where} takes no {short(key)[1:-1]} (= {short(value)}): {remedy}")


def place(*steps: str) -> str:
    """Where something stands in the file, as a reader counts: ``grid 1, depths``."""
    told = ", ".join(steps)
    return re.sub(r"\bgrid, (\d+)", lambda found: f"grid {int(found[1]) + 1}", told)


def _in_words(said: str, steps: list[str], told: Any, within: str) -> str:
    value = told
    table: type[Table] = File
    for step in steps:
        value = value[int(step)] if isinstance(value, list | tuple) else value[step]
        table = TABLES.get(step, table)
    where = place(*filter(None, [within, *steps])) or "the file"
    if said.startswith("Object contains unknown field"):
        refuse_unknown(where, value, table.__struct_fields__)
    if said.startswith("Object missing required field"):
        return f"{where} lacks {said.split('`')[1]}: give it"
    if "got `object`" in said and steps == ["grid"]:
        return "grid is one table: write [[grid]], in two pairs of brackets"
    expected = said.partition(", got")[0].removeprefix("Expected ")
    for words in IN_WORDS.items():
        expected = expected.replace(*words)
    return f"{where} is {short(value)}: give {expected}"
