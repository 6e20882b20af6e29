from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specmup.models.residual import ACTIVATIONS, PLACEMENTS, ResNetShape
from specmup.models.resnet import ResNet, build, initialise
from specmup.training.scaling import Settings

shapes = st.builds(
    ResNetShape,
    inputs=st.integers(1, 5),
    width=st.integers(1, 6),
    depth=st.integers(1, 4),
    outputs=st.integers(1, 4),
    block_depth=st.integers(1, 4),
    activation=st.sampled_from(list(ACTIVATIONS)),
    mean_subtraction=st.booleans(),
    bias=st.booleans(),
    placement=st.sampled_from(PLACEMENTS),
)


def settings(input=1.0, hidden=1.0, output=1.0):
    multipliers = {"input": input, "hidden": hidden, "output": output}
    return {role: Settings(0.5, 0.1, m) for role, m in multipliers.items()}


def with_random_biases(model):
    generator = torch.Generator().manual_seed(0)
    for role, parameter in model.named_parameters():
        if role.endswith("bias"):
            values = torch.randn(parameter.shape[-1:], generator=generator)
            parameter.data = values.expand(parameter.shape).clone()
    return model


def by_hand(model, x):
    """The network written out for one sample and one replica, in float64."""
    shape, p = model.shape, {role: v.detach().double() for role, v in model.named_parameters()}
    zero = torch.zeros((), dtype=torch.float64)

    def phi(h):
        h = {"linear": h, "relu": h.clamp(min=0), "abs": h.abs()}[shape.activation]
        return h - h.mean() if shape.mean_subtraction else h

    h = model.multipliers["input"] * (p["input"] @ x + p.get("input_bias", zero))
    for block in range(shape.depth):
        f = h
        for i in range(shape.block_depth):
            bias = p["hidden_bias"][block, i] if shape.bias else zero
            if shape.placement == "pre":
                f = p["hidden"][block, i] @ phi(f) + bias
                continue
            f = p["hidden"][block, i] @ f + bias
            if i < shape.block_depth - 1 or shape.block_depth == 1:
                f = phi(f)
        h = h + model.multipliers["hidden"] * f
    return model.multipliers["output"] * (p["output"] @ h)


@given(shapes, st.integers(0, 100))
def test_forward_is_the_formula(shape, seed):
    model = with_random_biases(build(shape, settings(0.7, 0.3, 1.9), seed))
    x = torch.randn(3, shape.inputs, generator=torch.Generator().manual_seed(seed))
    expected = torch.stack([by_hand(model, sample.double()) for sample in x])
    torch.testing.assert_close(model(x).double(), expected, rtol=1e-4, atol=1e-4)


@given(shapes, st.lists(st.integers(0, 100), min_size=1, max_size=3))
def test_a_replica_is_the_plain_model_with_its_seed(shape, seeds):
    stacked = with_random_biases(build(shape, settings(hidden=0.3), seeds))
    x = torch.randn(len(seeds), 3, shape.inputs, generator=torch.Generator().manual_seed(7))
    logits, features = stacked(x), stacked.features(x)
    for r, seed in enumerate(seeds):
        plain = with_random_biases(build(shape, settings(hidden=0.3), seed))
        for role, parameter in plain.named_parameters():
            assert torch.equal(getattr(stacked, role)[r], parameter)
        torch.testing.assert_close(logits[r], plain(x[r]), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(features[:, r], plain.features(x[r]), rtol=1e-5, atol=1e-5)


@given(shapes)
def test_shapes_of_parameters_and_features(shape):
    model = build(shape, settings(), [0, 1])
    n, d, c = shape.width, shape.inputs, shape.outputs
    blocks = (shape.depth, shape.block_depth)
    expected = {"input": (2, n, d), "hidden": (2, *blocks, n, n), "output": (2, c, n)}
    if shape.bias:
        expected |= {"input_bias": (2, n), "hidden_bias": (2, *blocks, n)}
    assert {role: tuple(p.shape) for role, p in model.named_parameters()} == expected
    x = torch.zeros(5, d)
    assert model(x).shape == (2, 5, c)
    assert model.features(x).shape == (shape.depth + 1, 2, 5, n)


def test_shared_samples_equal_repeated_samples():
    model = build(ResNetShape(3, 4, 2, 2), settings(), [0, 1])
    x = torch.randn(5, 3)
    torch.testing.assert_close(model(x), model(x.expand(2, 5, 3)))


def test_gradients_of_replicas_do_not_mix():
    shape = ResNetShape(3, 8, 2, 2, bias=True)
    model = build(shape, settings(), [0, 1, 2])
    model(torch.randn(3, 4, 3))[1].square().sum().backward()
    for parameter in model.parameters():
        assert parameter.grad[1].abs().sum() > 0
        assert parameter.grad[[0, 2]].abs().sum() == 0


def test_logits_come_from_the_last_features():
    model = build(ResNetShape(3, 8, 2, 2), settings(output=0.25), 0)
    x = torch.randn(5, 3)
    torch.testing.assert_close(model(x), 0.25 * model.features(x)[-1] @ model.output.mT)


def test_mean_subtraction_leaves_no_mean():
    model = build(ResNetShape(3, 8, 1, 2, mean_subtraction=True), settings(), 0)
    h = model.activate(torch.randn(5, 8) + 3)
    torch.testing.assert_close(h.mean(-1), torch.zeros(5), atol=1e-6, rtol=0)
    assert h.abs().max() > 0.1


def test_std_is_met_and_biases_are_zero():
    shape = ResNetShape(64, 128, 4, 10, bias=True)
    stds = {"input": 0.3, "hidden": 0.02, "output": 2.0}
    model = build(shape, {role: Settings(std, 0.1) for role, std in stds.items()}, 0)
    for role, std in stds.items():
        assert getattr(model, role).std().item() == pytest.approx(std, rel=0.1)
    assert not model.input_bias.any() and not model.hidden_bias.any()


def test_initialise_again_forgets_the_past():
    shape = ResNetShape(3, 4, 2, 2, bias=True)
    model = with_random_biases(build(shape, settings(), 1))
    initialise(model, settings(), 5)
    for role, parameter in build(shape, settings(), 5).named_parameters():
        assert torch.equal(getattr(model, role), parameter)


def test_numpy_integers_are_integers():
    shape = ResNetShape(np.int64(3), np.int64(4), 2, 2)
    assert build(shape, settings(), np.int64(3)).replicas is None


@pytest.mark.parametrize("name", ["inputs", "width", "depth", "outputs", "block_depth"])
@pytest.mark.parametrize("size", [0, -1, 1.5])
def test_a_size_below_one_is_refused(name, size):
    with pytest.raises(ValueError, match=rf"{name} is {size}: .*at least 1"):
        replace(ResNetShape(3, 4, 2, 2), **{name: size})


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="unknown activation 'tanh': choose one of linear, relu"):
        ResNetShape(3, 4, 2, 2, activation="tanh")


def test_an_unknown_placement_is_refused():
    with pytest.raises(ValueError, match="unknown placement 'mid': choose one of post, pre"):
        ResNetShape(3, 4, 2, 2, placement="mid")


def test_post_activation_is_the_default():
    shape, x = ResNetShape(3, 8, 2, 2, activation="abs"), torch.randn(5, 3)
    default, post, pre = (
        build(s, settings(), 0)(x)
        for s in (shape, replace(shape, placement="post"), replace(shape, placement="pre"))
    )
    assert torch.equal(default, post)
    assert not torch.allclose(default, pre)


@pytest.mark.parametrize(
    ("replicas", "given_shape", "expected"),
    [
        (None, (5, 4), r"\(5, 4\): this model takes \(batch, 3\)"),
        (None, (2, 5, 3), r"\(2, 5, 3\): this model takes \(batch, 3\)"),
        (2, (3, 5, 3), r"\(3, 5, 3\): this model takes \(2, batch, 3\)"),
        (2, (3,), r"\(3,\): this model takes \(2, batch, 3\)"),
    ],
)
def test_a_wrong_input_shape_is_refused(replicas, given_shape, expected):
    model = ResNet(ResNetShape(3, 4, 2, 2), {"input": 1, "hidden": 1, "output": 1}, replicas)
    with pytest.raises(ValueError, match=f"input has shape {expected}"):
        model(torch.zeros(given_shape))


def test_a_missing_multiplier_is_refused():
    with pytest.raises(ValueError, match="no multiplier for hidden"):
        ResNet(ResNetShape(3, 4, 2, 2), {"input": 1.0, "output": 1.0})


def test_no_replica_is_refused():
    with pytest.raises(ValueError, match="replicas is 0"):
        build(ResNetShape(3, 4, 2, 2), settings(), [])


def test_a_wrong_number_of_seeds_is_refused():
    model = build(ResNetShape(3, 4, 2, 2), settings(), [0, 1])
    with pytest.raises(ValueError, match="3 seeds for 2 replicas"):
        initialise(model, settings(), [0, 1, 2])
