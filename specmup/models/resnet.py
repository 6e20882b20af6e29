"""Residual networks with k linear maps a branch, alone or many at once.

    h_0 = α_in (W_in x + b_in)
    h_l = h_{l-1} + α_hidden f_l(h_{l-1}),    f_l(h) = W⁽ᵏ⁾ φ(… φ(W⁽¹⁾ h))    (k = 1: φ(W h))
    logits = α_out W_out h_L

A pre-activation branch has φ before every map instead: f_l(h) = W⁽ᵏ⁾ φ(… W⁽¹⁾ φ(h)).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from functools import partial
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from specmup.models.residual import ResidualNetwork, ResNetShape
from specmup.streams import stream

Network = TypeVar("Network", bound=ResidualNetwork)


class ResNet(ResidualNetwork):
    """A residual network of equal blocks, or R of them stacked.

    Parameters are ``input`` (R?, n, d), ``hidden`` (R?, L, k, n, n), ``output`` (R?, c, n), and
    with biases ``input_bias`` (R?, n) and ``hidden_bias`` (R?, L, k, n).
    """

    def additions(self) -> list[Callable[[Tensor], Tensor]]:
        """α·f of each block."""
        return [partial(self._added, own) for own in self.blocks()]

    def _added(self, own: tuple[Sequence[Tensor], Sequence[Tensor]], h: Tensor) -> Tensor:
        return self.multipliers["hidden"] * self.branch(h, *own)

    def blocks(self) -> list[tuple[tuple[Tensor, ...], tuple[Tensor, ...]]]:
        """Each block's k maps (R?, n, n) and k biases (R?, n), none without biases.

        They are taken apart at once: the backward pass of ``unbind`` is one ``stack``, whereas
        the gradient of each ``hidden[..., l, i, :, :]`` would fill a zero tensor of full size.
        """
        k = self.shape.block_depth
        maps = self.hidden.flatten(-4, -3).unbind(-3)
        biases = self.hidden_bias.flatten(-3, -2).unbind(-2) if self.shape.bias else ()
        return [(maps[i : i + k], biases[i : i + k]) for i in range(0, len(maps), k)]


class Numbers(Protocol):
    """What a model needs to know of a role: :class:`specmup.training.scaling.Settings` has both."""

    @property
    def multiplier(self) -> float:
        """α."""

    @property
    def std(self) -> float:
        """Standard deviation at initialisation."""


def build(
    shape: ResNetShape, settings: Mapping[str, Numbers], seeds: int | Sequence[int]
) -> ResNet:
    """An initialised network with the settings' multipliers.

    Args:
        shape: The sizes and the activation.
        settings: Multiplier and standard deviation by role.
        seeds: One integer for a plain model, a sequence for one stacked replica a seed.
    """
    return build_as(ResNet, shape, settings, seeds)


def build_as(
    network: type[Network],
    shape: ResNetShape,
    settings: Mapping[str, Numbers],
    seeds: int | Sequence[int],
) -> Network:
    """As :func:`build`, of any kind of residual network."""
    replicas = len(seeds) if isinstance(seeds, Sized) else None
    multipliers = {role: numbers.multiplier for role, numbers in settings.items()}
    return initialise(network(shape, multipliers, replicas), settings, seeds)


@torch.no_grad()
def initialise(
    model: Network, settings: Mapping[str, Numbers], seeds: int | Sequence[int]
) -> Network:
    """Draw Gaussian weights with each role's ``std``; biases become zero.

    Replica r is drawn from a generator of its own, seeded with ``seeds[r]``: it equals the plain
    model with that seed, on every device and whatever the other replicas are.

    Args:
        model: Changed in place.
        settings: By role; those of the shape's weights are used.
        seeds: One integer for a plain model, one a replica for a stacked one.

    Returns:
        The model.

    Raises:
        ValueError: If the number of seeds is not the number of replicas.
    """
    for role, parameter in model.named_parameters():
        if role.endswith("bias"):
            parameter.zero_()
    for r, seed in enumerate(seeds_of(model, seeds)):
        generator = stream("weights", seed)
        for role in model.shape.weights:
            parameter = getattr(model, role)
            weight = parameter if model.replicas is None else parameter[r]
            weight.copy_(torch.randn(weight.shape, generator=generator) * settings[role].std)
    return model


def seeds_of(model: ResidualNetwork, seeds: int | Sequence[int]) -> list[int]:
    """The seeds as a list, one a replica.

    Raises:
        ValueError: If their number is not the number of replicas.
    """
    given = list(seeds) if isinstance(seeds, Iterable) else [seeds]
    expected = 1 if model.replicas is None else model.replicas
    if len(given) != expected:
        raise ValueError(f"{len(given)} seeds for {expected} replicas: give one a replica")
    return given
