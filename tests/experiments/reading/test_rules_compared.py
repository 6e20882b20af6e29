import numpy as np
import pandas as pd
import pytest

from experiments.reading.rules_compared import (
    OPTIMIZERS,
    ahead_of_k2,
    best_rates,
    climb,
    over_the_depth,
    sp_minus_k2,
)

DEPTHS, RATES = (4, 16, 64), np.arange(-12.0, 1.0)


def table(rule: str, slope: float, lift: float = 0.0) -> pd.DataFrame:
    """A published table whose optimum moves by ``slope`` with each doubling of the depth."""
    return pd.DataFrame(
        {"optimizer": "muon", "rule": rule, "size": L, "log2_value": x, "loss": loss}
        for L in DEPTHS
        for x, loss in zip(RATES, 3 + lift + (RATES + 8 - slope * np.log2(L / 4)) ** 2, strict=True)
    )


@pytest.fixture
def record() -> pd.DataFrame:
    return pd.concat([table("k2", 0.5), table("k1", 1.0), table("sp", 0.5, lift=0.25)])


def test_the_record_has_three_rules_of_both_optimizers():
    record = over_the_depth()
    tables = record.groupby(["optimizer", "rule"]).table.nunique()
    assert {(name, rule) for name in OPTIMIZERS for rule in ("sp", "k1", "k2")} <= set(tables.index)
    assert set(tables) == {1}
    assert set(record.normalisation) == {"layernorm"} and set(record.tuned) == {"learning rate"}


@pytest.mark.parametrize(("rule", "slope"), [("k1", 0.5), ("sp", 0.0), ("k2", 0.0)])
def test_a_climb_is_over_k2(record, rule, slope):
    assert climb(record, "muon", rule).estimate == pytest.approx(slope)
    expected = [slope * np.log2(L / 4) for L in DEPTHS]
    assert ahead_of_k2(record, "muon", rule).tolist() == pytest.approx(expected)


def test_an_optimum_on_the_end_of_a_grid_is_left_out(record):
    cut = record[(record["size"] < 64) | (record.rule != "k1") | (record.log2_value <= -5)]
    assert best_rates(cut, "muon", "k1").index.tolist() == [4, 16]
    assert ahead_of_k2(cut, "muon", "k1").index.tolist() == [4, 16]


def test_losses_differ_at_equal_rates_where_both_trained(record):
    record.loc[(record.rule == "sp") & (record.log2_value == 0), "loss"] = np.inf
    gap = sp_minus_k2(record, "muon")
    assert np.allclose(gap, 0.25)
    assert len(gap) == len(DEPTHS) * (len(RATES) - 1)
