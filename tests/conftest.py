"""Settings that all tests share, and a sweep of seconds with its text."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import settings
from small_models import hugging_face, nano_gpt, residual  # noqa: F401  # fixtures

from specmup.runs.pool import SerialPool
from specmup.sweeps.configuration import sweep_from

# A shared machine can stall any one example, so time is no criterion; and CI repeats itself, so
# that a change is not blamed for an example that it did not choose.
settings.register_profile("specmup", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("specmup")

# Modules of few tests that take long come first: the last one leaves the other cores idle. Those
# that start processes of their own stay where they are, apart from one another.
LONG = {"test_accessibility", "test_weight", "test_resize", "test_depth_rules", "test_atlas"}


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.stem not in LONG)


CONFIGURATION = {
    "name": "tiny",
    "scale": "quick",
    "text": {"source": "counting", "vocabulary": 16},
    "model": {"context": 8, "head_dimension": 4},
    "base": {"width": 8, "depth": 1, "std": 0.1},
    "training": {"steps": 6, "batch_size": 4, "warm_up": 2, "validation_windows": 8},
    "optimizers": {"adamw": {"betas": [0.9, 0.95]}},
    "grid": [
        {
            "rules": ["sp", "k2"],
            "optimizers": ["adamw"],
            "widths": [8, 16],
            "log2_lr": [-8.0, -6.0, -4.0],
        }
    ],
}


def make_sweep(training=None, **grid):
    told = {**CONFIGURATION, "grid": [{**CONFIGURATION["grid"][0], **grid}]}
    return sweep_from({**told, "training": {**told["training"], **(training or {})}})


@pytest.fixture(scope="session")
def counting_text(tmp_path_factory):
    """Token files that count in steps of one or two."""
    folder = tmp_path_factory.mktemp("counting")
    steps = np.random.default_rng(0).integers(1, 3, size=6000)
    tokens = (np.cumsum(steps) % 16).astype("<u2")
    tokens[:5000].tofile(folder / "train.bin")
    tokens[5000:].tofile(folder / "val.bin")
    return folder


@pytest.fixture
def sweeps():
    return SimpleNamespace(make=make_sweep, Inline=SerialPool, configuration=CONFIGURATION)
