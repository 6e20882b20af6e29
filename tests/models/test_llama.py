"""The Llama against Hugging Face's with the same weights, its options, and its plans."""

from dataclasses import replace

import pytest
import torch
from language_models import assert_causal, assert_every_parameter_learns, randomised, tokens

from specmup.models.llama import Llama, LlamaShape, rotated
from specmup.parametrization.plan import make_plan
from specmup.probes.coordinate_check import coordinate_check, token_batches
from specmup.theory.rules import parametrization
from specmup.theory.update import LAWS

SMALL = LlamaShape(vocabulary=50, context=12, width=32, depth=3, head_dimension=8, group=2)


@pytest.mark.parametrize("group", [1, 2, 4])
def test_it_computes_what_hugging_face_computes(group):
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = LlamaShape(50, 12, 32, 3, head_dimension=8, group=group)
    ours = randomised(Llama(shape)).double()
    config = LlamaConfig(
        vocab_size=50,
        max_position_embeddings=12,
        hidden_size=32,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4 // group,
        rms_norm_eps=torch.finfo(torch.float64).eps,
        tie_word_embeddings=False,
    )
    theirs = LlamaForCausalLM(config).double().eval()
    with torch.no_grad():
        their = theirs.model
        their.embed_tokens.weight.copy_(ours.tokens.weight)
        their.norm.weight.copy_(ours.norm.weight)
        theirs.lm_head.weight.copy_(ours.readout.weight)
        for layer, block in zip(their.layers, ours.blocks, strict=True):
            layer.input_layernorm.weight.copy_(block.attention_norm.weight)
            layer.post_attention_layernorm.weight.copy_(block.mlp_norm.weight)
            for name, map_ in (
                ("self_attn.q_proj", block.attention.query),
                ("self_attn.k_proj", block.attention.key),
                ("self_attn.v_proj", block.attention.value),
                ("self_attn.o_proj", block.attention.out),
                ("mlp.gate_proj", block.mlp.gate),
                ("mlp.up_proj", block.mlp.up),
                ("mlp.down_proj", block.mlp.down),
            ):
                layer.get_submodule(name).weight.copy_(map_.weight)
        expected = theirs(tokens()).logits
        # Their angles are made in single precision.
        torch.testing.assert_close(ours(tokens()), expected, rtol=1e-5, atol=1e-6)


def test_a_later_token_changes_nothing_before_it():
    assert_causal(randomised(Llama(SMALL)))


@pytest.mark.parametrize("group", [2, 4])
def test_grouped_queries_are_repeated_keys_and_values(group):
    grouped = randomised(Llama(replace(SMALL, group=group))).double()
    repeated = Llama(replace(SMALL, group=1)).double()
    weights = grouped.state_dict()
    for name, weight in weights.items():
        if "key" in name or "value" in name:
            heads = weight.unflatten(0, (-1, SMALL.head_dimension))  # (heads / group, d, n)
            weights[name] = heads.repeat_interleave(group, dim=0).flatten(0, 1)
    repeated.load_state_dict(weights)
    torch.testing.assert_close(grouped(tokens()), repeated(tokens()))


def test_rotated_products_depend_on_the_distance_alone():
    generator = torch.Generator().manual_seed(0)
    q, k = (torch.randn(8, generator=generator).double() for _ in range(2))
    turned_q, turned_k = (rotated(x.expand(1, 1, 12, 8)) for x in (q, k))
    products = (turned_q @ turned_k.transpose(-1, -2))[0, 0]
    for offset in (0, 3, 7):
        along = products.diagonal(offset)
        torch.testing.assert_close(along, along[0].expand_as(along), rtol=1e-5, atol=1e-6)
    assert rotated(q.expand(1, 1, 12, 8)).norm(dim=-1).std() < 1e-6


@pytest.mark.parametrize("normalisation", ["rmsnorm", "none"])
@pytest.mark.parametrize("tied", [False, True])
def test_every_parameter_of_every_variant_learns(normalisation, tied):
    shape = LlamaShape(50, 12, 32, 2, head_dimension=8, normalisation=normalisation, tied=tied)
    assert_every_parameter_learns(randomised(Llama(shape)), tied=tied)


def test_a_plan_knows_it():
    """All maps of the stream are hidden, and the two that end branches share the multiplier."""
    large = LlamaShape(50, 12, 128, 12, head_dimension=8, group=2)
    model = Llama(large)
    plan = make_plan(model, base=Llama(SMALL), learning_rate=1.0, std=0.02)
    assert {plan[f"blocks.0.mlp.{m}.weight"].role for m in ("gate", "up", "down")} == {"hidden"}
    for name in ("attention.query", "attention.key", "attention.out", "mlp.gate", "mlp.down"):
        assert plan[f"blocks.0.{name}.weight"].learning_rate == 1 / 4
    assert plan["tokens.weight"].learning_rate == 1
    plan.initialise(model, seed=0)
    assert model.multipliers == {"input": 1.0, "hidden": 1 / 4, "output": 1 / 4}


@pytest.mark.parametrize("optimizer", sorted(LAWS))
@pytest.mark.parametrize("block_depth", [1, 2])
@pytest.mark.parametrize(("r_n", "r_L"), [(4, 1), (1, 8), (3, 5)])
def test_the_factors_of_a_plan_are_the_solvers(optimizer, block_depth, r_n, r_L):
    target = replace(SMALL, width=r_n * SMALL.width, depth=r_L * SMALL.depth)
    models = {"model": lambda: Llama(target), "base": lambda: Llama(SMALL)}
    plan = make_plan(**models, optimizer=optimizer, block_depth=block_depth, verify=False)
    rules = parametrization(f"k{block_depth}", optimizer)
    for entry in plan.entries:
        rule = rules[entry.role]
        started = rule.init_variance.evaluate(r_n, r_L) ** 0.5
        assert entry.factors.init_std == pytest.approx(started), entry.name
        for kind in ("learning_rate", "weight_decay", "epsilon"):
            order, factor = getattr(rule, kind), getattr(entry.factors, kind)
            expected = None if order is None else order.evaluate(r_n, r_L)
            assert factor == (expected and pytest.approx(expected)), (entry.name, kind)
    expected = {role: rules[role].multiplier.evaluate(r_n, r_L) for role in plan.multipliers}
    assert plan.multipliers == pytest.approx(expected)


def test_features_move_alike_at_every_size_under_a_plan_and_not_under_sp():
    def llama(width, depth):
        return Llama(LlamaShape(32, 16, width, depth, head_dimension=8, group=2))

    def planned(**rule):
        told = {"base": llama(32, 2), "learning_rate": 2**-7, "std": 0.03, "verify": False}
        return lambda model: make_plan(model, **told, **rule)

    frame = coordinate_check(
        llama,
        {"k2": planned(), "sp": planned(parametrization="sp")},
        token_batches(32, 16, 8),
        sizes=[(32, 2), (128, 2), (32, 8)],
        seeds=[0, 1],
        steps=3,
    )
    moved = frame[frame.step == 3].groupby(["rule", "feature", "width", "depth"]).change.mean()
    for rule in ("k2", "sp"):
        for size, features in (((128, 2), ["last", "logits"]), ((32, 8), ["last"])):
            for feature in features:
                ratio = moved[rule, feature, *size] / moved[rule, feature, 32, 2]
                assert (0.6 < ratio < 1.4) if rule == "k2" else ratio > 1.6, (rule, feature, size)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 100}, "width 100 is not divisible.*such as 128"),
        ({"head_dimension": 1}, "head_dimension is 1.*even"),
        ({"group": 3}, "2 heads do not fall into groups of 3"),
        ({"normalisation": "layernorm"}, "unknown normalisation 'layernorm'.*rmsnorm, none"),
    ],
)
def test_shapes_that_make_no_model_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        LlamaShape(**{"vocabulary": 50, "context": 12, "width": 128, "depth": 2} | wrong)
