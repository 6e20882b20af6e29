"""What torch finds of graphics cards here, and what helps if it finds none."""

from __future__ import annotations

import shutil
import subprocess

import torch
from cores import cores


def machine() -> list[str]:
    """Lines on what runs: card, driver, torch and its CUDA, cores."""
    lines = [f"torch             {torch.__version__}, CUDA {torch.version.cuda or 'not built in'}"]
    lines.append(f"cores             {cores()}")
    for i in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(i)
        lines.insert(i, f"card {i}            {card.name}, {card.total_memory / 1e9:.0f} GB")
    if command := shutil.which("nvidia-smi"):
        asked = [command, "--query-gpu=driver_version", "--format=csv,noheader"]
        told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
        lines.append(f"driver            {told[0] if told else 'does not answer'}")
    return lines


def missing() -> str | None:
    """Why torch finds no GPU, and what helps; None if it finds one."""
    if torch.cuda.is_available():
        return None
    if torch.version.cuda is None:
        why = f"torch {torch.__version__} is built for CPUs alone"
        remedy = "install the build for your CUDA (https://pytorch.org/get-started) into .venv"
    elif shutil.which("nvidia-smi") is None:
        why = "torch finds no GPU, and nvidia-smi is not here: there is no driver, or no card"
        remedy = "run this on a machine with an NVIDIA card and its driver"
    else:
        why = "nvidia-smi is here, but torch cannot use the card"
        remedy = "see whether nvidia-smi lists it and CUDA_VISIBLE_DEVICES hides none"
    return (
        f"There is no GPU to try: {why}.\nTo try one, {remedy}.\n"
        "All but the card can be tried here: .venv/bin/python tools/try_gpu.py --device cpu"
    )
