"""Counts whose factors a plan does not take are named, and what it does of itself is as told."""

import pytest
import torch
from torch import nn

from specmup.models.llama import Llama, LlamaShape
from specmup.parametrization.plan import make_plan

ABOUT_HEADS, ABOUT_EXPERTS = "2605.15290", "2605.14200"
LLAMA = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 60}
DECLARED = {"branch_ends": ["narrow"], "block_depth": 2}


def notes(plan, about):
    return [note for note in plan.notes if about in note]


def holding(residual, name, made):
    """A function from a width and a count to a model whose layers hold what is made of these."""

    def build(width, count):
        model = residual(width, 2)
        for layer in model.layers:
            setattr(layer, name, made(width, count))
        return model

    return build


@pytest.mark.parametrize(
    ("heads", "shared", "says"),
    [((4, 8), (2, 2), "2 → 4"), ((4, 8), (2, 4), None), ((4, 4), (4, 2), "1 → 2")],
)
def test_queries_that_share_keys_and_values(hugging_face, heads, shared, says):
    models = [
        hugging_face(
            "llama",
            **LLAMA | {"hidden_size": 16 * n, "num_attention_heads": n},
            num_key_value_heads=k,
        )
        for n, k in zip(heads, shared, strict=True)
    ]
    if heads[0] == heads[1]:
        models[1] = hugging_face(
            "llama", **LLAMA | {"hidden_size": 64, "num_key_value_heads": shared[1]}
        )
    found = notes(make_plan(models[1], base=models[0]), ABOUT_HEADS)
    assert len(found) == (says is not None)
    assert says is None or says in found[0]


def test_shapes_tell_where_no_configuration_does(residual):
    build = holding(residual, "keys", nn.Linear)
    told = notes(make_plan(build(64, 8), base=build(16, 8), **DECLARED), ABOUT_HEADS)
    assert len(told) == 1 and "layers.*.keys.weight reads what grows and writes 8" in told[0]
    assert not notes(make_plan(build(64, 32), base=build(16, 8), **DECLARED), ABOUT_HEADS)


def test_more_experts_in_one_tensor(residual):
    def stacked(width, experts):
        return nn.Parameter(torch.zeros(experts, width, width))

    build = holding(residual, "experts", stacked)
    told = {**DECLARED, "places": {"experts": "branch"}}
    found = notes(make_plan(build(64, 8), base=build(16, 4), **told), ABOUT_EXPERTS)
    assert len(found) == 1 and "layers.*.experts grows, 4 → 8" in found[0]
    assert not notes(make_plan(build(64, 4), base=build(16, 4), **told), ABOUT_EXPERTS)


def test_more_experts_in_a_list(residual):
    def listed(width, experts):
        return nn.ModuleList(nn.Linear(width, width) for _ in range(experts))

    build = holding(residual, "experts", listed)
    says = rf"layers\.0\.experts has 8 elements and 4 in the base.*{ABOUT_EXPERTS}"
    with pytest.raises(ValueError, match=says):
        make_plan(build(64, 8), base=build(16, 4), **DECLARED)


@pytest.mark.parametrize("entry", ["num_experts_per_tok", "moe_top_k", "num_local_experts"])
def test_experts_by_configuration(residual, entry):
    def build(width, count):
        model = residual(width, 2)
        model.config = type("Config", (), {})()
        vars(model.config).update({entry: count, "expert_hidden_size": width})
        return model

    found = notes(make_plan(build(64, 4), base=build(16, 2), **DECLARED), ABOUT_EXPERTS)
    assert len(found) == 1 and f"{entry} grows, 2 → 4" in found[0]
    assert not notes(make_plan(build(64, 2), base=build(16, 2), **DECLARED), ABOUT_EXPERTS)


@pytest.mark.parametrize(
    ("optimizer", "rate"), [("adamw", 1), ("muon", 1 / 2), ("sgd", 1 / 4)], ids=lambda x: str(x)
)
def test_what_a_plan_makes_of_heads_that_share(optimizer, rate):
    """Four heads to a key, at one width: book/counts.md says which of these numbers are right."""
    base, model = (
        Llama(LlamaShape(64, 16, width=64, depth=2, head_dimension=4, group=group))
        for group in (1, 4)
    )
    plan = make_plan(model, base=base, optimizer=optimizer)
    for name in ("key", "value"):
        factors = plan[f"blocks.0.attention.{name}.weight"].factors
        assert factors.learning_rate == pytest.approx(rate)
        assert factors.init_std == pytest.approx(1 / 2)
    for name in ("query", "out"):
        assert plan[f"blocks.0.attention.{name}.weight"].factors.learning_rate == 1


@pytest.mark.parametrize("optimizer", ["adamw", "muon", "sgd"])
def test_what_a_plan_makes_of_more_experts(residual, optimizer):
    """Nothing: their rates stay, which the page on counts finds right but for SGD."""
    build = holding(residual, "experts", lambda w, e: nn.Parameter(torch.randn(e, w, w)))
    told = {**DECLARED, "places": {"experts": "branch"}, "optimizer": optimizer}
    plan = make_plan(build(16, 8), base=build(16, 4), **told)
    (note,) = notes(plan, ABOUT_EXPERTS)
    assert "book/counts.md" in note
    factors = plan["layers.0.experts"].factors
    assert factors.learning_rate == factors.init_std == 1


@pytest.mark.parametrize(("scale", "noted"), [(lambda d: d**-0.5, True), (lambda d: 4 / d, False)])
def test_larger_heads_of_a_known_architecture_are_told_by_the_pass(hugging_face, scale, noted):
    """Granite's configuration holds the factor on its logits; 4/16 = 16^-1/2 at the base."""

    def granite(width):
        sizes = {"hidden_size": width, "attention_multiplier": scale(width // 4)}
        return hugging_face("granite", **LLAMA | sizes, num_key_value_heads=4)

    found = notes(make_plan(granite(256), base=granite(64)), "dimension of a head changes, 16 → 64")
    assert len(found) == noted
    assert not noted or "self_attn.scaling to 0.0625 in place of 0.125" in found[0]
    assert not noted or "given as attention_multiplier in the configuration lasts" in found[0]
