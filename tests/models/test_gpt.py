"""The GPT against Hugging Face's with the same weights, and its options."""

import copy

import pytest
import torch
from language_models import assert_causal, assert_every_parameter_learns, randomised, tokens

from specmup.models.gpt import GPT, GPTShape

SMALL = GPTShape(vocabulary=50, context=12, width=32, depth=3, head_dimension=8, bias=True)


def test_it_computes_what_hugging_face_computes():
    from transformers import GPT2Config, GPT2LMHeadModel

    ours = randomised(GPT(SMALL)).double()
    config = GPT2Config(
        vocab_size=50,
        n_positions=12,
        n_embd=32,
        n_layer=3,
        n_head=4,
        activation_function="gelu",
        tie_word_embeddings=False,
    )
    theirs = GPT2LMHeadModel(config).double().eval()
    with torch.no_grad():
        their = theirs.transformer
        their.wte.weight.copy_(ours.tokens.weight)
        their.wpe.weight.copy_(ours.positions.weight)
        copy_norm(their.ln_f, ours.norm)
        theirs.lm_head.weight.copy_(ours.readout.weight)
        for h, block in zip(their.h, ours.blocks, strict=True):
            copy_norm(h.ln_1, block.attention_norm)
            copy_norm(h.ln_2, block.mlp_norm)
            qkv = [block.attention.query, block.attention.key, block.attention.value]
            h.attn.c_attn.weight.copy_(torch.cat([m.weight for m in qkv]).T)  # Conv1D: transposed
            h.attn.c_attn.bias.copy_(torch.cat([m.bias for m in qkv]))
            for conv, linear in (
                (h.attn.c_proj, block.attention.out),
                (h.mlp.c_fc, block.mlp.up),
                (h.mlp.c_proj, block.mlp.down),
            ):
                conv.weight.copy_(linear.weight.T)
                conv.bias.copy_(linear.bias)
        torch.testing.assert_close(ours(tokens()), theirs(tokens()).logits)


def copy_norm(theirs, ours):
    theirs.weight.copy_(ours.weight)
    theirs.bias.copy_(ours.bias)


def test_multipliers_stand_where_the_theory_has_them():
    """A multiplier folded into the last map of each branch gives the same function."""
    forward = randomised(GPT(SMALL, {"input": 2.0, "hidden": 0.25, "output": 0.5})).double()
    folded = copy.deepcopy(forward)
    folded.multipliers.update(input=1.0, hidden=1.0, output=1.0)
    with torch.no_grad():
        for p in (folded.tokens.weight, folded.positions.weight):
            p.mul_(2.0)
        folded.readout.weight.mul_(0.5)
        for block in folded.blocks:
            for last in (block.attention.out, block.mlp.down):
                last.weight.mul_(0.25)
                last.bias.mul_(0.25)
    assert folded.blocks[0].multipliers is folded.multipliers
    torch.testing.assert_close(folded(tokens()), forward(tokens()))


def test_a_later_token_changes_nothing_before_it():
    assert_causal(randomised(GPT(SMALL)))


def test_features_are_the_stream_that_the_readout_sees():
    model = randomised(GPT(SMALL))
    stream = model.features(tokens())
    assert stream.shape == (4, 2, 12, 32)
    torch.testing.assert_close(model.readout(model.norm(stream[-1])), model(tokens()))


@pytest.mark.parametrize("normalisation", ["layernorm", "none"])
@pytest.mark.parametrize("qk_norm", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_every_parameter_of_every_variant_learns(normalisation, qk_norm, tied):
    shape = GPTShape(
        50, 12, 32, 2, head_dimension=8, normalisation=normalisation, qk_norm=qk_norm, tied=tied
    )
    assert_every_parameter_learns(randomised(GPT(shape)), tied=tied)


def test_the_attention_scale_is_a_power_of_the_head_dimension():
    scales = {
        name: GPT(GPTShape(50, 12, 32, 1, head_dimension=16, attention_scale=name))
        .blocks[0]
        .attention.scale
        for name in ("1/d", "1/sqrt(d)")
    }
    assert scales == {"1/d": 1 / 16, "1/sqrt(d)": 1 / 4}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 100, "head_dimension": 64}, "width 100 is not divisible.*such as 128"),
        ({"depth": 0}, "depth is 0"),
        ({"normalisation": "rms"}, "unknown normalisation 'rms'.*layernorm, none"),
        ({"attention_scale": "1"}, "unknown attention_scale '1'"),
    ],
)
def test_shapes_that_make_no_model_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        GPTShape(**{"vocabulary": 50, "context": 12, "width": 64, "depth": 2} | wrong)


def test_wrong_multipliers_and_long_sequences_are_refused():
    with pytest.raises(ValueError, match=r"unknown multipliers.*'residual'"):
        GPT(SMALL, {"residual": 1.0})
    with pytest.raises(ValueError, match="13 tokens does not fit the context of 12"):
        GPT(SMALL)(tokens(length=13))
