"""Two gauges: multipliers in the forward pass, or folded into the numbers of a parameter.

With W = c·W' the function stays the same at every step if init, learning rate, decay and ε change
by powers of c that depend on the optimizer alone. The powers come out of the update laws; what
keeps the identity from being exact in the library's code is said here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import log2

from specmup.inspection.model_pair import ModelPair
from specmup.optimizers.as_run import law_as_run
from specmup.theory.order import Number
from specmup.theory.rules import solved_layers
from specmup.theory.update import UpdateLaw

GAUGES = ("forward", "folded")

# Why a change of gauge is not an identity for what the libraries run.
INEXACT = {
    "sophia": "the bound on m/h does not move with the gauge: exact only while every entry of a "
    "step is clipped, as all are before the first estimate of h",
    "lamb": "exact for a parameter that starts away from zero, but for the ε that the library adds "
    "to the norm of a step as well, and while its max_grad_norm bounds nothing; a parameter at "
    "zero takes its first step with a trust ratio of one in either gauge",
    "lamb-clamped": "the clamp compares ‖W‖_F with a constant, so folding moves weights across it: "
    "the rules hold where ‖W‖_F stays above the clamp",
}
# Where rounding makes two gauges part visibly: not at all if c is a power of two.
ROUNDING = {
    **dict.fromkeys(("muon", "muon-original", "muon-kimi"), "its iteration rounds to bfloat16"),
    "soap": "eigenvectors of statistics without full rank magnify it",
}


@dataclass(frozen=True)
class GaugeChange:
    """How the numbers of W' follow from those of W = c·W'.

    Args:
        rate: Power p: η is divided by c^p and λ multiplied by c^p.
        epsilon: Power q: ε is multiplied by c^q; None without ε.
        inexact: Where the change is no identity in practice, why; None where it is one.
        rounding: Where rounding shows unless c is a power of two, why; None where it does not.
    """

    rate: int
    epsilon: int | None
    inexact: str | None
    rounding: str | None = None

    def text(self) -> str:
        """One sentence."""
        powers = ["init ÷ c", "η and λ as they are" if self.rate == 0 else self._rates()]
        if self.epsilon is not None:
            powers.append(f"ε × {_power(self.epsilon)}")
        identity = f"with a factor c in front, W = c·W', the weight W' has {', '.join(powers)}"
        if self.inexact is not None:
            return f"{identity}; {self.inexact}"
        if self.rounding is not None:
            return f"{identity}, exactly but for rounding ({self.rounding}) if c is no power of two"
        return f"{identity}, exactly"

    def _rates(self) -> str:
        return f"η ÷ {_power(self.rate)}, λ × {_power(self.rate)}"


def gauge_change(law: UpdateLaw) -> GaugeChange:
    """The powers of one optimizer, from its law."""
    numbers = solved_layers(2)["hidden"].at(fan_out=1, fan_in=1, width=1, depth=1)
    after = numbers.regauged(Number(2.0)).rule(law_as_run(law))
    epsilon = None if after.epsilon is None else round(log2(after.epsilon.value))
    rate = round(-log2(after.learning_rate.value))
    return GaugeChange(rate, epsilon, INEXACT.get(law.name), ROUNDING.get(law.name))


# The readout's multiplier 1/r_n cannot be folded into a matrix that is also the embedding: only one
# of its two uses may shrink. If a normalisation with a gain stands directly before the head, it
# fits into that gain and bias instead, and the tie stays exact.
def check_foldable(pair: ModelPair, gauge: str, unreached: Collection[str] = ()) -> None:
    """Refuse what no gauge, or the folded one, can express.

    Args:
        pair: Model and base.
        gauge: Of the plan.
        unreached: Names of parameters that were seen not to reach the output.

    Raises:
        ValueError: If the head's weight is normalised; if the head is tied and no gain stands
            before it; or if biases of several maps share a tensor with those that must shrink.
    """
    for param in pair.params:
        whole = next((p for p in pair.params if p.spec.pattern == param.spec.length_of), None)
        if whole is not None and whole.place == "head" and whole.fan_in.ratio != 1:
            raise ValueError(
                f"{param.spec.pattern} holds the lengths of a head's rows, of which no rule here "
                "speaks: take the weight normalisation off the head"
            )
    if gauge != "folded":
        return
    gain = any(m.place == "final_norm" and m.spec.is_gain for m in pair.params)
    if pair.tied and not gain and pair.width.ratio != 1:  # 1/r_n is something
        tied = next(m.spec for m in pair.params if m.tied)
        told = (
            f"{tied.names[0]} and {tied.aliases[0]} are one tensor"
            if tied.aliases
            else f"{tied.names[0]} leads into the stream and out of it"
        )
        raise ValueError(
            f"{told}, and the readout's multiplier 1/r_n can be "
            "folded into neither: it would shrink the embedding as well. Untie them; "
            "or give the model a `multipliers` dictionary and gauge='forward'; or, if a "
            "normalisation with a gain stands directly before the head, declare "
            "places={'its name': 'final_norm'}"
        )
    heads = [
        m.spec.pattern
        for m in pair.params
        if m.role == "output" and not set(unreached).issuperset(m.spec.names)
    ]
    if pair.tied and heads and pair.width.ratio != 1:
        raise ValueError(
            f"the readout's multiplier 1/r_n of the tied head stands in the gain before it, and "
            f"{', '.join(heads)}, a head as well, would be divided twice if it reads from there: "
            "untie the head, or give the model a `multipliers` dictionary and gauge='forward'"
        )
    for param in pair.params:
        stacked = param.spec.stacked and param.role == "hidden_bias"
        if stacked and pair.block_depth > 1:
            raise ValueError(
                f"{param.spec.pattern} holds the biases of all maps of a branch in one tensor, of "
                "which the folded gauge must shrink each by another power: use gauge='forward'"
            )


def _power(exponent: int) -> str:
    return "c" if exponent == 1 else f"c^{exponent}"
