"""The assumptions' ratios: each against cases worked out by hand, and cases that break them."""

import pytest
import torch

from experiments.instruments import assumptions as measures
from experiments.instruments.assumption_recorder import Recorder
from experiments.instruments.contributions import addition, branch_outputs, branch_updates
from experiments.instruments.expansion import Snapshot, expand_step, overall_rms
from specmup.data.images import digits
from specmup.models.resnet import ResNet, ResNetShape, build
from specmup.norms import rms_operator_norm
from specmup.training.resnet import replica_losses
from specmup.training.scaling import Settings

X, Y = digits().train_x[:12], digits().train_y[:12] % 2


def network(block_depth=2, depth=3, bias=False, seeds=(0, 1)) -> ResNet:
    shape = ResNetShape(64, 16, depth, 2, block_depth, "relu", block_depth == 1, bias)
    settings = {r: Settings(std=0.3, learning_rate=0.1) for r in ("input", "hidden", "output")}
    settings["hidden"] = Settings(std=0.3, learning_rate=0.1, multiplier=0.5)
    return build(shape, settings, list(seeds))


def signal(entering, gradient) -> measures.Signal:
    """A signal of one replica with a weight of zeros."""
    z, delta = torch.tensor(entering)[None], torch.tensor(gradient)[None]
    weight = torch.zeros(1, delta.shape[-1], z.shape[-1])
    return measures.Signal(weight, z, z @ weight.mT, delta)


@pytest.mark.parametrize("block_depth", [1, 2, 3])
@pytest.mark.parametrize("bias", [False, True])
def test_the_samples_signals_make_the_gradient(block_depth, bias):
    model = network(block_depth, bias=bias)
    found = measures.signals(model, X, Y)
    assert all(p.grad is None for p in model.parameters())
    replica_losses(model, X, Y).sum().backward()
    gradients = (model.input.grad, *model.hidden.grad[:, -1].unbind(1))
    assert list(found) == measures.watched(model)
    for (name, one), gradient in zip(found.items(), gradients, strict=True):
        summed = one.gradient.mT @ one.entering / len(X)
        torch.testing.assert_close(summed, gradient, msg=name, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("bias", [False, True])
def test_what_leaves_is_the_same_by_either_way(bias):
    model = network(bias=bias)
    found = measures.signals(model, X, Y)
    left = measures.leaving(model, X, model.features(X)[-2].detach())
    for name, one in found.items():
        torch.testing.assert_close(left[name], one.leaving)
    branch = model.multipliers["hidden"] * left["map 2"]
    torch.testing.assert_close(branch, branch_outputs(model, X)[-1])


def test_a_plain_model_is_refused():
    model = network()
    plain = ResNet(model.shape, model.multipliers)
    with pytest.raises(ValueError, match="sequence of seeds"):
        measures.signals(plain, X, Y)


def test_samples_that_agree_and_samples_that_do_not():
    same = signal([[1.0, 2.0]] * 4, [[3.0, 1.0]] * 4)
    assert measures.sample_alignment(same).item() == pytest.approx(1)
    assert measures.against_own(same).item() == pytest.approx(4)
    opposed = signal([[1.0, 2.0]] * 2, [[3.0, 1.0], [-3.0, -1.0]])
    assert measures.sample_alignment(opposed).item() == pytest.approx(0, abs=1e-6)
    assert measures.against_own(opposed).item() == pytest.approx(0, abs=1e-6)
    unrelated = signal([[1.0]] * 4, torch.eye(4).tolist())
    assert measures.sample_alignment(unrelated).item() == pytest.approx(4**-0.5)
    silent = signal([[1.0, 2.0]] * 2, [[0.0, 0.0]] * 2)
    assert measures.sample_alignment(silent).item() == 0


def test_a_gradient_of_one_sample_reaches_it_wholly():
    one = signal([[1.0, 2.0, -1.0]], [[3.0, 1.0]])
    update = -one.gradient.mT @ one.entering
    assert measures.reach(update, one.entering).item() == pytest.approx(1, rel=1e-3)
    across = torch.tensor([[[2.0, -1.0, 0.0]]])
    assert measures.reach(update, across).item() == pytest.approx(0, abs=1e-6)
    assert measures.reach(0 * update, across).item() == 0


def test_routes():
    straight, back, nowhere = (measures.Route(overall_rms) for _ in range(3))
    with pytest.raises(ValueError, match="move twice"):
        straight.straightness()
    for t in range(4):
        straight.move_to(torch.full((1, 2, 3), float(t)))
        back.move_to(torch.full((1, 2, 3), float(t % 2)))
        nowhere.move_to(torch.zeros(1, 2, 3))
    assert straight.straightness().item() == pytest.approx(1)
    assert straight.moved().item() == pytest.approx(3)
    assert back.straightness().item() == pytest.approx(1 / 3)
    assert nowhere.straightness().item() == 0


def test_what_a_change_leaves():
    before = torch.eye(3)[None]
    assert measures.kept(rms_operator_norm, before, before).item() == pytest.approx(1, rel=1e-2)
    assert measures.kept(rms_operator_norm, before, -before).item() == 0


def test_relu_passes_on_the_positive_half():
    model = network()
    one = signal([[1.0]], [[1.0, 1.0]])
    left = torch.tensor([[[3.0, -4.0]]])
    relu = measures.Signal(one.weight, one.entering, left, one.gradient)
    assert measures.passed_on(model, relu).item() == pytest.approx(3 / 5)


def test_contributions_are_the_stream():
    model = network(depth=4)
    stream = model.features(X)
    given = branch_outputs(model, X)
    torch.testing.assert_close(given.sum(0), stream[-1] - stream[0])


def test_own_updates_are_the_expansions_terms_where_nothing_is_passed_on():
    model = network(depth=3)
    before = Snapshot.of(model, X)
    with torch.no_grad():
        model.hidden[:, 0] += 0.01 * torch.randn(
            model.hidden[:, 0].shape, generator=torch.Generator().manual_seed(0)
        )
    own = branch_updates(model, before)
    terms = expand_step(model, before, X)
    torch.testing.assert_close(own[0], (terms.order(1) + terms.order(2))[0])
    assert not own[1:].any()


def test_how_contributions_add_up():
    along = torch.ones(16, 1, 2, 3)
    assert addition(along).item() == pytest.approx(1)
    across = torch.eye(16).view(16, 1, 4, 4)
    assert addition(across).item() == pytest.approx(0.5)
    assert addition(0 * along).item() == 0


def test_the_recorder_measures_what_a_step_did():
    model = network()
    recorder = Recorder(model, X, Y, moments=[1])
    for step in range(3):
        recorder.before(step)
        before = model.input.detach().clone()
        with torch.no_grad():
            model.input += 0.01 if step != 1 else -0.01
        recorder.after(step)
    frame = recorder.frame()
    row = frame[(frame.layer == "input") & (frame.replica == 0)].iloc[0]
    update = (before - before - 0.01)[:1]
    assert row["step"] == 1
    assert row["update"] == pytest.approx(rms_operator_norm(update).item(), rel=1e-2)
    assert row["weight_straight"] == pytest.approx(0, abs=1e-5)
    assert frame.set_index(["layer", "replica"]).loc[("map 1", 0), "weight_straight"] == 0
