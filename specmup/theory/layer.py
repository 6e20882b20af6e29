"""How large a layer's weight and gradient are, as orders of magnitude or as numbers.

A matrix is described by its shape and two norms. That is all an update law needs to know of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

from specmup.theory.order import S, maximum

HALF = "1/2"


@dataclass(frozen=True)
class MatrixSize(Generic[S]):
    """Orders of a matrix with ``fan_out`` rows and ``fan_in`` columns: its two Schatten norms.

    Args:
        fan_out: Number of rows n_out.
        fan_in: Number of columns n_in.
        spectral: Order of ‖A‖₂.
        frobenius: Order of ‖A‖_F; equal to ``spectral`` where the rank is Θ(1).
    """

    fan_out: S
    fan_in: S
    spectral: S
    frobenius: S

    @property
    def rms_operator(self) -> S:
        """Order of ‖A‖_R = √(n_in/n_out)·‖A‖₂."""
        return (self.fan_in / self.fan_out) ** HALF * self.spectral

    @property
    def entry(self) -> S:
        """Order of one entry: ‖A‖_F spread evenly over n_out·n_in of them."""
        return self.frobenius / (self.fan_out * self.fan_in) ** HALF

    def scaled(self, factor: S) -> MatrixSize[S]:
        """The size of ``factor`` times the matrix."""
        return MatrixSize(
            self.fan_out, self.fan_in, self.spectral * factor, self.frobenius * factor
        )

    def sign(self) -> MatrixSize[S]:
        """Every entry divided by its own size, which leaves entries ±1 and the rank Θ(1) as is."""
        return self.scaled(self.entry**-1)

    def normalised(self) -> MatrixSize[S]:
        """The matrix divided by its Frobenius norm."""
        return self.scaled(self.frobenius**-1)

    def orthogonalised(self) -> MatrixSize[S]:
        """UVᵀ in place of UΣVᵀ: every singular value becomes 1."""
        return self.scaled(self.spectral**-1)


@dataclass(frozen=True)
class Layer(Generic[S]):
    """What an update law may depend on.

    Args:
        fan_out: Number of outputs n_out.
        fan_in: Number of inputs n_in.
        sensitivity: Change s of the loss per unit of ‖ΔW‖_R.
        weight_norm: ‖W‖_R.
    """

    fan_out: S
    fan_in: S
    sensitivity: S
    weight_norm: S

    @property
    def gradient(self) -> MatrixSize[S]:
        """S of the gradient G, from the sensitivity.

        The loss changes by ⟨G, ΔW⟩. The largest change over ‖ΔW‖_R ≤ 1, that is over
        ‖ΔW‖₂ ≤ √(n_out/n_in), is √(n_out/n_in) times the nuclear norm of G, by duality. It is s,
        so the nuclear norm is s·√(n_in/n_out); rank Θ(1) makes all Schatten norms of that order.
        """
        nuclear = self.sensitivity * (self.fan_in / self.fan_out) ** HALF
        return MatrixSize(self.fan_out, self.fan_in, spectral=nuclear, frobenius=nuclear)

    @property
    def larger_fan(self) -> S:
        """max(n_in, n_out)."""
        return maximum(self.fan_in, self.fan_out)

    @property
    def init_std(self) -> S:
        """Standard deviation that gives a Gaussian matrix its ‖W‖_R (zheng2026, Eq. 6).

        ‖W‖_R = √(n_in/n_out)·‖W‖₂ with ‖W‖₂ ≈ std·(√n_in + √n_out), solved for std.
        """
        return self.weight_norm * (self.fan_out / self.fan_in / self.larger_fan) ** HALF

    @property
    def weight_frobenius(self) -> S:
        """‖W‖_F of that Gaussian matrix: std·√(n_in·n_out)."""
        return self.init_std * (self.fan_in * self.fan_out) ** HALF
