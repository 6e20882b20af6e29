"""The measures of :mod:`experiments.instruments.assumptions`, taken along a training run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import pandas as pd
import torch
from torch import Tensor

from experiments.instruments import assumptions as measures
from experiments.instruments.contributions import addition, branch_outputs, branch_updates
from experiments.instruments.expansion import Snapshot, overall_rms
from specmup.models.resnet import ResNet
from specmup.norms import or_inf, rms_operator_norm
from specmup.runs.results import significant
from specmup.training.resnet import replica_losses

KINDS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "weight": rms_operator_norm,
    "feature": overall_rms,
}


class Recorder:
    """Takes the measures of one run; to be called before and after each of its steps.

    Args:
        model: Stacked, at its start.
        x: All samples (batch, d).
        y: Their classes (batch,).
        moments: The steps at which everything is measured, numbered from 0.
    """

    def __init__(self, model: ResNet, x: Tensor, y: Tensor, moments: Collection[int]) -> None:
        """Keep the start."""
        self._model, self._x, self._y = model, x, y
        self._moments = set(moments)
        self._start = Snapshot.of(model, x)
        self._first_branches = branch_outputs(model, x)
        self._routes = {
            (kind, name): measures.Route(size)
            for kind, size in KINDS.items()
            for name in measures.watched(model)
        }
        self._weights, self._left = self._advance_routes()
        self._frames: list[pd.DataFrame] = []

    def before(self, step: int) -> None:
        """What can be seen before update number ``step``, from 0."""
        if step in self._moments:
            self._signals = measures.signals(self._model, self._x, self._y)
            self._loss = replica_losses(self._model, self._x, self._y).detach()
            self._branches = branch_outputs(self._model, self._x)
            self._held = Snapshot.of(self._model, self._x)

    def after(self, step: int) -> None:
        """What update number ``step`` has done."""
        weights, left = self._advance_routes()
        if step in self._moments:
            network = self._of_network()
            for name in weights:
                of_map = self._of_map(name, weights[name], left[name])
                columns = {k: or_inf(v).tolist() for k, v in (network | of_map).items()}
                replicas = range(len(columns["loss"]))
                frame = pd.DataFrame({"replica": replicas, "step": step, "layer": name} | columns)
                self._frames.append(frame)
        self._weights, self._left = weights, left

    def frame(self) -> pd.DataFrame:
        """Columns replica, step, layer, and the measures to four significant digits."""
        return significant(pd.concat(self._frames, ignore_index=True))

    @torch.no_grad()
    def _advance_routes(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Weights and features as they are now, also as the next place of each route."""
        before_last = self._model.features(self._x)[-2]
        values = {
            "weight": measures.watched_weights(self._model),
            "feature": measures.leaving(self._model, self._x, before_last),
        }
        for (kind, name), route in self._routes.items():
            route.move_to(values[kind][name])
        return values["weight"], values["feature"]

    def _of_network(self) -> dict[str, Tensor]:
        grown = branch_outputs(self._model, self._x) - self._first_branches
        contributions = {
            "outputs": self._branches,
            "updates": branch_updates(self._model, self._held),
            "grown": grown,
            "learned": branch_updates(self._model, self._start),
        }
        return {"loss": self._loss} | {
            f"{name}_add": addition(v) for name, v in contributions.items()
        }

    def _of_map(self, name: str, weight: Tensor, left: Tensor) -> dict[str, Tensor]:
        signal = self._signals[name]
        update = weight - self._weights[name]
        activated = name == "map 1"
        whole = torch.ones_like(self._loss)
        values = {
            "weight": rms_operator_norm(signal.weight),
            "update": rms_operator_norm(update),
            "weight_kept": measures.kept(rms_operator_norm, signal.weight, update),
            "feature_kept": measures.kept(overall_rms, signal.leaving, left - signal.leaving),
            "passed_on": measures.passed_on(self._model, signal) if activated else whole,
            "samples_agree": measures.sample_alignment(signal),
            "against_own": measures.against_own(signal),
            "reach": measures.reach(update, signal.entering),
        }
        for kind in KINDS:
            route = self._routes[kind, name]
            values |= {f"{kind}_straight": route.straightness(), f"{kind}_moved": route.moved()}
        return values
