"""What one step does, role by role: against plain linear algebra and against swapping by hand."""

import pytest
import torch

from experiments.instruments.updates import MEASURED, StepRecorder, StepSnapshot, measure_step
from specmup.data.images import digits
from specmup.models.resnet import ResNet, ResNetShape, build
from specmup.training.learning_rates import ordinary_base
from specmup.training.replicas import replica_optimizer
from specmup.training.resnet import replica_losses, train

SHAPE = ResNetShape(64, 12, 3, 10, block_depth=2, activation="relu", bias=True)
X = digits().train_x[:16]
Y = digits().train_y[:16]


def held_and_moved(seeds=0, rate=0.1, amount=1.0):
    """A network before and after a step of plain gradient descent."""
    model = build(SHAPE, ordinary_base(SHAPE).settings, seeds)
    replica_losses(model, X, Y).sum().backward()
    held = StepSnapshot.of(model, X)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= rate * amount * parameter.grad
    return held, model


def of(frame, role, replica=0):
    return frame[(frame.role == role) & (frame.replica == replica)].iloc[0]


def test_update_norms_are_those_of_linear_algebra():
    held, model = held_and_moved()
    frame = measure_step(held, model)
    update = (model.input - held.model.input).detach()
    values = torch.linalg.svdvals(update)
    row = of(frame, "input")
    n_out, n_in = update.shape
    assert row["update"] == pytest.approx((n_in / n_out) ** 0.5 * values[0].item(), rel=2e-2)
    assert row["update_rank"] == pytest.approx(
        (values.square().sum() / values[0] ** 2).item(), rel=4e-2
    )
    assert row["weight"] == pytest.approx(model.input.norm().item())
    hidden = (model.hidden - held.model.hidden).detach()
    norms = torch.linalg.matrix_norm(hidden, ord=2).flatten()  # square maps: ‖·‖_R = ‖·‖₂
    expected = norms.square().mean().sqrt().item()
    assert of(frame, "hidden")["update"] == pytest.approx(expected, rel=2e-2)


def test_a_bias_is_a_matrix_with_one_column():
    held, model = held_and_moved()
    row = of(measure_step(held, model), "input_bias")
    update = model.input_bias - held.model.input_bias
    assert row["update"] == pytest.approx(update.square().mean().sqrt().item(), rel=1e-5)
    assert row["update_rank"] == pytest.approx(1)


@pytest.mark.parametrize("role", ["input", "hidden", "output", "input_bias", "hidden_bias"])
def test_the_change_is_that_of_one_role_alone(role):
    held, model = held_and_moved()
    alone = ResNet(SHAPE, model.multipliers)
    mixed = {**held.model.state_dict(), role: model.state_dict()[role]}
    alone.load_state_dict(mixed)
    with torch.no_grad():
        if role == "output":
            change = alone(X) - held.logits
        else:
            change = alone.features(X)[-1] - held.last
    expected = change.square().mean().sqrt().item()
    assert of(measure_step(held, model), role)["change"] == pytest.approx(expected, rel=1e-4)


def test_measuring_leaves_the_held_network_as_it_was():
    held, model = held_and_moved()
    before = {role: value.clone() for role, value in held.model.state_dict().items()}
    measure_step(held, model)
    assert all(torch.equal(before[r], v) for r, v in held.model.state_dict().items())


def test_replicas_are_measured_as_if_alone():
    held, model = held_and_moved(seeds=[3, 4])
    stacked = measure_step(held, model)
    for replica, seed in enumerate((3, 4)):
        single = measure_step(*held_and_moved(seeds=seed))
        for role in single.role:
            ours, alone = of(stacked, role, replica), of(single, role)
            for column in MEASURED:
                assert ours[column] == pytest.approx(alone[column], rel=1e-3, abs=1e-9)


def test_nothing_moved_is_zero_and_divergence_is_infinite():
    still = measure_step(*held_and_moved(amount=0.0))
    assert (still[["update", "change", "update_rank"]] == 0).all(axis=None)
    wild = measure_step(*held_and_moved(amount=torch.inf))
    assert (wild[["update", "change"]] == torch.inf).all(axis=None)
    assert not wild.isna().any(axis=None)


def test_signs_are_all_at_the_bound():
    held, model = held_and_moved(amount=0.0)
    with torch.no_grad():
        model.output += 0.01 * torch.randn(model.output.shape).sign()
    frame = measure_step(held, model)
    assert of(frame, "output")["bounded"] == 1.0


def test_a_recorder_measures_every_step_once():
    task = digits()
    settings = ordinary_base(SHAPE).at_learning_rate(0.05).settings
    seen = {}
    for steps in (None, [2, 4]):
        model = build(SHAPE, settings, [0])
        start = {r: p.clone() for r, p in model.state_dict().items()}
        recorder = StepRecorder(X, steps)
        optimizer = replica_optimizer(model, settings, "sgd")
        train(model, optimizer, task, steps=4, batch_size=8, seeds=[0], on_step=recorder)
        seen[steps is None] = recorder.frame(model)
    every, some = seen[True], seen[False]
    assert every.step.unique().tolist() == [1, 2, 3, 4]
    assert some.step.unique().tolist() == [2, 4]
    again = every[every.step.isin([2, 4])].reset_index(drop=True)
    assert again.equals(some)
    # No momentum, no decay: the first update of a bias is −η times its gradient.
    first = of(every[every.step == 1], "input_bias")
    assert first["update"] == pytest.approx(0.05 * first["gradient"], rel=1e-3)
    assert not torch.equal(start["input"], model.state_dict()["input"])
