"""What is measured of weights along a run, against the formulas."""

import math

import pytest
import torch

from experiments.instruments.weights_along import MEASURED, WeightsAlong
from specmup.models.gpt import GPT, GPTShape
from specmup.norms import rms_operator_norm

SHAPE = GPTShape(vocabulary=20, context=6, width=16, depth=2, head_dimension=8)
WATCHED = {"tokens": "tokens", "up": "mlp.up", "readout": "readout"}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return GPT(SHAPE)


def tokens(seed=0):
    return torch.randint(20, (3, 6), generator=torch.Generator().manual_seed(seed))


def moved(model):
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))


def test_sizes_steps_and_alignments_are_the_formulas(model):
    along = WeightsAlong(WATCHED, tokens(), moments=[2])
    along(0, model)
    moved(model)
    entering = {}
    for name, block in enumerate(model.blocks):
        block.mlp.up.register_forward_hook(lambda m, x, y, name=name: entering.update({name: x[0]}))
    model(tokens())
    old = {name: p.detach().clone() for name, p in model.named_parameters()}
    along(1, model)
    moved(model)
    rows = {row["matrix"]: row for row in along.rows(model)}
    assert list(rows) == list(WATCHED) and {row["step"] for row in rows.values()} == {2}

    each = []
    for block in range(2):
        name = f"blocks.{block}.mlp.up.weight"
        W, step, h = old[name], model.get_parameter(name) - old[name], entering[block].flatten(0, 1)
        aligned = [(h @ M.mT).norm() / (M.norm() * h.norm()) for M in (W, step)]
        rms = W.square().mean().sqrt()
        sizes = [rms, rms_operator_norm(W), step.norm() / W.norm(), *aligned]
        each.append([size.item() for size in sizes])
    means = torch.tensor(each).mean(0).tolist()
    assert [rows["up"][column] for column in MEASURED] == pytest.approx(means)

    W = old["tokens.weight"]
    seen = torch.nn.functional.one_hot(tokens().flatten(), 20).float() @ W  # (N, n)
    aligned = seen.norm() / (W.norm() * seen.shape[0] ** 0.5)
    assert rows["tokens"]["weight_alignment"] == pytest.approx(aligned.item())
    assert rows["tokens"]["norm"] == pytest.approx(rms_operator_norm(W.mT).item())


def test_an_update_made_of_what_enters_is_aligned_and_a_random_one_is_not(model):
    token = tokens()[:1, :1]  # one sample, so that an update can be made of it alone
    along = WeightsAlong({"readout": "readout"}, token, moments=[1, 2])
    features = []
    handle = model.readout.register_forward_hook(lambda m, x, y: features.append(x[0]))
    model(token)
    handle.remove()
    h = features[0].flatten(0, 1)  # (1, n)
    along(0, model)
    with torch.no_grad():
        model.readout.weight.add_(torch.randn(20, 1) @ h)
    along(1, model)
    with torch.no_grad():
        model.readout.weight.add_(torch.randn(20, 16))
    first, second = (row["update_alignment"] for row in along.rows(model))
    assert first == pytest.approx(1) and second == pytest.approx(16**-0.5, rel=0.5)


def test_what_is_not_finite_is_infinite(model):
    along = WeightsAlong({"up": "mlp.up"}, tokens(), moments=[1])
    along(0, model)
    with torch.no_grad():
        model.blocks[0].mlp.up.weight.fill_(math.nan)
    (row,) = along.rows(model)
    assert row["update"] == math.inf and math.isfinite(row["entry"])
