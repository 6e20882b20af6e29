import pytest
import torch
from role_settings import settings
from torch import nn

from specmup.data.images import digits
from specmup.models.resnet import ResNetShape, build
from specmup.optimizers.registry import ADAPTERS, make_optimizer
from specmup.theory.update import LAWS
from specmup.training.replicas import replica_optimizer
from specmup.training.resnet import train

DATA = digits()
SHAPE = ResNetShape(inputs=64, width=12, depth=3, outputs=10, bias=True)
SEEDS = [3, 4, 5]
EVERY = pytest.mark.parametrize("name", LAWS)
RATES = {
    "sgd": 0.1,
    "lion": 0.003,
    "sophia": 0.003,
    "lamb": 0.03,
    "muon": 0.05,
    "muon-original": 0.05,
    "shampoo": 0.1,
    "sso": 0.05,
}


def options(name):
    return {"companion": {"betas": (0.8, 0.95)}} if LAWS[name].matrices_only else {}


def single_parameters(model, r):
    """Replica r's matrices and vectors as parameters of their own, by role."""
    cut = {}
    for role, p in model.named_parameters():
        ndim = 1 if role.endswith("bias") else 2
        each = p[r].detach().clone().reshape(-1, *p.shape[p.ndim - ndim :])
        cut[role] = [nn.Parameter(piece) for piece in each]
    return cut


def optimizer_by_hand(name, parameters, numbers):
    groups = []
    for role, own in parameters.items():
        s = numbers[role]
        group = {"params": own, "lr": s.learning_rate, "weight_decay": s.weight_decay}
        is_companion = LAWS[name].matrices_only and role != "hidden"
        if is_companion or LAWS[name].epsilon is not None:
            group["eps"] = s.epsilon
        groups.append(group | ({"companion": True} if is_companion else {}))
    return make_optimizer(name, groups, **options(name))


@EVERY
def test_a_stack_is_one_optimizer_a_matrix_and_vector(name):
    """Each parameter of the stack moves as the same numbers in a parameter of their own."""
    rates = [RATES.get(name, 0.01) * factor for factor in (0.5, 1.0, 2.0)]
    model = build(SHAPE, settings(1.0), SEEDS).double()
    with torch.no_grad():
        for role in ("input_bias", "hidden_bias"):  # LAMB's trust ratio of a zero vector says less
            getattr(model, role).normal_(generator=torch.Generator().manual_seed(1))
    stacked = replica_optimizer(model, [settings(rate) for rate in rates], name, **options(name))
    alone = [single_parameters(model, r) for r in range(3)]
    optimizers = [
        optimizer_by_hand(name, own, settings(rate)) for own, rate in zip(alone, rates, strict=True)
    ]
    generator = torch.Generator().manual_seed(2)
    start = model.hidden.detach().clone()
    for _ in range(4):
        more = [{} for _ in range(4)]
        if stacked.curvature_period:
            more = [{"curvature": {}} for _ in range(4)]
        for role, p in model.named_parameters():
            # Sizes that differ from map to map: a norm over several of them would show.
            sizes = torch.rand(p.shape[:-1], generator=generator)[..., None].double() ** 3
            p.grad = torch.randn(p.shape, generator=generator, dtype=p.dtype) * sizes
            curvature = torch.rand(p.shape, generator=generator, dtype=p.dtype)
            if stacked.curvature_period:
                more[3]["curvature"][p] = curvature
            for r, own in enumerate(alone):
                shape = (-1, *own[role][0].shape)
                for i, piece in enumerate(own[role]):
                    piece.grad = p.grad[r].reshape(shape)[i].clone()
                    if stacked.curvature_period:
                        more[r]["curvature"][piece] = curvature[r].reshape(shape)[i]
        stacked.step(**more[3])
        for r, optimizer in enumerate(optimizers):
            optimizer.step(**more[r])
    for r, own in enumerate(alone):
        for role, pieces in own.items():
            together = torch.stack(list(pieces)).view_as(getattr(model, role)[r])
            torch.testing.assert_close(
                getattr(model, role)[r].detach(), together.detach(), rtol=1e-6, atol=1e-9
            )
    assert float((model.hidden - start).detach().abs().max()) > 1e-4


def trained(name, rates, seeds, steps=12):
    model = build(SHAPE, settings(1.0), seeds).double()
    optimizer = replica_optimizer(model, [settings(rate) for rate in rates], name, **options(name))
    losses = train(model, optimizer, DATA, steps=steps, batch_size=32, seeds=seeds, progress=False)
    return model, losses


@EVERY
def test_replicas_train_as_they_would_alone_and_learn(name):
    rate = RATES.get(name, 0.01)
    model, losses = trained(name, [rate, 1e30, rate / 2], SEEDS)
    assert losses[-1].isinf().tolist() == [False, True, False]  # the wild one disturbs no other
    for r in (0, 2):
        one, alone = trained(name, [rate if r == 0 else rate / 2], SEEDS[r : r + 1])
        # Muon rounds to bfloat16 within, where a last digit can tip over.
        tolerance = 1e-3 if name.startswith("muon") else 1e-6
        torch.testing.assert_close(losses[:, r], alone[:, 0], rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(model.hidden[r], one.hidden[0], rtol=0, atol=10 * tolerance)
    assert losses[-1, 0] < 0.9 * losses[0, 0]


@EVERY
def test_views_are_no_finer_than_they_must_be(name):
    model = build(SHAPE, settings(1.0), SEEDS)
    groups = replica_optimizer(model, settings(0.1), name).param_groups
    maps, companion = 3 * 2, LAWS[name].matrices_only
    shapes = {(tuple(p.shape), bool(g.get("companion"))) for g in groups for p in g["params"]}
    whole, single = (3, 2, 12, 12), (12, 12)
    assert ((single if ADAPTERS[name].per_matrix else whole), False) in shapes
    bias = (12,) if ADAPTERS[name].per_matrix and not companion else (3, 2, 12)
    assert (bias, companion) in shapes
    hidden = [g for g in groups if any(p.shape[-2:] == single for p in g["params"])]
    assert len(hidden[0]["params"]) == 3 * (maps if ADAPTERS[name].per_matrix else 1)


def test_epsilon_reaches_who_has_one():
    model = build(SHAPE, settings(1.0), SEEDS)
    plain = replica_optimizer(model, settings(0.1), "lion").param_groups
    assert all("eps" not in g for g in plain)
    mixed = replica_optimizer(model, settings(0.1), "sso").param_groups
    assert [("eps" in g, bool(g.get("companion"))) for g in mixed] == [
        (False, False),
        *[(True, True)] * 4,
    ]
