"""What a plan holds, and how it is applied to a model.

A plan is data. It hangs nothing on tensors and keeps no model, so a model may be copied, compiled,
wrapped, saved and loaded before or after; parameters are found by their names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TypeVar

from torch import nn
from torch.optim import Optimizer

from specmup.foreign import in_one_line
from specmup.inspection.model_pair import ScaledDim
from specmup.inspection.names import abbreviated, spellings
from specmup.parametrization import plan_json
from specmup.parametrization.attention import AttentionScale, check_scales, set_scales
from specmup.parametrization.initial import (
    Start,
    check_multipliers,
    redraw,
    rescale,
    set_multipliers,
)
from specmup.parametrization.parameter_plan import ParameterPlan
from specmup.parametrization.plan_optimizer import cut_apart, grouped, made_optimizer
from specmup.parametrization.report import Report
from specmup.parametrization.schedules import base_numbers, schedule_factor
from specmup.parametrization.tensors import require_module, tensors_of

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Plan(Mapping[str, ParameterPlan]):
    """Numbers by parameter name; a tied tensor is found under each of its names.

    Args:
        optimizer_name: A name in :data:`specmup.theory.update.LAWS`.
        gauge: ``forward`` or ``folded``.
        parametrization: ``spectral`` or ``sp``.
        block_depth: Number k of maps in a branch.
        width: Of the residual stream.
        depth: Number of blocks.
        architecture: The architecture's name; None if it was declared.
        entries: One a parameter, in the model's order.
        multipliers: What the forward pass must multiply by, by role; empty if it offers nothing.
        keeps_own_start: Whether the model is as large as its base, and starts as it likes.
        notes: What to know before training.
        attention: The scales of attention logits that are set, where the dimension of a head grows.
    """

    optimizer_name: str
    gauge: str
    parametrization: str
    block_depth: int
    width: ScaledDim
    depth: ScaledDim
    architecture: str | None
    entries: tuple[ParameterPlan, ...]
    multipliers: Mapping[str, float]
    keeps_own_start: bool
    notes: tuple[str, ...]
    attention: tuple[AttentionScale, ...] = ()

    @cached_property
    def _index(self) -> dict[str, ParameterPlan]:
        """The entries by all their names."""
        return {name: e for e in self.entries for name in (e.name, *e.tied)}

    def __getitem__(self, name: str) -> ParameterPlan:
        """The numbers of a parameter; wrappers' prefixes in the name do not matter.

        Raises:
            KeyError: If there is no such parameter.
        """
        found = (self._index[one] for one in spellings(name) if one in self._index)
        if (entry := next(found, None)) is None:
            near = [known for known in self if name in known] or list(self)
            raise KeyError(
                f"no parameter {name!r} in the plan: it has {abbreviated(near)}; see list(plan)"
            )
        return entry

    def __iter__(self) -> Iterator[str]:
        """Names of the parameters, each tensor once."""
        return (entry.name for entry in self.entries)

    def __len__(self) -> int:
        """Number of tensors."""
        return len(self.entries)

    def initialise(self, model: M, seed: int | None = None) -> M:
        """Give the model the plan's multipliers, attention scales and initial sizes, in place.

        With a seed, what the model draws is drawn anew from N(0, std²), a constant is set, and what
        else the model makes (tables, log-spaced rates) stays as it is. Without one, the values that
        the model holds are kept but for their size: each parameter is rescaled until its root mean
        square is ``init_std``, which a second call changes no more; and a model as large as its
        base is left as it is.

        Args:
            model: The target, with memory, before any training.
            seed: Of the draw; None to rescale.

        Returns:
            The model.

        Raises:
            ValueError: If the model is not the plan's, is on the meta device, or an initial size is
                unknown.
        """
        found = self._found(model)
        self.set_constants(model)
        starts = [(entry.name, found[entry.name], _start(entry)) for entry in self.entries]
        if seed is not None:
            redraw(starts, seed)
        elif not self.keeps_own_start:
            rescale(starts)
        return model

    initialize = initialise  # torch's spelling

    def set_constants(self, model: M) -> M:
        """Set multipliers and attention scales alone, as where trained weights were loaded anew.

        They are no weights, so no checkpoint holds them.

        Raises:
            ValueError: If the model is not the plan's.
        """
        require_module(model)
        set_multipliers(model, self.multipliers)
        set_scales(model, self.attention)
        return model

    def groups(self, model: nn.Module) -> list[dict]:
        """Plain parameter groups: parameters of equal numbers share one; frozen ones are left out.

        At the base size, where all numbers are base values, that leaves what one would write by
        hand.

        Raises:
            ValueError: If the model is not the plan's, it has other multipliers or scales of
                attention logits, or no learning rate was given.
        """
        trained = self._trained(model)
        check_multipliers(model, self.multipliers)
        check_scales(model, self.attention)
        return grouped(trained, self.optimizer_name)

    def optimizer(
        self,
        model: nn.Module,
        *,
        companion: Mapping | None = None,
        split: Mapping[str, int] | None = None,
        **options,
    ) -> Optimizer:
        """The optimizer, with :meth:`groups`.

        An optimizer of matrices takes a convolution's kernel as one matrix (n_out, n_in·…), and
        stacked maps, such as experts, one by one.

        A schedule must scale each group's own rate, as most do. ``OneCycleLR`` sets it instead:
        give it ``max_lr=[group["lr"] for group in optimizer.param_groups]``, and, where there is a
        companion, ``cycle_momentum=False``.

        Args:
            model: The target.
            companion: Options of AdamW beside an optimizer of matrices, such as ``betas``.
            split: For an optimizer of matrices, the number of maps that one matrix fuses, by a
                pattern of its name: ``{"*.c_attn.weight": 3}`` takes query, key and value one by
                one. It must be the same at every size.
            options: Options of the optimizer itself.

        Raises:
            ValueError: As :meth:`groups` and :func:`specmup.optimizers.registry.make_optimizer` do;
                if an option is a number that the plan holds for each group; or if a tensor cannot
                be taken apart.
        """
        groups, trained = self.groups(model), self._trained(model)
        cut = cut_apart(trained, self.optimizer_name, model, split or {})
        made = made_optimizer(self.optimizer_name, groups, cut, companion, options)
        made.defaults.update(base_numbers(self.entries))
        return made

    def schedule_factor(self, model: nn.Module, optimizer: Optimizer) -> float:
        """The one factor by which a schedule multiplies all rates of the plan at present.

        It is a check as well, for use inside any trainer: whatever wrote one rate into several
        groups, or trains by an optimizer of its own, leaves no such factor.

        Args:
            model: The target, as it is trained.
            optimizer: What trains it, in a trainer's wrapper or not.

        Raises:
            ValueError: If a parameter that is trained is not in the optimizer, or the rates are not
                one factor times the plan's; the message names them.
        """
        return schedule_factor(self._trained(model), optimizer)

    def report(self) -> Report:
        """The plan as a table to read, Markdown, HTML or JSON."""
        return Report(self._title(), self.entries, self.notes, self.attention)

    def to_json(self) -> str:
        """The whole plan, parameter by parameter; null where a number is not known or not there."""
        return plan_json.written({field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that :meth:`to_json` wrote: no base is needed to apply it.

        Raises:
            ValueError: If the text is no plan.
        """
        try:
            plan = cls(**plan_json.read(text))
            plan_json.refuse_other_kinds(plan)
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as problem:
            raise ValueError(
                f"the text is no plan ({in_one_line(problem)}): give what to_json wrote"
            ) from None
        return plan

    def __repr__(self) -> str:
        """One line; ``print`` shows the table."""
        told = self._title().replace(": ", ", ", 1).replace("; ", ", ").replace("→", "->")
        return f"<Plan: {told}, {len(self.entries)} parameters>"

    def __str__(self) -> str:
        """A plain text table."""
        return self.report().plain()

    def _repr_html_(self) -> str:
        return self.report().html()

    def _title(self) -> str:
        """One line: what is scaled how far, for which optimizer."""
        sizes = ", ".join(
            f"{name} {size.base:g} → {size.target:g}"
            for name, size in (("width", self.width), ("depth", self.depth))
        )
        rules = f"k = {self.block_depth}" if self.parametrization == "spectral" else "SP"
        kind = self.architecture or "declared architecture"
        return f"{kind}: {sizes}; {self.optimizer_name}, {rules}, {self.gauge} gauge"

    def _trained(self, model: nn.Module) -> list[tuple[ParameterPlan, nn.Parameter]]:
        """The parameters that are not frozen, each with its numbers."""
        found = self._found(model)
        if any(entry.learning_rate is None for entry in self.entries):
            raise ValueError("the plan has factors only: give make_plan a learning_rate")
        both = [(entry, found[entry.name]) for entry in self.entries]
        return [(entry, parameter) for entry, parameter in both if parameter.requires_grad]

    def _found(self, model: nn.Module) -> dict[str, nn.Parameter]:
        return tensors_of(model, self.entries, self._index)


def _start(entry: ParameterPlan) -> Start:
    scaled = entry.factors.init_std != 1
    return Start(entry.init_std, entry.start, entry.offset, entry.zero_rows, scaled)
