"""One run of a sweep: a complete description, and its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, TypedDict

from specmup.models.language import Shape, shape_of
from specmup.runs.job import Job
from specmup.theory.update import UpdateLaw, update_law
from specmup.training.recipe import Recipe

TASK = "language-model"
# Raised when the meaning of a configuration changes, so that old records are not taken for new.
# 2: weights and windows are drawn from streams of their own.
VERSION = 2
OWN_OPTIONS = ("companion", "companion_rate", "epsilon")


class Rule(TypedDict, total=False):
    """What :func:`specmup.parametrization.plan.make_plan` is told of a rule."""

    parametrization: str
    block_depth: int


# SP is that of plans: the base's std where the fan-in stays, smaller as 1/√fan-in where it grows,
# no multipliers and one learning rate. GPT-2's own habits, one std at all widths and residual maps
# divided by √(2L), are not in it.
RULES: dict[str, Rule] = {
    "sp": {"parametrization": "sp"},
    "k1": {"block_depth": 1},
    "k2": {"block_depth": 2},
}


@dataclass(frozen=True)
class Run:
    """One training run, completely described: equal descriptions give equal results.

    Args:
        text: ``source`` and ``vocabulary``.
        model: ``kind``, as of :func:`specmup.models.language.shape_of`, and the options of its
            shape but the sizes that are swept.
        base: ``width``, ``depth`` and ``std`` of the tuned model; ``epsilon`` if not the library's.
        training: Options of :class:`specmup.training.recipe.Recipe`; ``floor_rate`` in place of
            ``floor`` is the base learning rate to which the schedule falls.
        rule: A key of :data:`RULES`.
        optimizer: A name in :data:`specmup.theory.update.LAWS`.
        options: Of the optimizer; ``companion``: those of AdamW beside an optimizer of matrices;
            ``companion_rate``: what AdamW's learning rate is there, in units of the matrices';
            ``epsilon``: in place of the base's, a number or numbers by role.
        width: n.
        depth: L.
        log2_lr: Base-2 logarithm of the base's learning rate.
        weight_decay: Decoupled decay of the base.
        seed: Of the initial weights and of the training windows.
    """

    text: Mapping[str, Any]
    model: Mapping[str, Any]
    base: Mapping[str, Any]
    training: Mapping[str, Any]
    rule: str
    optimizer: str
    options: Mapping[str, Any]
    width: int
    depth: int
    log2_lr: float
    weight_decay: float
    seed: int

    @cached_property
    def identity(self) -> str:
        """The run's name, that of the job that it is."""
        return Job(TASK, VERSION, asdict(self)).identity

    @property
    def law(self) -> UpdateLaw:
        """What the optimizer's steps are."""
        return update_law(self.optimizer)

    @property
    def shape(self) -> Shape:
        """The model that is trained."""
        return self._shape(self.width, self.depth)

    @property
    def base_shape(self) -> Shape:
        """The model whose numbers are scaled."""
        return self._shape(self.base["width"], self.base["depth"])

    @property
    def recipe(self) -> Recipe:
        """How it is trained."""
        told = dict(self.training)
        if (rate := told.pop("floor_rate", None)) is not None:
            told["floor"] = min(1.0, rate / 2.0**self.log2_lr)
        return Recipe(**told)

    @property
    def tokens(self) -> int:
        """Tokens that it is trained on."""
        return self.recipe.steps * self.recipe.batch_size * self.shape.context

    def _shape(self, width: int, depth: int) -> Shape:
        vocabulary = self.text["vocabulary"]
        return shape_of(**self.model, vocabulary=vocabulary, width=width, depth=depth)
