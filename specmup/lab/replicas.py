"""The libraries' optimizers on stacked models: each replica at learning rates of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from specmup.apply.scaling import Settings
from specmup.models.resnet import ResNet

Groups = list[dict]
Key = tuple[float, float, float]  # learning rate, weight decay, ε


@dataclass(frozen=True)
class Library:
    """Which library optimizers make up a training optimizer.

    Args:
        main: Takes parameter groups and options, returns the optimizer.
        companion: Where ``main`` trains hidden matrices only, one map at a time: the optimizer of
            all other parameters. None where ``main`` trains everything.
    """

    main: Callable[..., Optimizer]
    companion: Callable[..., Optimizer] | None = None


def _sgd(groups: Groups, **options) -> Optimizer:
    return torch.optim.SGD(_without_epsilon(groups), fused=True, **options)


def _adamw(groups: Groups, **options) -> Optimizer:
    return torch.optim.AdamW(groups, fused=True, **options)


def _muon_kimi(groups: Groups, **options) -> Optimizer:
    return torch.optim.Muon(_without_epsilon(groups), adjust_lr_fn="match_rms_adamw", **options)


def _without_epsilon(groups: Groups) -> Groups:
    return [{key: value for key, value in group.items() if key != "eps"} for group in groups]


LIBRARY: dict[str, Library] = {
    "sgd": Library(_sgd),
    "adamw": Library(_adamw),
    "muon-kimi": Library(_muon_kimi, companion=_adamw),
}


class ReplicaOptimizer:
    """Library optimizers over views of a model's parameters; see :func:`replica_optimizer`."""

    def __init__(
        self,
        model: ResNet,
        settings: Sequence[Mapping[str, Settings]],
        library: Library,
        options: Mapping,
        companion: Mapping,
    ) -> None:
        """Cut the parameters into views and sort those into groups."""
        self._model = model
        self._views: list[tuple[nn.Parameter, bool, Sequence[Tensor]]] = []
        # Equal numbers share a group: fewer and larger calls of the library's kernels.
        main: dict[Key, list[Tensor]] = {}
        rest: dict[Key, list[Tensor]] = main if library.companion is None else {}
        for role, parameter in model.named_parameters():
            by_map = role == "hidden" and library.companion is not None
            views = self._slices(parameter.detach(), by_map)
            self._views.append((parameter, by_map, views))
            each = len(views) // len(settings)
            for r, mapping in enumerate(settings):
                groups = main if role == "hidden" else rest
                s = mapping[role]
                key = (s.learning_rate, s.weight_decay, s.epsilon)
                groups.setdefault(key, []).extend(views[r * each : (r + 1) * each])
        self.optimizers = [library.main(_groups(main), **options)]
        if library.companion is not None:
            self.optimizers.append(library.companion(_groups(rest), **companion))

    @property
    def param_groups(self) -> Groups:
        """The groups of the optimizers within."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self._model.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Hand each view its slice of the gradient and let the library update it."""
        for parameter, by_map, views in self._views:
            for view, gradient in zip(views, self._slices(parameter.grad, by_map), strict=True):
                view.grad = gradient
        for optimizer in self.optimizers:
            optimizer.step()

    def _slices(self, tensor: Tensor, by_map: bool) -> Sequence[Tensor]:
        """Views of a parameter or its gradient, replica by replica and map by map if asked."""
        stacked = tensor.unsqueeze(0) if self._model.replicas is None else tensor
        return (stacked.flatten(0, -3) if by_map else stacked).unbind(0)


def _groups(views: Mapping[Key, list[Tensor]]) -> Groups:
    return [
        {"params": params, "lr": learning_rate, "weight_decay": weight_decay, "eps": epsilon}
        for (learning_rate, weight_decay, epsilon), params in views.items()
    ]


def replica_optimizer(
    model: ResNet,
    settings: Mapping[str, Settings] | Sequence[Mapping[str, Settings]],
    name: str,
    *,
    companion: Mapping | None = None,
    **options,
) -> ReplicaOptimizer:
    """The library's own optimizer for each replica of a model.

    What the optimizer updates is a view of replica r's slice of each parameter, and the view's
    ``grad`` is the same slice of the parameter's gradient. So every replica is trained by the very
    code that would train it alone. Element-wise optimizers see few large tensors (``hidden[r]``
    whole); one of matrices sees every map by itself.

    Args:
        model: Plain or stacked.
        settings: Learning rate, decay and ε by role; one mapping a replica, or one for all.
        name: ``sgd``, ``adamw``, or ``muon-kimi``: Muon with ``match_rms_adamw`` on the hidden
            matrices and AdamW on everything else. The decay is that of the library: decoupled,
            except that SGD with momentum carries it through the momentum.
        companion: Options of the optimizer beside Muon, such as ``betas``.
        options: Options of the named optimizer, such as ``betas`` or ``momentum``.

    Raises:
        ValueError: If the name is unknown, a role has no settings, the number of mappings is not
            the number of replicas, or there are options for a companion that does not exist.
    """
    if name not in LIBRARY:
        raise ValueError(f"unknown optimizer {name!r}: choose one of {', '.join(LIBRARY)}")
    library = LIBRARY[name]
    if companion and library.companion is None:
        raise ValueError(f"{name} trains every parameter: it has no companion to give options to")
    replicas = 1 if model.replicas is None else model.replicas
    each = [settings] * replicas if isinstance(settings, Mapping) else list(settings)
    if len(each) != replicas:
        raise ValueError(f"{len(each)} settings for {replicas} replicas: give one a replica")
    roles = [role for role, _ in model.named_parameters()]
    if missing := sorted({role for role in roles for mapping in each if role not in mapping}):
        raise ValueError(f"no settings for {', '.join(missing)}: the model has such parameters")
    return ReplicaOptimizer(model, each, library, options, companion or {})
