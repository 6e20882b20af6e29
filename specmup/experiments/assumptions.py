"""Chapter 7: do updates cancel, over steps, samples or blocks?

Residual networks learn two classes of digits by full-batch descent, and the ratios of
:mod:`specmup.lab.assumptions` are taken at the start, half-way and at the end. The first part is the
setting of zheng2026, App. G (digits in place of CIFAR-10); the others vary what it holds fixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from specmup.apply.scaling import Base, Settings, scale
from specmup.experiments.pieces import Pieces, run_pieces
from specmup.lab import assumptions
from specmup.lab.data import digits
from specmup.lab.probe import Snapshot, overall_rms
from specmup.lab.replicas import replica_optimizer
from specmup.models.resnet import ResNet, ResNetShape, build
from specmup.norms import rms_operator_norm
from specmup.theory.rules import parametrization

CLASSES = (3, 8)
BASE_WIDTH, BASE_DEPTH = 256, 4
VARIANCE = 2.0  # of the input and hidden maps times their fan-in, and of the output map
# By optimizer: the rate at which the base model learns within 200 steps without overshooting.
LEARNING_RATE = {"sgd": 0.1, "adamw": 2.0**-11, "muon-kimi": 2.0**-9}
STATED_RATE = 0.001

FIXED = {
    "optimizer": "sgd",
    "learning_rate": LEARNING_RATE["sgd"],
    "block_depth": 2,
    "mean_subtraction": False,
    "start": "gaussian",
    "samples": 100,
    "width": BASE_WIDTH,
    "steps": 200,
    "seeds": [0],
}
# Where the blocks' contributions are added up: more often than the other ratios are taken.
ALONG = (0, 1, 2, 5, 10, 20, 50, 100, 200)
