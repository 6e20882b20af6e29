"""Ways to round otherwise: instruction sets and threads that a processor can be told to use.

The variables are read when torch is first imported, so each way needs a process of its own. What
starts from random numbers can also be perturbed: see :func:`perturb_starts`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

PERTURBED = "SPECMUP_TEST_PERTURBED"  # read by perturb_starts

# An older instruction set can be chosen, a newer one cannot. OPENBLAS_CORETYPE stays as the machine
# sets it: older OpenBLAS builds compute wrong results on some processors without it.
WAYS: Mapping[str, Mapping[str, str]] = {
    "as the processor is": {},
    "no AVX": {
        "ATEN_CPU_CAPABILITY": "default",
        "DNNL_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    },
    "AVX2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "DNNL_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
    "MKL compatible": {"MKL_CBWR": "COMPATIBLE"},
    "two threads": {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"},  # beside other work
    "perturbed 1": {PERTURBED: "1"},
    "perturbed 2": {PERTURBED: "2"},
    "perturbed 3": {PERTURBED: "3"},
}
# In which every chapter is executed by the stage `machines`; as the processor is, it is anyway.
OF_CHAPTERS = ("no AVX", "AVX2", "MKL compatible", "two threads", "perturbed 1")


def ways_here() -> dict[str, Mapping[str, str]]:
    """The ways that differ from each other on this processor."""
    import torch

    own = torch.backends.cpu.get_cpu_capability().lower()
    own_already = {"default": ("no AVX", "AVX2"), "avx2": ("AVX2",)}.get(own, ())
    return {way: settings for way, settings in WAYS.items() if way not in own_already}


def perturb_starts() -> None:
    """Perturb all draws of this process by a millionth, if it is to; :data:`PERTURBED` says how."""
    if seed := os.environ.get(PERTURBED):
        from specmup.training.perturbed import perturb  # torch, which reads the variables

        perturb(seed)
