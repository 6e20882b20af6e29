"""What a sweep is: a TOML file, and the runs that its grids ask for."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import chain, pairwise, product
from math import isfinite
from pathlib import Path
from typing import Any

from specmup.runs.manifest import SCALES
from specmup.streams import checked_seed
from specmup.sweeps.run import RULES, Run
from specmup.theory.update import update_law


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

    def __post_init__(self) -> None:
        """Refuse a grid that is empty or out of order."""
        for name in ("rules", "optimizers", "log2_lr", "seeds", "weight_decay"):
            if not getattr(self, name):
                raise ValueError(f"{name} is empty: a grid needs at least one")
        if not (self.widths or self.depths):
            raise ValueError("a grid needs widths, depths or both")
        for rule in self.rules:
            if rule not in RULES:
                raise ValueError(f"unknown rule {rule!r}: choose among {', '.join(RULES)}")
        for optimizer in self.optimizers:
            update_law(optimizer)
        for seed in self.seeds:
            checked_seed(seed)
        rates = self.log2_lr
        if not all(isfinite(r) for r in rates) or any(b <= a for a, b in pairwise(rates)):
            raise ValueError(f"log2_lr is {list(rates)}: give finite numbers that increase")
        if self.extend < 0 or (self.extend and len(rates) < 3):
            raise ValueError(
                f"extend is {self.extend} with {len(rates)} rates: give 0 or more, and three "
                "rates at least where a grid may grow"
            )

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
    try:
        told = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}") from None
    except (OSError, ValueError) as problem:
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
    grids = told.get("grid", [])
    if not isinstance(grids, list) or not grids:
        raise ValueError("there is no [[grid]]: write at least one")
    made = []
    for number, grid in enumerate(grids, start=1):
        try:
            made.append(_filled(Grid, grid))
        except ValueError as problem:
            raise ValueError(f"grid {number}: {problem}") from problem
    sweep = _filled(Sweep, {**told, "grid": tuple(made)})
    if sweep.scale not in SCALES:
        raise ValueError(f"scale {sweep.scale!r} is not one of {', '.join(SCALES)}")
    _check_tables(sweep)
    return sweep


def _check_tables(sweep: Sweep) -> None:
    for table, needed, optional in (
        ("text", {"source", "vocabulary"}, set()),
        ("base", {"width", "depth", "std"}, {"epsilon"}),
    ):
        given = set(getattr(sweep, table))
        if needed - given or given - needed - optional:
            raise ValueError(
                f"[{table}] has {', '.join(sorted(given)) or 'nothing'}: it takes "
                f"{', '.join(sorted(needed | optional))}"
            )
    for name in sweep.optimizers:
        update_law(name)
    for grid in sweep.grid:
        for curve in chain.from_iterable(sweep.families(grid)):
            run = curve.run(grid.log2_lr[0], grid.seeds[0])
            try:
                _ = run.shape, run.base_shape, run.recipe
            except TypeError as problem:
                name = str(problem).rpartition(".")[2]
                raise ValueError(f"[model] or [training]: {name}") from problem


def _filled(kind: type, told: Mapping[str, Any]) -> Any:
    """A dataclass from a table of its file; errors name what is unknown or missing."""
    known = {f.name for f in fields(kind)}
    if unknown := sorted(set(told) - known):
        raise ValueError(f"unknown {', '.join(unknown)}: it takes {', '.join(sorted(known))}")
    try:
        return kind(**told)
    except TypeError as problem:
        missing = str(problem).rpartition(": ")[2]
        raise ValueError(f"missing {missing}") from problem
