"""The optimizers on stacked models: each replica at learning rates of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from torch import Tensor, nn

from specmup.models.residual import ResidualNetwork
from specmup.optimizers.registry import ADAPTERS, make_optimizer
from specmup.theory.update import UpdateLaw, update_law
from specmup.training.curvature import TakesCurvature
from specmup.training.scaling import Settings

Groups = list[dict]
Key = tuple[float, float, float]  # learning rate, weight decay, ε


class ReplicaOptimizer:
    """One optimizer over views of a model's parameters; see :func:`replica_optimizer`."""

    def __init__(
        self,
        model: ResidualNetwork,
        settings: Sequence[Mapping[str, Settings]],
        law: UpdateLaw,
        options: Mapping,
        companion: Mapping | None,
    ) -> None:
        """Cut the parameters into views and sort those into groups."""
        self._model = model
        self._views: list[tuple[nn.Parameter, int | None, Sequence[Tensor]]] = []
        per_matrix = ADAPTERS[law.name].per_matrix
        # Equal numbers share a group: fewer and larger calls of the library's kernels.
        main: dict[Key, list[Tensor]] = {}
        rest: dict[Key, list[Tensor]] = main if not law.matrices_only else {}
        for role, parameter in model.named_parameters():
            is_main = role == "hidden" or not law.matrices_only
            ndim = (1 if role.endswith("bias") else 2) if per_matrix and is_main else None
            views = self._slices(parameter.detach(), ndim)
            self._views.append((parameter, ndim, views))
            each = len(views) // len(settings)
            for r, mapping in enumerate(settings):
                s = mapping[role]
                key = (s.learning_rate, s.weight_decay, s.epsilon)
                groups = main if is_main else rest
                groups.setdefault(key, []).extend(views[r * each : (r + 1) * each])
        all_groups = _groups(main, epsilon=law.epsilon is not None)
        if law.matrices_only:
            all_groups += [group | {"companion": True} for group in _groups(rest)]
        self.optimizer = make_optimizer(law.name, all_groups, companion=companion, **options)

    @property
    def param_groups(self) -> Groups:
        """The groups of the optimizer within."""
        return self.optimizer.param_groups

    @property
    def curvature_period(self) -> int | None:
        """Every how many steps it wants an estimate of the curvature; None for never."""
        return getattr(self.optimizer, "curvature_period", None)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self._model.zero_grad(set_to_none=True)

    def step(self, curvature: Mapping[Tensor, Tensor] | None = None) -> None:
        """Hand each view its slice of the gradient and let the library update it.

        Args:
            curvature: An estimate of the Hessian's diagonal for every parameter of the model, for
                an optimizer that wants one.
        """
        own: dict[Tensor, Tensor] = {}
        for parameter, ndim, views in self._views:
            if parameter.grad is None:
                raise ValueError("a parameter has no gradient: call backward before the step")
            for view, gradient in zip(views, self._slices(parameter.grad, ndim), strict=True):
                view.grad = gradient
            if curvature is not None:
                own.update(zip(views, self._slices(curvature[parameter], ndim), strict=True))
        if curvature is None:
            self.optimizer.step()
        else:
            cast(TakesCurvature, self.optimizer).step(curvature=own)

    def _slices(self, tensor: Tensor, ndim: int | None) -> Sequence[Tensor]:
        """Views of a parameter or its gradient: one a replica, or all that have ``ndim`` axes."""
        stacked = tensor.unsqueeze(0) if self._model.replicas is None else tensor
        return (stacked if ndim is None else stacked.flatten(0, -ndim - 1)).unbind(0)


def _groups(views: Mapping[Key, list[Tensor]], *, epsilon: bool = True) -> Groups:
    return [
        {"params": params, "lr": learning_rate, "weight_decay": weight_decay}
        | ({"eps": eps} if epsilon else {})
        for (learning_rate, weight_decay, eps), params in views.items()
    ]


def replica_optimizer(
    model: ResidualNetwork,
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
    whole); one that takes a matrix as a whole sees every map, and every bias vector, by itself.

    Args:
        model: Plain or stacked.
        settings: Learning rate, decay and ε by role; one mapping a replica, or one for all. The ε
            is unused where the optimizer has none.
        name: A name in :data:`specmup.theory.update.LAWS`. An optimizer of matrices trains the
            hidden matrices, and AdamW everything else. The decay is decoupled, except that SGD
            with momentum carries it through the momentum.
        companion: Options of that AdamW, such as ``betas``.
        options: Options of the named optimizer, such as ``betas`` or ``momentum``.

    Raises:
        ValueError: If the name or an option is unknown, a role has no settings, the number of
            mappings is not the number of replicas, or there are options for a companion that does
            not exist.
    """
    law = update_law(name)
    replicas = 1 if model.replicas is None else model.replicas
    each = [settings] * replicas if isinstance(settings, Mapping) else list(settings)
    if len(each) != replicas:
        raise ValueError(f"{len(each)} settings for {replicas} replicas: give one a replica")
    roles = [role for role, _ in model.named_parameters()]
    if missing := sorted({role for role in roles for mapping in each if role not in mapping}):
        raise ValueError(f"no settings for {', '.join(missing)}: the model has such parameters")
    return ReplicaOptimizer(model, each, law, options, companion)
