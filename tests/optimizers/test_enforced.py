"""The condition enforced: after every step each norm is what was asked for, whatever stepped."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from specmup.data.images import digits
from specmup.optimizers import rescaling
from specmup.optimizers.enforced import Enforced, enforced_rules
from specmup.optimizers.power_iteration import leading
from specmup.optimizers.registry import idle_steps, make_optimizer
from specmup.theory.rules import parametrization
from specmup.theory.update import LAWS

RATE = 2.0**-6
MOMENTUM = {"sgd": {"momentum": 0.9}}


class Network(nn.Module):
    """One input map, two hidden ones (a branch), one output map, one bias."""

    def __init__(self, n):
        super().__init__()
        generator = torch.Generator().manual_seed(0)

        def drawn(*shape):
            return nn.Parameter(torch.randn(*shape, generator=generator) / math.sqrt(shape[-1]))

        self.first, self.up, self.down, self.last = (
            drawn(*shape) for shape in ((n, 64), (2 * n, n), (n, 2 * n), (10, n))
        )
        self.bias = nn.Parameter(torch.zeros(n))

    def forward(self, x):
        h = x @ self.first.T + self.bias
        return (h + torch.relu(h @ self.up.T) @ self.down.T) @ self.last.T


def groups_of(model, name, **numbers):
    numbers = {"lr": RATE} | numbers
    hidden = {"params": [model.up, model.down], **numbers}
    ends = {"params": [model.first, model.last, model.bias], "update_norm": 3.0, **numbers}
    return [hidden, ends | ({"companion": True} if LAWS[name].matrices_only else {})]


def wrapped(model, name="adamw", *, inner_options=None, **numbers):
    inner = make_optimizer(
        name, groups_of(model, name, **numbers), **MOMENTUM.get(name, {}), **inner_options or {}
    )
    return Enforced(inner)


def backward(model, step=0, samples=32, split=0):
    task = digits(seed=split)
    chosen = slice(step * samples, (step + 1) * samples)
    model.zero_grad()
    F.cross_entropy(model(task.train_x[chosen]), task.train_y[chosen]).backward()


def steps_of(model, optimizer, count, split=0):
    """What each of ``count`` steps adds to each parameter, on one split of the images."""
    moved = []
    for step in range(count):
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        backward(model, step, split=split)
        optimizer.step()
        moved.append({name: p.detach() - before[name] for name, p in model.named_parameters()})
    return moved


def norm(step):
    """The exact norm: by SVD for a matrix, the root of the mean square for a vector."""
    if step.ndim == 1:
        return float(step.square().mean().sqrt())
    return float(torch.linalg.matrix_norm(step, 2)) * math.sqrt(step.shape[1] / step.shape[0])


def target(name):
    return RATE * (1.0 if name in ("up", "down") else 3.0)


@pytest.mark.parametrize("n", [8, 96])
@pytest.mark.parametrize("name", sorted(LAWS))
def test_every_step_of_every_optimizer_has_the_norm_asked_for(name, n):
    model = Network(n)
    moved = steps_of(model, wrapped(model, name), 4)
    for step in moved[idle_steps(name) :]:
        for which, change in step.items():
            assert norm(change) == pytest.approx(target(which), rel=0.015), which


@pytest.mark.parametrize("split", range(4))
def test_a_flat_spectrum_does_not_hide_the_largest_value(split):
    """Muon's updates have many nearly equal singular values, which change places at each step.

    Which of them is found hangs on rounding; that it is within the tolerance does not.
    """
    model = Network(96)
    optimizer = wrapped(model, "muon")
    for step in steps_of(model, optimizer, 8, split)[1:]:
        for which in ("up", "down"):
            assert norm(step[which]) == pytest.approx(target(which), rel=optimizer.tol), which


def test_the_plain_optimizer_has_other_norms():
    model = Network(96)
    moved = steps_of(model, make_optimizer("adamw", groups_of(model, "adamw")), 2)
    assert norm(moved[-1]["up"]) > 2 * target("up")


@pytest.mark.parametrize("name", ["adopt", "soap"])
def test_a_step_of_zero_stays_zero(name):
    model = Network(16)
    first, second = steps_of(model, wrapped(model, name), 2)
    assert first["up"].abs().max() == 0
    assert second["up"].abs().max() > 0


def test_later_steps_start_from_the_vectors_found_before(monkeypatch):
    model, products = Network(96), []

    def counting(A, start=None, **options):
        found = leading(A, start, **options)
        if found.products:
            products.append((start is not None, found.products))
        return found

    monkeypatch.setattr(rescaling, "leading", counting)
    steps_of(model, wrapped(model), 6)
    each = len(products) // 6
    assert [warm for warm, _ in products] == each * [False] + 5 * each * [True]
    cold, warm = products[:each], products[-each:]
    assert sum(count for _, count in warm) < sum(count for _, count in cold)


def test_decay_is_apart_and_decoupled():
    plain, decayed = Network(16), Network(16)
    start = plain.up.detach().clone()
    steps_of(plain, wrapped(plain), 1)
    steps_of(decayed, wrapped(decayed, weight_decay=0.5), 1)
    assert torch.allclose(plain.up - decayed.up, RATE * 0.5 * start, atol=1e-7)


def test_what_has_no_gradient_is_left_alone():
    model = Network(16)
    optimizer = wrapped(model, weight_decay=0.5)
    backward(model)
    model.up.grad = None
    before = model.up.detach().clone()
    optimizer.step()
    assert torch.equal(model.up, before)


@pytest.mark.parametrize("n", [16, 96])
def test_divergence_is_data(n):
    model = Network(n)
    optimizer = wrapped(model)
    backward(model)
    model.up.grad[0, 0] = math.inf
    before = model.down.detach().clone()
    optimizer.step()
    assert model.up.isnan().any()
    assert norm(model.down.detach() - before) == pytest.approx(RATE, rel=0.015)


def test_the_inner_learning_rate_does_not_matter():
    losses = []
    for rate in (2.0**-3, 2.0**10):
        model = Network(32)
        inner = make_optimizer("adamw", groups_of(model, "adamw"))
        steps_of(model, Enforced(inner, inner_learning_rate=rate), 5)
        losses.append(model.up.detach())
    assert torch.allclose(*losses, atol=1e-5)


def test_a_trust_ratio_is_divided_out_again():
    """LAMB is AdamW times one number a matrix, which the measured norm takes away."""
    after = []
    for name in ("adamw", "lamb", "lamb-clamped"):
        model = Network(32)
        steps_of(model, wrapped(model, name, eps=1e-12), 5)
        after.append(model.up.detach())
    assert torch.allclose(after[0], after[1], atol=1e-5)
    assert torch.allclose(after[0], after[2], atol=1e-5)


def test_schedulers_and_groups_are_the_inner_ones():
    model = Network(16)
    optimizer = wrapped(model, "muon")
    assert optimizer.param_groups is optimizer.inner.param_groups
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)
    for expected in (RATE, RATE / 2, RATE / 4):
        (moved,) = steps_of(model, optimizer, 1)
        assert norm(moved["up"]) == pytest.approx(expected, rel=0.015)
        assert [group["lr"] for group in optimizer.param_groups] == [expected] * 2
        scheduler.step()
    optimizer.zero_grad()
    assert model.up.grad is None


def test_a_group_can_be_added():
    model = Network(16)
    inner = make_optimizer("sgd", [{"params": [model.up], "lr": RATE}])
    optimizer = Enforced(inner)
    optimizer.add_param_group({"params": [model.down], "lr": RATE, "update_norm": 2.0})
    (moved,) = steps_of(model, optimizer, 1)
    assert norm(moved["up"]) == pytest.approx(RATE, rel=0.015)
    assert norm(moved["down"]) == pytest.approx(2 * RATE, rel=0.015)


@pytest.mark.parametrize("name", ["adamw", "muon-kimi", "soap"])
@pytest.mark.parametrize("how", ["state_dict", "deepcopy"])
def test_training_goes_on_from_a_saved_state(name, how):
    model = Network(96)
    optimizer = wrapped(model, name)
    steps_of(model, optimizer, 3)
    if how == "deepcopy":
        other, optimizer_2 = copy.deepcopy((model, optimizer))
    else:
        other = Network(96)
        other.load_state_dict(model.state_dict())
        optimizer_2 = wrapped(other, name, lr=1.0)
        optimizer_2.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert "vectors" in optimizer_2.state[other.up]
    for m, o in ((model, optimizer), (other, optimizer_2)):
        steps_of(m, o, 2)
    assert torch.equal(model.up, other.up)
    assert optimizer_2.param_groups is optimizer_2.inner.param_groups


def test_stacks_are_measured_matrix_by_matrix_and_vector_by_vector():
    generator = torch.Generator().manual_seed(0)
    maps = nn.Parameter(torch.randn(3, 2, 80, 70, generator=generator))
    biases = nn.Parameter(torch.randn(3, 70, generator=generator))
    groups = [{"params": [maps], "lr": RATE}, {"params": [biases], "lr": RATE, "vectors": True}]
    optimizer = Enforced(torch.optim.SGD(groups, lr=RATE))
    before = maps.detach().clone(), biases.detach().clone()
    for p in (maps, biases):
        p.grad = torch.randn(p.shape, generator=generator) * torch.arange(1, 4).view(
            -1, *[1] * (p.ndim - 1)
        )
    optimizer.step()
    for change in (maps.detach() - before[0]).flatten(0, 1):
        assert norm(change) == pytest.approx(RATE, rel=0.015)
    for change in biases.detach() - before[1]:
        assert norm(change) == pytest.approx(RATE, rel=1e-3)


def test_a_closure_is_evaluated_once():
    model, calls = Network(16), []
    optimizer = wrapped(model)

    def closure():
        calls.append(1)
        loss = model(digits().train_x[:8]).square().mean()
        loss.backward()
        return loss

    assert optimizer.step(closure) > 0
    assert len(calls) == 1


@pytest.mark.parametrize("block_depth", [1, 2])
def test_rules_are_those_of_the_spectral_sphere(block_depth):
    """SSO's step has norm one by construction, so its rules are everybody's."""
    sso = LAWS["sso"]
    enforced, every = enforced_rules(block_depth), parametrization(f"k{block_depth}", "adamw")
    assert sso.matrices_only
    hidden = parametrization(f"k{block_depth}", "sso")["hidden"]
    assert enforced["hidden"].learning_rate == hidden.learning_rate
    assert enforced["hidden"].weight_decay == hidden.weight_decay
    for role, rule in enforced.items():
        assert rule.multiplier == every[role].multiplier
        assert rule.init_variance == every[role].init_variance
