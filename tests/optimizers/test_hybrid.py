import copy
import io

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from specmup.optimizers.hybrid import Hybrid
from specmup.optimizers.registry import make_optimizer
from specmup.theory.update import LAWS

MATRICES = [name for name, law in LAWS.items() if law.matrices_only]
EVERY = pytest.mark.parametrize("name", MATRICES)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))


def groups(model, name="muon"):
    """The hidden matrix amid groups of the companion."""
    epsilon = {"eps": 1e-8} if LAWS[name].epsilon else {}
    hidden = {"params": [model[2].weight], "lr": 0.03, "weight_decay": 0.1, **epsilon}
    rest = {"companion": True, "weight_decay": 0.2, "eps": 1e-7}
    return [
        {"params": [model[0].weight, model[0].bias], "lr": 0.01, **rest},
        hidden,
        {"params": [model[2].bias, *model[4].parameters()], "lr": 0.02, **rest},
    ]


def hybrid(model, name="muon", **options):
    return make_optimizer(name, groups(model, name), companion={"betas": (0.8, 0.9)}, **options)


def train(model, optimizer, steps=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(32, 6, generator=generator)).square().mean().backward()
        optimizer.step()
    return model


def same(a, b):
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


@EVERY
def test_it_is_its_two_parts(name):
    model, twin = network(), network()
    whole = hybrid(model, name)
    assert isinstance(whole, Hybrid) and isinstance(whole, torch.optim.Optimizer)
    first, hidden, last = groups(twin, name)
    main = make_optimizer(name, [hidden])
    plain = [{k: v for k, v in g.items() if k != "companion"} for g in (first, last)]
    rest = torch.optim.AdamW(plain, betas=(0.8, 0.9), fused=True)
    for seed in range(3):
        train(model, whole, 1, seed)
        twin.zero_grad()
        x = torch.randn(32, 6, generator=torch.Generator().manual_seed(seed))
        twin(x).square().mean().backward()
        main.step(), rest.step()
    assert same(model, twin)
    assert not same(model, network())


def test_groups_keep_their_order_and_are_the_parts_own():
    optimizer = hybrid(network())
    assert [g["lr"] for g in optimizer.param_groups] == [0.01, 0.03, 0.02]
    first, hidden, last = optimizer.param_groups
    assert optimizer.main.param_groups[0] is hidden
    assert optimizer.companion.param_groups[0] is first
    assert optimizer.companion.param_groups[1] is last


SCHEDULERS = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, [lambda t: 1, lambda t: 0.5**t, lambda t: 2.0]),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda t: 0.9),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 2),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [2]),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o, 0.5, 3),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, 0.1, 1.0, 4),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda o: lr_scheduler.PolynomialLR(o, 5),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 5),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.001, 0.01, 2, cycle_momentum=False),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(
        o, [0.01, 0.03, 0.02], total_steps=6, cycle_momentum=False
    ),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, 1.0, 2), lr_scheduler.ExponentialLR(o, 0.9)], [2]
    ),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, 0.5, 2), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0),
}


def test_every_scheduler_of_torch_is_tried():
    made = {
        name
        for name, cls in vars(lr_scheduler).items()
        if isinstance(cls, type) and issubclass(cls, lr_scheduler.LRScheduler)
    }
    assert made - {"LRScheduler", "_LRScheduler"} == set(SCHEDULERS)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_schedulers_set_the_rates_that_the_parts_use(scheduler):
    """The same rates, written into the parts by hand, train the same network."""
    model, twin = network(), network()
    optimizer, by_hand = hybrid(model), hybrid(twin)
    schedule, rates = SCHEDULERS[scheduler](optimizer), []
    metric = (1.0,) if scheduler == "ReduceLROnPlateau" else ()
    for step in range(4):
        rates.append([g["lr"] for g in optimizer.param_groups])
        (hidden,), (first, last) = by_hand.main.param_groups, by_hand.companion.param_groups
        first["lr"], hidden["lr"], last["lr"] = rates[-1]
        train(model, optimizer, 1, step), train(twin, by_hand, 1, step)
        schedule.step(*metric)
    assert same(model, twin)
    assert len(set(map(tuple, rates))) > 1


@EVERY
def test_it_resumes_exactly(name):
    model = network()
    optimizer = hybrid(model, name)
    train(model, optimizer)
    file = io.BytesIO()
    torch.save([model.state_dict(), optimizer.state_dict()], file)
    file.seek(0)
    saved, state = torch.load(file, weights_only=True)
    twin = network(1)
    other = hybrid(twin, name)
    twin.load_state_dict(saved)
    other.load_state_dict(state)
    for g in other.param_groups:
        part = other.companion if g.get("companion") else other.main
        assert any(g is h for h in part.param_groups)
    train(model, optimizer, seed=1), train(twin, other, seed=1)
    assert same(model, twin)
    # A scheduler made after loading still reaches the parts.
    schedule = lr_scheduler.ExponentialLR(other, 0.1)
    other.step(), schedule.step()
    assert other.main.param_groups[0]["lr"] == pytest.approx(0.003)


def test_its_state_is_in_torch_s_format():
    model = network()
    optimizer = hybrid(model)
    train(model, optimizer)
    packed = optimizer.state_dict()
    assert set(optimizer.state) == set(model.parameters())
    assert [g["params"] for g in packed["param_groups"]] == [[0, 1], [2], [3, 4, 5]]
    assert sorted(packed["state"]) == [0, 1, 2, 3, 4, 5]
    assert "momentum_buffer" in packed["state"][2] and "exp_avg" in packed["state"][3]


def test_what_is_written_into_its_state_reaches_the_parts():
    model, stranger = network(), torch.zeros(2)
    optimizer = hybrid(model)
    hidden, bias = model[2].weight, model[2].bias
    assert optimizer.state[hidden] == {} and len(optimizer.state) == 1  # torch's, made when asked
    train(model, optimizer)
    assert optimizer.state[hidden] is optimizer.main.state[hidden]
    buffer, average = torch.ones(8, 8), {"step": torch.tensor(7.0)}
    optimizer.state[hidden] = {"momentum_buffer": buffer}
    optimizer.state[bias] = average
    assert optimizer.main.state[hidden]["momentum_buffer"] is buffer
    assert optimizer.companion.state[bias] is average and bias not in optimizer.main.state
    del optimizer.state[bias]
    assert bias not in optimizer.state and bias not in optimizer.companion.state
    with pytest.raises(KeyError, match="no parameter group holds"):
        optimizer.state[stranger] = {}
    assert stranger not in optimizer.state


@pytest.mark.parametrize("forget", [lambda o: o.state.clear(), lambda o: setattr(o, "state", {})])
def test_a_cleared_state_is_a_new_start(forget):
    model, twin = network(), network()
    optimizer = hybrid(model)
    train(model, optimizer)
    forget(optimizer)
    assert not optimizer.state and not optimizer.main.state and not optimizer.companion.state
    twin.load_state_dict(model.state_dict())
    train(model, optimizer, seed=1), train(twin, hybrid(twin), seed=1)
    assert same(model, twin)


def test_a_state_that_is_set_replaces_the_parts():
    model = network()
    optimizer = hybrid(model)
    train(model, optimizer)
    kept = {p: dict(state) for p, state in optimizer.state.items()}
    train(model, optimizer)
    optimizer.state = kept
    assert all(optimizer.state[p] is state for p, state in kept.items())
    optimizer.state = optimizer.state  # itself
    assert dict(optimizer.state) == kept


def test_another_s_state_is_refused():
    optimizer = hybrid(network())
    other = torch.optim.AdamW(network().parameters())
    with pytest.raises(ValueError, match=r"saved groups hold \[6\] parameters, these \[2, 1, 3\]"):
        optimizer.load_state_dict(other.state_dict())


@EVERY
def test_a_deep_copy_is_whole_and_independent(name):
    model = network()
    optimizer = hybrid(model, name)
    train(model, optimizer)
    twin, other = copy.deepcopy((model, optimizer))
    assert other.main.param_groups[0] is other.param_groups[1]
    train(twin, other, seed=1)
    assert not same(model, twin)
    train(model, optimizer, seed=1)
    assert same(model, twin)


def test_a_closure_is_evaluated_once():
    model, calls = network(), []
    optimizer = hybrid(model)
    x = torch.randn(16, 6)

    def closure():
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        calls.append(loss.item())
        return loss

    assert [optimizer.step(closure).item() for _ in range(3)] == calls
    assert calls[2] < calls[0]


def test_a_group_may_be_added_to_either_part():
    model, extra = network(), network(1)
    optimizer = hybrid(model)
    optimizer.add_param_group({"params": [extra[2].weight], "lr": 0.1, "weight_decay": 0.0})
    optimizer.add_param_group({"params": [extra[2].bias], "lr": 0.1, "companion": True})
    assert optimizer.param_groups[3] is optimizer.main.param_groups[1]
    assert optimizer.param_groups[4] is optimizer.companion.param_groups[2]
    extra[2].weight.grad, before = torch.randn(8, 8), extra[2].weight.detach().clone()
    optimizer.step()
    assert not torch.equal(before, extra[2].weight)


def test_a_vector_or_a_known_parameter_is_not_added():
    model = network()
    optimizer = hybrid(model)
    with pytest.raises(ValueError, match=r"not a parameter of shape \(8,\).*companion"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(8))], "lr": 0.1})
    with pytest.raises(ValueError, match="appear in more than one parameter group"):
        optimizer.add_param_group({"params": [model[2].weight], "lr": 0.1})
    assert len(optimizer.param_groups) == 3


def test_a_companion_alone_and_a_matrix_alone():
    model = network()
    first, hidden, last = groups(model)
    assert type(make_optimizer("muon", [first, last])) is torch.optim.AdamW
    assert isinstance(make_optimizer("muon", [hidden]), torch.optim.Muon)


def test_the_step_compiles():
    model, twin = network(), network()
    optimizer, compiled = hybrid(model), hybrid(twin)
    step = torch.compile(compiled.step, backend="eager")
    for seed in range(3):
        x = torch.randn(32, 6, generator=torch.Generator().manual_seed(seed))
        for m, o, go in ((model, optimizer, optimizer.step), (twin, compiled, step)):
            o.zero_grad()
            m(x).square().mean().backward()
            go()
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p, q)
