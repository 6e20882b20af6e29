"""A model's start under a plan."""

import copy

import pytest
import torch

from specmup.models.gpt import GPT, GPTShape
from specmup.models.resnet import ResNet, ResNetShape
from specmup.parametrization.initial import root_mean_square
from specmup.parametrization.plan import make_plan


def sizes(model):
    return {name: root_mean_square(p) for name, p in model.named_parameters()}


def values(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_rescaling_keeps_the_kind_and_may_be_run_twice(residual):
    torch.manual_seed(0)
    model, base = residual(64, 8), residual(16, 2)
    plan = make_plan(model, base=base, branch_ends=["narrow"], block_depth=2)
    before = values(model)
    plan.initialise(model)
    after = values(model)
    for name, value in after.items():
        torch.testing.assert_close(
            value * root_mean_square(before[name]), before[name] * plan[name].init_std
        )
        assert root_mean_square(value) == pytest.approx(plan[name].init_std)
    assert same(values(plan.initialise(model)), after)
    # torch draws a map from n inputs with variance 1/(3n), at either size: the plan goes on from
    # the base's own and adds the folded 1/r_L at the ends.
    base_std = sizes(base)["layers.0.narrow.weight"]
    assert after["layers.0.narrow.weight"].std().item() == pytest.approx(base_std / 8, rel=0.05)


def test_a_base_is_left_as_it_is(nano_gpt):
    model = nano_gpt()
    before = values(model)
    make_plan(model, base=nano_gpt()).initialise(model)
    assert same(before, values(model))
    make_plan(model, base=nano_gpt(), std=0.5).initialise(model)
    assert sizes(model)["transformer.wpe.weight"] == pytest.approx(0.5)


def test_a_factory_of_the_base_says_the_same_as_the_base(residual):
    """Also of what torch draws a bias with, which is no zero."""
    model, declared = residual(64, 8), {"branch_ends": ["narrow"], "block_depth": 2}
    torch.manual_seed(0)
    told = make_plan(model, base=residual(32, 2), std=0.02, **declared)
    made = make_plan(model, base=lambda: residual(32, 2), std=0.02, **declared)
    for name, entry in made.items():
        assert entry.start == told[name].start
        assert entry.init_std == pytest.approx(told[name].init_std, rel=0.5), name
    assert made["layers.0.widen.bias"].init_std == pytest.approx((3 * 32) ** -0.5, rel=0.2)


def test_a_draw_depends_on_its_seed_alone(nano_gpt):
    model = nano_gpt(n_embd=64)
    plan = make_plan(model, base=nano_gpt(), std=0.02)
    first = values(plan.initialise(model, seed=1))
    other = nano_gpt(n_embd=64)
    assert same(values(plan.initialise(other, seed=1)), first)
    assert not same(values(plan.initialise(other, seed=2)), first)
    assert torch.all(first["transformer.ln_f.weight"] == 0.5)  # folded: the readout's 1/r_n
    c_fc = first["transformer.h.0.mlp.c_fc.weight"]
    assert c_fc.std().item() == pytest.approx(0.02 / 2**0.5, rel=0.05)


def test_gpt2_on_the_meta_device_knows_its_own_start(hugging_face):
    """Its last maps start at 0.02/√(2L), with the L of the base."""
    with torch.device("meta"):
        model = hugging_face("gpt2", n_embd=64, n_layer=8, n_head=4)
    plan = make_plan(model, base={"n_layer": 2})
    last = plan["transformer.h.7.mlp.c_proj.weight"]
    assert last.init_std == pytest.approx(0.02 / 4**0.5 / 4)
    measured = make_plan(model, base=hugging_face("gpt2", n_embd=64, n_layer=2, n_head=4))
    for name, entry in plan.items():
        assert measured[name].init_std == pytest.approx(entry.init_std, rel=0.05), name


def test_multipliers_are_written_into_the_model():
    shape = ResNetShape(inputs=6, width=16, depth=8, outputs=3)
    model = ResNet(shape, {"input": 1.0, "hidden": 9.0, "output": 9.0})
    base = ResNet(ResNetShape(6, 8, 2, 3), {"input": 1.0, "hidden": 0.5, "output": 2.0})
    std = {"input": 0.4, "hidden": 0.3, "output": 0.2}
    plan = make_plan(model, base=base, std=std)
    for _ in range(2):
        plan.initialise(model, seed=0)
        assert model.multipliers == {"input": 1.0, "hidden": 0.125, "output": 1.0}
    # In the folded gauge the forward pass keeps the base's own.
    make_plan(model, base=base, std=std, gauge="folded").initialise(model, seed=0)
    assert model.multipliers == {"input": 1.0, "hidden": 0.5, "output": 2.0}


def test_multipliers_reach_the_blocks_of_a_copy():
    build = lambda n: GPT(GPTShape(40, 16, n, 2, head_dimension=8))  # noqa: E731
    model = copy.deepcopy(build(32))
    make_plan(model, base=build(8)).initialise(model)
    assert model.multipliers["output"] == 0.25
    assert all(block.multipliers is model.multipliers for block in model.blocks)


def test_what_cannot_be_initialised_is_refused(residual):
    declared = {"branch_ends": ["narrow"], "block_depth": 2}
    unknown = make_plan(residual(16, 2), base=lambda: residual(8, 2), verify=False, **declared)
    with pytest.raises(ValueError, match=r"stem\.weight is not known.*std="):
        unknown.initialise(residual(16, 2))
    plan = make_plan(residual(16, 2), base=residual(8, 2), **declared)
    with torch.device("meta"), pytest.raises(ValueError, match=r"meta device.*to_empty"):
        plan.initialise(residual(16, 2))
    with pytest.raises(ValueError, match=r"\(16, 6\).*make the plan for this model"):
        plan.initialise(residual(32, 2))
    empty = residual(16, 2)
    torch.nn.init.zeros_(empty.stem.weight)
    with pytest.raises(ValueError, match=r"stem\.weight is zero.*seed"):
        plan.initialise(empty)


def test_a_model_loaded_anew_is_refused_until_it_has_the_plans_multipliers():
    def gpt(width, depth):
        return GPT(GPTShape(32, 8, width, depth, head_dimension=8))

    plan = make_plan(gpt(32, 4), base=gpt(16, 2), optimizer="adamw", learning_rate=0.01)
    trained = plan.initialise(gpt(32, 4), seed=0)
    plan.optimizer(copy.deepcopy(trained))
    anew = gpt(32, 4)
    anew.load_state_dict(trained.state_dict())
    with pytest.raises(ValueError, match=r"hidden is 1, in the plan 0.5.*plan.set_constants"):
        plan.optimizer(anew)
    plan.optimizer(plan.set_constants(anew))
    tokens = torch.arange(8)[None]
    assert torch.equal(trained(tokens), anew(tokens))
