"""Where results come from: the part of a manifest that is read off the machine, and its checks.

It says what a reader needs to judge or repeat the runs, and nothing that identifies the machine or
its owner: no host name, no path.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import torch

from specmup import streams

SCALES = ("quick", "reference", "gpu")
PACKAGE = Path(__file__).parents[1]
# In a checkout, seen from the package: what decides a result.
CODE = (".", "../book/experiments", "../book/sweeps")
RECORDED_PACKAGES = ("specmup", "torch", "numpy", "pandas", "scipy", "scikit-learn")


def origin(scale: str, configuration: Mapping[str, Any], wall_seconds: float) -> dict[str, Any]:
    """Scale, configuration, date, wall time, machine and versions, ready for JSON.

    Raises:
        ValueError: If the scale or the time is none, or the configuration holds what JSON lacks or
            a path of this machine.
    """
    if scale not in SCALES:
        raise ValueError(f"scale {scale!r} is not one of {', '.join(SCALES)}")
    if not 0 <= wall_seconds < np.inf:
        raise ValueError(f"wall_seconds must be a time, got {wall_seconds}")
    return {
        "scale": scale,
        "configuration": recordable(configuration, "configuration"),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_seconds": round(float(wall_seconds), 1),
        "streams": streams.version(),
        "commit": commit(),
        "machine": _machine(scale),
        "python": platform.python_version(),
        "versions": {package: package_version(package) for package in RECORDED_PACKAGES},
    }


def recordable(value: Any, where: str) -> Any:
    """The value as JSON keeps it: tuples become lists, NumPy's numbers Python's.

    Raises:
        ValueError: If JSON cannot hold it (nan and inf included) or it is an absolute path;
            ``where`` names it.
    """
    if isinstance(value, Mapping):
        return {str(k): recordable(v, f"{where}[{k!r}]") for k, v in value.items()}
    if isinstance(value, list | tuple | range | np.ndarray):
        return [recordable(v, f"{where}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        if PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute():
            raise ValueError(f"{where} is a path of this machine ({value}): record a name instead")
        return value
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float) and np.isfinite(value):
        return value
    raise ValueError(f"{where} = {value!r} cannot be written as JSON: give numbers, strings, lists")


def made_on(device: str) -> dict[str, str]:
    """Where a single job is carried out, and with what: its record's origin.

    Args:
        device: ``cpu``, or as torch names a GPU.
    """
    return {
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "specmup": package_version("specmup"),
    }


def _machine(scale: str) -> dict[str, Any]:
    machine = {
        "system": platform.system(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }
    if scale == "gpu" and torch.cuda.is_available():
        machine["accelerator"] = torch.cuda.get_device_name()
    return machine


def _cpu_model() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            key, _, model = line.partition(":")
            if key.strip() == "model name":
                return model.strip()
    return platform.processor() or platform.machine()


def commit() -> str:
    """The commit of the code that ran, and whether files were changed or modules added since."""

    def git(*words: str) -> str:
        told = subprocess.run(
            ["git", *words], cwd=PACKAGE, capture_output=True, text=True, check=True
        )
        return told.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")  # or the repository is another one
        changed = git("status", "--porcelain", "--untracked-files=no", "--", *CODE)
        # What nobody added may be what ran; notes and data beside it are not.
        modules = (f"{folder}/*.py" for folder in CODE)
        added = git("ls-files", "--others", "--exclude-standard", "--", *modules)
        return git("rev-parse", "HEAD") + " with changes" * bool(changed or added)
    except (OSError, subprocess.CalledProcessError):  # installed from a wheel, or no git
        return "unknown"


def package_version(package: str) -> str:
    """The version of a package that is installed; in words if it is not."""
    try:
        return version(package)
    except PackageNotFoundError:  # a checkout on the path, not installed
        return "not installed"
