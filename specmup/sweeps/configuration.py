"""What a sweep is: a TOML file, and the runs that its grids ask for."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import pairwise, product
from math import prod
from pathlib import Path
from typing import Any

from specmup.data.text import KING_JAMES
from specmup.runs.manifest import SCALES
from specmup.sweeps.options import check_options
from specmup.sweeps.run import RULES, Run
from specmup.sweeps.schema import check, place, short
from specmup.theory.update import update_law

MOST_RUNS = 20_000  # of one file; more would take a dry run minutes


@dataclass(frozen=True)
class Grid:
    """Runs that differ in sizes, rule, optimizer, learning rate, decay and seed.

    Args:
        rules: Keys of :data:`RULES`.
        optimizers: Names in :data:`specmup.theory.update.LAWS`.
        log2_lr: At least one rate, increasing; at least three where the grid may extend itself.
        widths: Swept at the base's depth.
        depths: Swept at the base's width.
        seeds: Each decides initial weights and windows.
        weight_decay: Decoupled decays of the base.
        extend: Rates that may be added at either end, to bring the optimum inside.
        model: What differs from the sweep's own ``[model]``.
        training: What differs from its ``[training]``.
    """

    rules: Sequence[str]
    optimizers: Sequence[str]
    log2_lr: Sequence[float]
    widths: Sequence[int] = ()
    depths: Sequence[int] = ()
    seeds: Sequence[int] = (0,)
    weight_decay: Sequence[float] = (0.0,)
    extend: int = 0
    model: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def sizes(self, base: Mapping[str, Any]) -> list[tuple[int, int]]:
        """(width, depth) of each size, the base first where it is among them."""
        found = dict.fromkeys((w, base["depth"]) for w in self.widths)
        found |= dict.fromkeys((base["width"], d) for d in self.depths)
        return sorted(found, key=lambda size: size != (base["width"], base["depth"]))


@dataclass(frozen=True)
class Sweep:
    """A sweep, as its file says it.

    Args:
        name: Of the results: lower-case letters, digits and hyphens.
        scale: ``quick``, ``reference`` or ``gpu``.
        text: ``source`` and ``vocabulary``.
        model: Common options of the models.
        base: Sizes, ``std`` and perhaps ``epsilon`` of the base.
        training: Common options of the training.
        optimizers: Options by optimizer.
        grid: The grids.
    """

    name: str
    scale: str
    text: Mapping[str, Any]
    model: Mapping[str, Any]
    base: Mapping[str, Any]
    training: Mapping[str, Any]
    grid: Sequence[Grid]
    optimizers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def curve(self, grid: Grid, rule: str, optimizer: str, decay: float, size: tuple) -> Curve:
        """The runs of one learning-rate curve, without rates and seeds."""
        told = {
            "text": self.text,
            "model": {**self.model, **grid.model},
            "base": self.base,
            "training": {**self.training, **grid.training},
            "rule": rule,
            "optimizer": optimizer,
            "options": self.optimizers.get(optimizer, {}),
            "width": size[0],
            "depth": size[1],
            "weight_decay": float(decay),
        }
        return Curve(told)

    def count(self, grid: Grid) -> int:
        """How many runs a grid asks for, before it extends itself."""
        choices = grid.rules, grid.optimizers, grid.weight_decay, grid.log2_lr, grid.seeds
        return prod(map(len, choices)) * len(grid.sizes(self.base))

    def families(self, grid: Grid) -> Iterator[list[Curve]]:
        """A grid's curves, put together where they differ in their size only, the base's first."""
        for choice in product(grid.rules, grid.optimizers, grid.weight_decay):
            yield [self.curve(grid, *choice, size) for size in grid.sizes(self.base)]


@dataclass(frozen=True)
class Curve:
    """All of a run but its learning rate and seed."""

    told: Mapping[str, Any]

    def run(self, log2_lr: float, seed: int) -> Run:
        """The run at a rate, with a seed."""
        return Run(**self.told, log2_lr=float(log2_lr), seed=seed)

    @property
    def is_base(self) -> bool:
        """Whether it is of the size that the rules scale from."""
        return all(self.told[axis] == self.told["base"][axis] for axis in ("width", "depth"))


def read_sweep(path: str | Path) -> Sweep:
    """The sweep in a TOML file, checked as far as it can be without running it.

    Raises:
        ValueError: If there is no such file, it is not TOML, or something in it is unknown, missing
            or out of range; the message says where.
    """
    path = Path(path)
    if not path.is_file():
        there = f"{path} is no file" if path.exists() else f"there is no file {path}"
        raise ValueError(f"{there}: name the TOML file of a sweep")
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as problem:
        raise ValueError(f"{path} is not TOML, which is text in UTF-8: save it so") from problem
    except OSError as problem:
        raise ValueError(f"{path} cannot be read: {problem.strerror}") from problem
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{path} is not TOML: {problem}") from problem
    try:
        return sweep_from(told)
    except ValueError as problem:
        raise ValueError(f"{path}: {problem}") from problem


def sweep_from(told: Mapping[str, Any]) -> Sweep:
    """The sweep that a mapping describes, as a TOML file would.

    Raises:
        ValueError: As :func:`read_sweep` does.
    """
    check(told)
    # The values stay as they were told, or runs would change their names.
    sweep = Sweep(**{**told, "grid": tuple(Grid(**grid) for grid in told["grid"])})
    if sweep.scale not in SCALES:
        raise ValueError(f"scale is {short(sweep.scale)}: choose one of {', '.join(SCALES)}")
    _check_text(sweep.text)
    for name, options in sweep.optimizers.items():
        check_options(name, options)
    if (count := sum(map(sweep.count, sweep.grid))) > MOST_RUNS:
        raise ValueError(f"the grids ask for {count} runs: split them, {MOST_RUNS} a file at most")
    for number, grid in enumerate(sweep.grid):
        try:
            _check_grid(grid)
            _check_sizes(sweep, grid)
        except ValueError as problem:
            raise ValueError(f"{place('grid', str(number))}: {problem}") from problem
    return sweep


def _check_text(text: Mapping[str, Any]) -> None:
    source, vocabulary = text["source"], text["vocabulary"]
    if source != KING_JAMES and get_close_matches(source, [KING_JAMES], cutoff=0.8):
        raise ValueError(f"text, source is {source!r}: did you mean {KING_JAMES}?")
    if source == KING_JAMES and not 256 <= vocabulary <= 1 << 16:
        raise ValueError(
            f"text, vocabulary is {vocabulary}: {KING_JAMES} is encoded in 256 to 65536 tokens"
        )


def _check_grid(grid: Grid) -> None:
    """What one value alone does not tell."""
    for rule in grid.rules:
        if rule not in RULES:
            raise ValueError(f"unknown rule {short(rule)}: choose among {', '.join(RULES)}")
    for optimizer in grid.optimizers:
        if (law := update_law(optimizer)).name != optimizer:  # by which runs are kept
            raise ValueError(f"optimizer {short(optimizer)}: a file writes it {law.name!r}")
    if not (grid.widths or grid.depths):
        raise ValueError("there are no widths and no depths: give one of them, or both")
    for key in ("rules", "optimizers", "widths", "depths", "seeds", "weight_decay"):
        values = getattr(grid, key)
        if len(set(values)) < len(values):
            raise ValueError(f"{key} is {short(values)}: give each value once")
    rates = grid.log2_lr
    if any(b <= a for a, b in pairwise(rates)):
        raise ValueError(f"log2_lr is {short(rates)}: give numbers that increase")
    if all(0 < rate < 1 for rate in rates):
        raise ValueError(
            f"log2_lr is {short(rates)}: give logarithms to base 2, such as -10 for 2^-10 = 0.001"
        )
    if grid.extend and len(rates) < 3:
        raise ValueError(
            f"extend is {grid.extend} with {len(rates)} rates: give three rates at least where a "
            "grid may grow, or leave extend out"
        )


def _check_sizes(sweep: Sweep, grid: Grid) -> None:
    """Let every model and the recipe be described: they refuse what does not fit together."""
    told = {"model": {**sweep.model, **grid.model}, "training": {**sweep.training, **grid.training}}
    for table, key in (("model", "context"), ("training", "steps"), ("training", "batch_size")):
        if key not in told[table]:
            raise ValueError(f"[{table}] lacks {key}: give it")
    if {"floor", "floor_rate"} <= told["training"].keys():
        raise ValueError("[training] has floor and floor_rate: give one of them")
    for size in grid.sizes(sweep.base):
        curve = sweep.curve(grid, grid.rules[0], grid.optimizers[0], 0.0, size)
        run = curve.run(grid.log2_lr[0], grid.seeds[0])
        _ = run.shape, run.base_shape, run.recipe
