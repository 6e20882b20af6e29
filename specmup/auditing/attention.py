"""The scale of attention logits, which stands in front of no parameter."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from statistics import fmean

from specmup.auditing.blame import Blame, orders
from specmup.auditing.deviations import MULTIPLIER
from specmup.auditing.equations import trend
from specmup.auditing.findings import Fault
from specmup.auditing.needs import Axis, factors_at
from specmup.auditing.powers import fit_power
from specmup.inspection.model_pair import ModelPair
from specmup.theory.order import ONE

LOGITS = "attention logits"
KEY = LOGITS, MULTIPLIER


def attention_faults(axes: Sequence[Axis], pair: ModelPair) -> list[Fault]:
    """The scale of attention logits: over d aligned terms it must fall like 1/d."""
    read: dict[str, Blame] = {}
    off: dict[str, Blame] = {}
    for axis in axes:
        each = [reading.constants.attentions for reading in axis.readings]
        known = [[(a.scale, a.dimension) for a in found if a.scale] for found in each]
        if not all(known) or [len(k) for k in known] != [len(found) for found in each]:
            continue
        scales = [exp(fmean(log(s) for s, _ in found)) for found in known]
        sums = [exp(fmean(log(s * d) for s, d in found)) for found in known]
        read[axis.name] = {KEY: fit_power(axis.sizes, scales).exponent}
        off[axis.name] = {KEY: fit_power(axis.sizes, sums).exponent}
    wrong = orders(off).get(KEY, ONE)
    if wrong == ONE:
        return []
    own = orders(read)[KEY]
    return [
        Fault(
            pattern=LOGITS,
            role="attention",
            number=MULTIPLIER,
            read=own,
            needed=own / wrong,
            factors=factors_at(wrong, pair),
            look=f"their size {trend(wrong)} once queries and keys align",
            harmless=False,
        )
    ]
