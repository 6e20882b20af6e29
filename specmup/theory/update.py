"""How large one step of an optimizer is, as an order, read off its update rule.

One step is ΔW = −η(A + λW). Everything that a scaling rule needs of an optimizer is the order of
‖A‖_R. It follows from two facts about the gradient: how much the loss can change per unit of
‖ΔW‖_R, and that the gradient of a small batch has rank Θ(1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from specmup.theory.order import ONE, Order

HALF = "1/2"


@dataclass(frozen=True)
class MatrixSize:
    """Orders of a matrix with ``fan_out`` rows and ``fan_in`` columns: its two Schatten norms.

    Args:
        fan_out: Number of rows n_out.
        fan_in: Number of columns n_in.
        spectral: Order of ‖A‖₂.
        frobenius: Order of ‖A‖_F; equal to ``spectral`` where the rank is Θ(1).
    """

    fan_out: Order
    fan_in: Order
    spectral: Order
    frobenius: Order

    @property
    def rms_operator(self) -> Order:
        """Order of ‖A‖_R = √(n_in/n_out)·‖A‖₂."""
        return (self.fan_in / self.fan_out) ** HALF * self.spectral

    @property
    def entry(self) -> Order:
        """Order of one entry: ‖A‖_F spread evenly over n_out·n_in of them."""
        return self.frobenius / (self.fan_out * self.fan_in) ** HALF

    def scaled(self, factor: Order) -> MatrixSize:
        """The size of ``factor`` times the matrix."""
        return MatrixSize(
            self.fan_out, self.fan_in, self.spectral * factor, self.frobenius * factor
        )

    def sign(self) -> MatrixSize:
        """Every entry divided by its own size, which leaves entries ±1 and the rank Θ(1) as is."""
        return self.scaled(ONE / self.entry)

    def orthogonalised(self) -> MatrixSize:
        """UVᵀ in place of UΣVᵀ: every singular value becomes 1."""
        return self.scaled(ONE / self.spectral)


@dataclass(frozen=True)
class Layer:
    """What an update law may depend on.

    Args:
        fan_out: Number of outputs n_out.
        fan_in: Number of inputs n_in.
        sensitivity: Change s of the loss per unit of ‖ΔW‖_R.
        weight_norm: ‖W‖_R.
    """

    fan_out: Order
    fan_in: Order
    sensitivity: Order
    weight_norm: Order

    @property
    def gradient(self) -> MatrixSize:
        """Size of the gradient G, from the sensitivity.

        The loss changes by ⟨G, ΔW⟩. The largest change over ‖ΔW‖_R ≤ 1, that is over
        ‖ΔW‖₂ ≤ √(n_out/n_in), is √(n_out/n_in) times the nuclear norm of G, by duality. It is s,
        so the nuclear norm is s·√(n_in/n_out); rank Θ(1) makes all Schatten norms of that order.
        """
        nuclear = self.sensitivity * (self.fan_in / self.fan_out) ** HALF
        return MatrixSize(self.fan_out, self.fan_in, spectral=nuclear, frobenius=nuclear)

    @property
    def larger_fan(self) -> Order:
        """max(n_in, n_out)."""
        return self.fan_in + self.fan_out


@dataclass(frozen=True)
class UpdateLaw:
    """An optimizer, as far as scaling is concerned.

    Args:
        name: The name by which users ask for it.
        title: The name in prose.
        step: Size of A for a layer.
        epsilon: Size of what the stabiliser ε is added to; None where there is no such ε.
        matrices_only: Whether it is made for hidden matrices, with another optimizer on the rest.
    """

    name: str
    title: str
    step: Callable[[Layer], MatrixSize]
    epsilon: Callable[[Layer], Order] | None = None
    matrices_only: bool = False


def _gradient_entry(layer: Layer) -> Order:
    return layer.gradient.entry


LAWS = {
    law.name: law
    for law in (
        # A = G.
        UpdateLaw("sgd", "SGD", lambda layer: layer.gradient),
        # A = m/(√v + ε), near sign(G); ε stands beside √v, which is as large as an entry of G.
        UpdateLaw("adamw", "AdamW", lambda layer: layer.gradient.sign(), _gradient_entry),
        # A = √max(n_in, n_out)·UVᵀ (liu2025).
        UpdateLaw(
            "muon-kimi",
            "Muon-Kimi",
            lambda layer: layer.gradient.orthogonalised().scaled(layer.larger_fan**HALF),
            matrices_only=True,
        ),
    )
}


def update_law(name: str) -> UpdateLaw:
    """The update law called ``name``.

    Raises:
        ValueError: If there is none; the message lists those that exist.
    """
    if name not in LAWS:
        raise ValueError(f"unknown optimizer {name!r}: choose one of {', '.join(LAWS)}")
    return LAWS[name]
