"""The Llama against Hugging Face's with the same weights, and its options."""

import pytest
import torch
from language_models import assert_causal, assert_every_parameter_learns, randomised, tokens

from specmup.models.llama import Llama, LlamaShape, rotated
from specmup.parametrization.plan import make_plan

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
