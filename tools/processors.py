"""Ways to round otherwise: instruction sets and threads that a processor can be told to use.

The variables are read when torch is first imported, so each way needs a process of its own. What
starts from random numbers can also be perturbed: see :func:`perturb_starts`.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping

PERTURBED = "SPECMUP_TEST_PERTURBED"  # read by perturb_starts
SIZE = 1e-6

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
    """Multiply all Gaussian and uniform draws of torch by 1 + 10⁻⁶·ξ, if this process is to.

    As large as a few roundings in float32. ξ is Gaussian and follows from the seed that
    :data:`PERTURBED` holds and from what was drawn, up to its scale: where a chapter draws the same
    start twice, or in two gauges, it is perturbed alike.
    """
    if not (seed := os.environ.get(PERTURBED)):
        return
    import torch  # not before it is needed: the first import reads the variables

    own = torch.randn

    def moved(drawn: torch.Tensor) -> torch.Tensor:
        if drawn.is_meta:  # an outline without numbers
            return drawn
        first = drawn.flatten()[:64]
        rises = "".join("1" if up else "0" for up in first[1:] > first[:-1])
        told = f"{seed} {tuple(drawn.shape)} {rises}".encode()
        noise = torch.Generator().manual_seed(zlib.crc32(told))
        xi = own(drawn.shape, generator=noise, dtype=torch.float64, device="cpu")
        return drawn * (1 + SIZE * xi).to(drawn.device, drawn.dtype)

    def in_place(name: str):
        draw = getattr(torch.Tensor, name)
        return lambda tensor, *a, **k: tensor.copy_(moved(draw(tensor, *a, **k)))

    torch.randn = lambda *a, **k: moved(own(*a, **k))
    for name in ("normal_", "uniform_"):
        setattr(torch.Tensor, name, in_place(name))
