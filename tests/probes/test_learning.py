"""Whether a model learns is told apart from whether its features stay level."""

import pytest
import torch
from torch import nn

from specmup.probes.coordinate_check import cross_entropy
from specmup.probes.learning import learning


def tried(rate, slow=None):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    groups = [
        {"params": model[0].parameters(), "lr": slow or rate},
        {"params": model[2].parameters(), "lr": rate},
    ]
    batch = torch.randn(32, 8), torch.randint(4, (32,))
    return learning(model, torch.optim.AdamW(groups), batch, cross_entropy)


def test_a_good_rate_learns_and_is_one_line():
    found = tried(0.01)
    assert found.learns and found.after < found.before
    assert "\n" not in str(found) and str(found).startswith("it learns: loss ")


@pytest.mark.parametrize("rate", [0.0, 2.0**-30, 1e30])
def test_a_rate_that_is_none_does_not(rate):
    assert not tried(rate).learns


def test_every_rate_is_read_off_the_optimizer():
    found = tried(1e-9, slow=1e-12)
    assert found.rates == {1e-12: ("0.weight", "0.bias"), 1e-9: ("2.weight", "2.bias")}
    lines = str(found).splitlines()
    assert lines[1:3] == ["  1e-12: 0.weight, 0.bias", "  1e-09: 2.weight, 2.bias"]
    assert "not its logarithm" in lines[-1]


def test_a_loss_that_overflows_is_no_learning():
    found = tried(1e30)
    assert found.after == float("inf") or found.after > found.before
