"""Networks whose blocks differ: they hold the ordinary ones, and the formula written out."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from experiments.instruments.expansion import Snapshot
from experiments.instruments.mixed import MixedResNet, MixedShape
from specmup.models.residual import ACTIVATIONS, PLACEMENTS, ResNetShape
from specmup.models.resnet import ResNet, build, build_as
from specmup.training.scaling import Settings

HIDDEN = {1: 0.7, 2: 0.3, 3: 0.45}  # multipliers

blocks = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)
patterns = st.lists(blocks, min_size=1, max_size=3).map(tuple)


def settings():
    roles = {"input": 0.9, "output": 1.3} | {f"hidden{k}": m for k, m in HIDDEN.items()}
    return {role: Settings(0.5, 0.1, multiplier) for role, multiplier in roles.items()}


def mixed(pattern, repeats=1, **other):
    depth = repeats * len(pattern)
    return MixedShape(inputs=3, width=6, depth=depth, outputs=4, pattern=pattern, **other)


def by_hand(model, x):
    """The network written out, its branches taken from the parameters by counting."""
    shape, taken = model.shape, dict.fromkeys(HIDDEN, 0)
    h = model.multipliers["input"] * x @ model.input.mT
    for block in shape.pattern * (shape.depth // len(shape.pattern)):
        added = 0
        for k in block:
            maps = getattr(model, f"hidden{k}")[taken[k]]
            taken[k] += 1
            f = h
            for i in range(k):
                if shape.placement == "pre":
                    f = model.activate(f) @ maps[i].T
                else:
                    f = f @ maps[i].T
                    f = model.activate(f) if i < max(1, k - 1) else f
            added = added + HIDDEN[k] * f
        h = h + added
    return model.multipliers["output"] * h @ model.output.mT


@given(
    patterns,
    st.integers(1, 2),
    st.sampled_from(list(ACTIVATIONS)),
    st.sampled_from(PLACEMENTS),
    st.booleans(),
)
def test_forward_is_the_formula(pattern, repeats, activation, placement, centred):
    shape = mixed(
        pattern, repeats, activation=activation, placement=placement, mean_subtraction=centred
    )
    model = build_as(MixedResNet, shape, settings(), 3)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(model(x), by_hand(model, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_pattern_of_equal_blocks_is_the_ordinary_network(k):
    plain = ResNetShape(3, 6, 4, 4, block_depth=k)
    same = mixed(((k,), (k,)), 2)
    assert same.block_depth == k
    numbers = settings() | {"hidden": settings()[f"hidden{k}"]}
    x = torch.randn(5, 3)
    ordinary = build(plain, numbers, [0, 1])
    repeated = build_as(MixedResNet, same, numbers, [0, 1])
    assert torch.equal(ordinary(x), repeated(x))
    assert torch.equal(ordinary.features(x), repeated.features(x))


def test_it_is_no_network_of_equal_blocks():
    """What takes a ResNet reads one branch a block, and there is no such thing here."""
    assert not issubclass(MixedResNet, ResNet)
    model = build_as(MixedResNet, mixed(((1,), (2,))), settings(), 0)
    with pytest.raises(AttributeError, match="no attribute 'blocks'"):
        Snapshot.of(model, torch.randn(5, 3))


def test_parallel_branches_are_one_branch_of_twice_the_inner_width():
    model = build_as(MixedResNet, mixed(((2, 2),)), settings(), 0)
    x = torch.randn(5, 3)
    stream = model.features(x)
    (a1, a2), (b1, b2) = model.hidden2
    first, last = torch.cat([a1, b1]), torch.cat([a2, b2], dim=1)  # (2n, n), (n, 2n)
    wide = stream[0] + HIDDEN[2] * torch.relu(stream[0] @ first.mT) @ last.mT
    torch.testing.assert_close(stream[1], wide)


def test_branches_are_counted_by_their_depth():
    shape = mixed(((1, 2), (2,)), 3)
    assert shape.branches == {1: 3, 2: 6}
    assert shape.parameters["hidden2"] == (6, 2, 6, 6)
    assert shape.weights == ["input", "hidden1", "hidden2", "output"]


def test_a_replica_is_the_plain_model_with_its_seed():
    stacked = build_as(MixedResNet, mixed(((1,), (2,)), 2), settings(), [4, 9])
    x = torch.randn(5, 3)
    for r, seed in enumerate([4, 9]):
        plain = build_as(MixedResNet, mixed(((1,), (2,)), 2), settings(), seed)
        torch.testing.assert_close(stacked(x)[r], plain(x))


@pytest.mark.parametrize(
    ("pattern", "depth", "other", "message"),
    [
        ((), 2, {}, "without a map"),
        (((1,), ()), 2, {}, "without a map"),
        (((0,),), 2, {}, "without a map"),
        (((1,), (2,)), 3, {}, "depth 3 is no multiple of the 2 blocks"),
        (((1,),), 2, {"bias": True}, "leave bias at False"),
    ],
)
def test_an_impossible_network_is_refused(pattern, depth, other, message):
    with pytest.raises(ValueError, match=message):
        MixedShape(inputs=3, width=6, depth=depth, outputs=4, pattern=pattern, **other)


def test_a_role_without_a_multiplier_is_refused():
    numbers = settings()
    del numbers["hidden2"]
    with pytest.raises(ValueError, match="no multiplier for hidden2"):
        build_as(MixedResNet, mixed(((1,), (2,))), numbers, 0)
