"""Streams of random numbers: one for every purpose and seed, so that no two purposes share draws.

A run with one seed draws weights, a split, the order of its batches and more. Were they all drawn
from ``torch.Generator().manual_seed(seed)``, they would come out of the same numbers. Offsets
beyond 32 bits do not help: torch's generator on the CPU keeps the low 32 bits of a seed and drops
the rest in silence.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral

import numpy as np
import torch

# Numbers name the purposes for good: whoever changes one changes every result.
PURPOSES = {
    "weights": 0,  # a model's start
    "batches": 1,  # which samples a step sees
    "windows": 2,  # which windows of a text a step sees
    "labels": 3,  # labels drawn by the model, for estimates of curvature
    "split": 4,  # which samples are held out
    "pairs": 5,  # which digits stand side by side
    "check": 6,  # made-up batches of a coordinate check
}
SEEDS = 2**32
SEPARATE, SHARED = VERSIONS = ("separate", "shared")
VARIABLE = "SPECMUP_STREAMS"


def stream(purpose: str, seed: int, *rest: int) -> torch.Generator:
    """A generator on the CPU of its own for this purpose and seed.

    Its seed is a hash of (purpose, seed, …rest) by numpy's ``SeedSequence``, of 32 bits, which is
    what torch's generator takes. Two streams are the same with a chance of 2⁻³²; a test shows that
    no two purposes share one over the first thousand seeds.

    Args:
        purpose: A key of :data:`PURPOSES`.
        seed: From 0 to 2³² − 1.
        rest: More of what the draws belong to, such as a step.

    Raises:
        KeyError: If the purpose is unknown.
        ValueError: If the seed is no integer from 0 to 2³² − 1.
    """
    number, seed = PURPOSES[purpose], checked_seed(seed)
    if version() == SHARED:
        return torch.Generator().manual_seed(seed * 1_000_003 + rest[0] if rest else seed)
    # The count comes too, for SeedSequence takes (a, b) and (a, b, 0) for the same.
    (hashed,) = np.random.SeedSequence([number, seed, len(rest), *rest]).generate_state(1)
    return torch.Generator().manual_seed(int(hashed))


def checked_seed(seed: int) -> int:
    """The seed as Python's integer.

    Raises:
        ValueError: If it is no integer from 0 to 2³² − 1: others would fall together with these.
    """
    if isinstance(seed, bool) or not isinstance(seed, Integral) or not 0 <= seed < SEEDS:
        raise ValueError(f"seed {seed!r}: give an integer from 0 to {SEEDS - 1}")
    return int(seed)


def version() -> str:
    """Which streams are drawn from at present: ``separate``, unless told otherwise.

    ``shared`` are those of all results that were stored before streams were kept apart: one stream
    for all purposes of a seed. It is kept so that these can be made again.

    Raises:
        ValueError: If the environment variable ``SPECMUP_STREAMS`` names another.
    """
    told = os.environ.get(VARIABLE, SEPARATE)
    if told not in VERSIONS:
        raise ValueError(f"{VARIABLE} is {told!r}: it may be {' or '.join(VERSIONS)}")
    return told


@contextmanager
def drawn_from(streams: str) -> Iterator[None]:
    """Within, draw from streams of another version; worker processes begun within do, too.

    Raises:
        ValueError: If there is no such version.
    """
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = streams
    try:
        version()
        yield
    finally:
        os.environ.pop(VARIABLE) if before is None else os.environ.update({VARIABLE: before})
