"""Optimizers of matrices take kernels, stacked maps and fused ones apart."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from specmup.models.resnet import ResNet, ResNetShape
from specmup.optimizers.of_matrices import OfMatrices
from specmup.optimizers.registry import make_optimizer
from specmup.parametrization.plan import make_plan
from specmup.theory.update import LAWS

OF_MATRICES = [name for name, law in LAWS.items() if law.matrices_only]


class Experts(nn.Module):
    """A block of a stream: a convolution, two stacked experts that are added, a fused map."""

    def __init__(self, width):
        super().__init__()
        self.kernel = nn.Conv1d(width, width, 3, padding=1, bias=False)
        self.experts = nn.Parameter(0.1 * torch.randn(2, width, width))
        self.fused = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, h):
        h = F.relu(self.kernel(h.mT).mT)
        h = torch.einsum("eoi,bti->bto", self.experts, h)
        q, k, v = self.fused(h).chunk(3, -1)
        return self.out(torch.tanh(q * k) + v)


class Model(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.embed = nn.Embedding(11, width)
        self.blocks = nn.ModuleList(Experts(width) for _ in range(depth))
        self.head = nn.Linear(width, 11, bias=False)

    def forward(self, x):
        h = self.embed(x)
        for block in self.blocks:
            h = h + block(h)
        return self.head(h)


DECLARED = {
    "branch_ends": ["out"],
    "block_depth": 2,
    "places": {"blocks.*.experts": "branch"},
    "learning_rate": 0.02,
}


def planned(optimizer, width=8, depth=2):
    torch.manual_seed(0)
    model = Model(width, depth)
    return model, make_plan(model, base=lambda: Model(4, 1), optimizer=optimizer, **DECLARED)


def batches(steps):
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(11, (4, 6), generator=generator) for _ in range(steps)]


def trained(model, optimizer, xs):
    for x in xs:
        optimizer.zero_grad()
        assert all(p.grad is None for p in model.parameters())
        F.cross_entropy(model(x).flatten(0, 1), x.flatten()).backward()
        optimizer.step()
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def by_hand(model, plan, optimizer, xs):
    """The same with every matrix cut out and handed to the library."""
    own = dict(model.named_parameters())
    parts, groups = {}, []
    for name, p in own.items():
        cut = {
            "kernel.weight": lambda t: [t.flatten(1)],
            "experts": list,
            "fused.weight": lambda t: list(t.chunk(3)),
        }
        way = next((f for end, f in cut.items() if name.endswith(end)), lambda t: [t])
        parts[name] = way, [nn.Parameter(view) for view in way(p.data)]
        entry = plan[name]
        group = {"lr": entry.learning_rate, "weight_decay": 0.0, "params": parts[name][1]}
        if entry.optimizer != optimizer:
            group |= {"companion": True, "eps": entry.epsilon}
        elif entry.epsilon is not None:
            group |= {"eps": entry.epsilon}
        groups.append(group)
    trainer = make_optimizer(optimizer, groups)
    for x in xs:
        for p in own.values():
            p.grad = None
        F.cross_entropy(model(x).flatten(0, 1), x.flatten()).backward()
        for name, (way, views) in parts.items():
            for view, gradient in zip(views, way(own[name].grad), strict=True):
                view.grad = gradient.clone()
        trainer.step()
    return {name: p.detach().clone() for name, p in own.items()}


@pytest.mark.parametrize("optimizer", OF_MATRICES)
def test_every_matrix_is_trained_as_if_it_stood_alone(optimizer):
    xs = batches(5)
    model, plan = planned(optimizer)
    twin = copy.deepcopy(model)
    made = plan.optimizer(model, split={"*.fused.weight": 3})
    assert isinstance(made, OfMatrices)
    found, wanted = trained(model, made, xs), by_hand(twin, plan, optimizer, xs)
    assert found.keys() == wanted.keys()
    for name in found:
        torch.testing.assert_close(found[name], wanted[name], msg=name)


def test_what_is_fused_is_one_matrix_unless_it_is_split():
    xs = batches(2)
    whole, plan = planned("muon")
    apart = copy.deepcopy(whole)
    one = trained(whole, plan.optimizer(whole), xs)
    three = trained(apart, plan.optimizer(apart, split={"*.fused.weight": 3}), xs)
    assert not torch.allclose(one["blocks.0.fused.weight"], three["blocks.0.fused.weight"])


def test_groups_hold_the_tensors_themselves_and_a_schedule_reaches_the_views():
    model, plan = planned("muon-kimi")
    made = plan.optimizer(model)
    held = {id(p) for group in made.param_groups for p in group["params"]}
    assert held == {id(p) for p in model.parameters()}
    assert plan.schedule_factor(model, made) == 1
    schedule = torch.optim.lr_scheduler.ConstantLR(made, factor=0.0, total_iters=9)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    after = trained(model, made, batches(1))
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert schedule.get_last_lr() == [0.0] * len(made.param_groups)
    assert plan.schedule_factor(model, made) == 0


def test_clipping_reaches_the_views():
    model, plan = planned("muon")
    made = plan.optimizer(model)
    views = [p for group in made.within.param_groups for p in group["params"]]
    seen = []
    made.within.register_step_pre_hook(lambda *_: seen.extend(v.grad.norm() for v in views))
    x = batches(1)[0]
    F.cross_entropy(model(x).flatten(0, 1), x.flatten()).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
    made.step()
    assert len(seen) == len(list(model.parameters())) + 2  # two experts in each of two blocks
    assert torch.stack(seen).norm().item() == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize("optimizer", OF_MATRICES)
def test_training_goes_on_from_a_state_dict(optimizer, tmp_path):
    xs = batches(4)
    model, plan = planned(optimizer)
    made = plan.optimizer(model)
    trained(model, made, xs[:2])
    torch.save({"model": model.state_dict(), "optimizer": made.state_dict()}, tmp_path / "kept")
    wanted = trained(model, made, xs[2:])
    kept = torch.load(tmp_path / "kept", weights_only=True)
    other, plan = planned(optimizer)
    other.load_state_dict(kept["model"])
    again = plan.optimizer(other)
    again.load_state_dict(kept["optimizer"])
    found = trained(other, again, xs[2:])
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_a_network_whose_maps_are_stacked_trains_each():
    stacked = ResNet(ResNetShape(6, 8, 2, 3), {"input": 1, "hidden": 1, "output": 1})
    plan = make_plan(stacked, base=stacked, learning_rate=0.1, optimizer="muon")
    for p in stacked.parameters():
        nn.init.normal_(p, std=p.shape[-1] ** -0.5)
    before = stacked.hidden.detach().clone()
    made = plan.optimizer(stacked)
    stacked(torch.randn(5, 6)).square().mean().backward()
    made.step()
    moved = (before - stacked.hidden.detach()) / plan["hidden"].learning_rate
    for singular in torch.linalg.svdvals(moved).flatten(0, -2):
        assert singular.max() < 1.5 and singular[:3].min() > 0.3  # orthogonal, each by itself


@pytest.mark.parametrize("copied", [copy.deepcopy, pickle.dumps])
def test_a_copy_would_lose_its_tensors(copied):
    model, plan = planned("muon")
    with pytest.raises(TypeError, match="state_dict"):
        copied(plan.optimizer(model))


@pytest.mark.parametrize(
    ("optimizer", "split", "says"),
    [
        ("muon", {"*.fused.weight": 5}, "24 outputs, which are not 5 maps"),
        ("muon", {"*.fused.weight": 0}, "not 0 maps"),
        ("muon", {"*.qkv.weight": 3}, "fits none of the matrices blocks.0"),
        ("adamw", {"*.fused.weight": 3}, "split= is for optimizers of matrices, not adamw"),
    ],
)
def test_a_split_that_cannot_be_is_refused(optimizer, split, says):
    model, plan = planned(optimizer)
    with pytest.raises(ValueError, match=says):
        plan.optimizer(model, split=split)
