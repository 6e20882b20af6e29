"""Grids that grow where some seed's best rate sits on their edge."""

import numpy as np
import pandas as pd
import pytest

from experiments.instruments.grids import beyond_edges


def grid(losses):
    rows = [
        {"seed": seed, "log2_lr": rate, "loss": loss}
        for seed, curve in enumerate(losses)
        for rate, loss in enumerate(curve)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("losses", "added"),
    [
        ([[3, 1, 2]], []),
        ([[1, 2, 3]], [-2, -1]),
        ([[3, 2, 1], [3, 1, 2]], [3, 4]),
        ([[1, 2, 3], [3, 2, 1]], [-2, -1, 3, 4]),
        ([[np.inf] * 3], [-2, -1]),
    ],
)
def test_a_grid_is_extended_beyond_the_edge_that_is_best(losses, added):
    assert beyond_edges(grid(losses), by="log2_lr", rates=2) == added
