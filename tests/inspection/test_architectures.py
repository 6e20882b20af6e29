"""Roles: every parameter of the known architectures, and of one that was declared."""

import pytest
import torch
from torch import nn

from specmup.inspection.architectures import ARCHITECTURES
from specmup.inspection.places import PLACES
from specmup.inspection.specs import spec_of
from specmup.models.gpt import GPT, GPTShape
from specmup.models.resnet import ResNet, ResNetShape
from specmup.parametrization.plan import make_plan
from specmup.theory.tables import ROLES

GPT2_ROLES = {
    "wte.weight": "input",
    "wpe.weight": "input",
    "h.*.ln_1.weight": "norm_gain",
    "h.*.ln_1.bias": "hidden_bias",
    "h.*.attn.c_attn.weight": "hidden",
    "h.*.attn.c_attn.bias": "hidden_bias",
    "h.*.attn.c_proj.weight": "hidden",
    "h.*.mlp.c_fc.weight": "hidden",
    "h.*.mlp.c_proj.bias": "hidden_bias",
    "ln_f.weight": "input_bias",
    "ln_f.bias": "input_bias",
}
LLAMA = {
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "intermediate_size": 172,
}
NEOX = {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 8}
NEOX |= {"intermediate_size": 256}
HALF = {"width": 32, "depth": 2}


def roles(plan):
    return {entry.pattern: entry.role for entry in plan.entries}


def ends(plan):
    return {e.pattern for e in plan.entries if e.place == "branch_end" and e.role == "hidden"}


@pytest.mark.parametrize("family", ARCHITECTURES, ids=lambda family: family.name)
def test_families_speak_of_places_that_exist(family):
    assert set(family.places.values()) <= set(PLACES)
    for place in PLACES.values():
        assert {place.matrix, place.vector, place.gain} - {None} <= set(ROLES)


def test_hugging_face_gpt2_stores_its_weights_transposed(hugging_face):
    model = hugging_face("gpt2", n_embd=64, n_layer=4, n_head=8)
    plan = make_plan(model, base=HALF)
    found = roles(plan)
    assert {n: found[f"transformer.{n}"] for n in GPT2_ROLES} == GPT2_ROLES
    fused, up = (plan[f"transformer.h.3.{n}.weight"] for n in ("attn.c_attn", "mlp.c_fc"))
    assert (fused.shape, fused.fan_out, fused.fan_in) == ((64, 192), 192, 64)
    assert (up.shape, up.fan_out, up.fan_in) == ((64, 256), 256, 64)
    assert plan["transformer.wte.weight"].fan_in == 1
    assert plan["lm_head.weight"] is plan["transformer.wte.weight"]
    assert len(plan) == len(list(model.parameters()))


def test_nano_gpt_ties_the_embedding_to_the_head(nano_gpt):
    plan = make_plan(nano_gpt(n_embd=64, n_layer=4), base=nano_gpt(n_embd=32, n_layer=2))
    found = roles(plan)
    expected = {n: r for n, r in GPT2_ROLES.items() if not n.endswith("bias")}
    assert {n: found[f"transformer.{n}"] for n in expected} == expected
    assert plan["transformer.wte.weight"].tied == ("lm_head.weight",)
    fused = plan["transformer.h.0.attn.c_attn.weight"]
    assert (fused.shape, fused.fan_out, fused.fan_in) == ((192, 64), 192, 64)


@pytest.mark.parametrize("model_type", ["llama", "mistral"])
def test_llama_and_mistral_with_grouped_queries(hugging_face, model_type):
    plan = make_plan(hugging_face(model_type, **LLAMA), base=HALF, optimizer="adamw")
    assert set(roles(plan).values()) == {"input", "hidden", "output", "norm_gain", "input_bias"}
    key = plan["model.layers.0.self_attn.k_proj.weight"]
    assert (key.role, key.fan_out, key.fan_in) == ("hidden", 32, 64)
    assert ends(plan) == {
        "model.layers.*.self_attn.o_proj.weight",
        "model.layers.*.mlp.down_proj.weight",
    }
    assert plan["model.norm.weight"].role == "input_bias"
    assert plan["lm_head.weight"].role == "output"


def test_gpt_neox(hugging_face):
    plan = make_plan(hugging_face("gpt_neox", **NEOX), base=HALF)
    assert ends(plan) == {
        "gpt_neox.layers.*.attention.dense.weight",
        "gpt_neox.layers.*.mlp.dense_4h_to_h.weight",
    }
    assert plan["gpt_neox.final_layer_norm.bias"].role == "input_bias"
    assert plan["gpt_neox.layers.0.input_layernorm.bias"].role == "hidden_bias"


def test_the_packages_own_models():
    shape = ResNetShape(inputs=6, width=32, depth=4, outputs=3, bias=True)
    plan = make_plan(ResNet(shape, {"input": 1, "hidden": 1, "output": 1}), base=HALF)
    assert all(entry.role == name for name, entry in plan.items())
    assert (plan["hidden"].fan_out, plan["hidden_bias"].fan_in) == (32, 1)
    assert (plan.width.base, plan.width.target, plan.depth.base, plan.depth.target) == (
        32,
        32,
        2,
        4,
    )

    gpt = GPT(GPTShape(40, 16, 64, 4, head_dimension=16, qk_norm=True, bias=True))
    plan = make_plan(gpt, base=HALF)
    assert plan["blocks.1.attention.query_norm.weight"].role == "norm_gain"
    assert plan["readout.weight"].role == "output"
    assert ends(plan) == {"blocks.*.attention.out.weight", "blocks.*.mlp.down.weight"}


def test_one_map_branches_of_the_packages_own_network_are_seen():
    shape = ResNetShape(inputs=6, width=32, depth=4, outputs=3, block_depth=1)
    model = ResNet(shape, {"input": 1, "hidden": 1, "output": 1})
    assert make_plan(model, base={"depth": 1}).multipliers["hidden"] == 0.5


@pytest.mark.parametrize("told", [{}, {"branch_ends": ["narrow.weight"], "block_depth": 2}])
def test_an_unfamiliar_architecture_is_seen_or_declared(residual, told):
    plan = make_plan(residual(64, 4), base=residual(32, 2), **told)
    assert roles(plan) == {
        "stem.weight": "input",
        "stem.bias": "input_bias",
        "layers.*.pre.weight": "norm_gain",
        "layers.*.pre.bias": "hidden_bias",
        "layers.*.widen.weight": "hidden",
        "layers.*.widen.bias": "hidden_bias",
        "layers.*.narrow.weight": "hidden",
        "layers.*.narrow.bias": "hidden_bias",
        "last.weight": "input_bias",
        "last.bias": "input_bias",
        "classes.weight": "output",
        "classes.bias": "input_bias",
    }
    assert ends(plan) == {"layers.*.narrow.weight"}
    # A bias goes with the weight beside it.
    assert plan["layers.0.narrow.bias"].factors.folded == 0.5
    assert plan["classes.bias"].place == "head"
    assert plan["classes.bias"].factors.learning_rate == 1


def test_a_hidden_map_outside_the_blocks_is_declared_and_does_not_know_the_depth(residual):
    def build(width, depth):
        model = residual(width, depth)
        model.pool = nn.Linear(width, width)
        return model

    declared = {"branch_ends": "narrow", "block_depth": 2, "places": {"pool": "branch"}}
    plan = make_plan(build(64, 8), base=build(16, 2), optimizer="sgd", **declared)
    inside, outside = plan["layers.0.widen.weight"].factors, plan["pool.weight"].factors
    assert (outside.init_std, outside.learning_rate, outside.folded) == (0.5, 1.0, 1.0)
    assert inside.learning_rate == 4.0  # SGD's rate grows with the depth


def test_a_normalisation_may_end_a_branch(hugging_face):
    """OLMo 2 normalises what a branch writes: only that gain can hold the multiplier."""
    plan = make_plan(
        hugging_face("olmo2", **LLAMA),
        base=HALF,
        branch_ends=["post_attention_layernorm", "post_feedforward_layernorm"],
        block_depth=2,
    )
    folded = {entry.pattern for entry in plan.values() if entry.place == "branch_end"}
    assert folded == {
        f"model.layers.*.post_{n}_layernorm.weight" for n in ("attention", "feedforward")
    }
    assert plan["model.layers.0.post_attention_layernorm.weight"].init_std == 0.5
    assert plan["model.layers.0.mlp.down_proj.weight"].factors.folded == 1


def test_without_growth_in_width_the_order_tells_the_ends_apart(residual):
    plan = make_plan(residual(16, 8), base=residual(16, 2), branch_ends=["narrow"], block_depth=2)
    assert (plan["stem.weight"].role, plan["classes.weight"].role) == ("input", "output")
    for name in ("stem.weight", "last.weight", "classes.weight"):
        assert plan[name].factors.init_std == plan[name].factors.learning_rate == 1
    assert plan["layers.0.narrow.weight"].factors.folded == 0.25


def test_a_larger_vocabulary_is_no_growth(nano_gpt):
    sizes = {"n_embd": 64, "n_layer": 2}
    same, other = (
        make_plan(nano_gpt(vocab_size=v, **sizes), base=nano_gpt(), optimizer="sgd")
        for v in (40, 400)
    )
    assert {n: e.factors for n, e in same.items()} == {n: e.factors for n, e in other.items()}


def test_a_tied_llama_folds_its_readout_into_the_last_norm(hugging_face):
    plan = make_plan(hugging_face("llama", **LLAMA, tie_word_embeddings=True), base=HALF)
    assert plan["lm_head.weight"].name == "model.embed_tokens.weight"
    assert plan["model.norm.weight"].factors.folded == 0.5


def test_convolutions_count_their_kernel_as_inputs():
    class Convolutional(nn.Module):
        def __init__(self, width, depth):
            super().__init__()
            self.stem = nn.Conv2d(3, width, 3)
            self.blocks = nn.Sequential(*(nn.Conv2d(width, width, 3) for _ in range(depth)))
            self.head = nn.Linear(width, 10)

    plan = make_plan(
        lambda: Convolutional(64, 4),
        base=lambda: Convolutional(16, 1),
        branch_ends=["blocks"],
        block_depth=1,
    )
    assert (plan["stem.weight"].fan_out, plan["stem.weight"].fan_in) == (64, 27)
    assert (plan["blocks.3.weight"].fan_in, plan["blocks.3.weight"].role) == (576, "hidden")
    # AdamW at k = 1: the rate falls as 1/r_n, and folded as 1/(√r_L · √r_L) with the depth.
    assert plan["blocks.3.weight"].factors.learning_rate == 1 / 16


def test_attention_of_torch_is_oriented_by_its_class():
    def build(width, depth):
        block = nn.TransformerEncoderLayer(width, 2, 2 * width, norm_first=True)
        return nn.TransformerEncoder(block, depth, enable_nested_tensor=False)

    ends = ["self_attn.out_proj", "linear2"]
    plan = make_plan(build(32, 4), base=build(16, 2), branch_ends=ends, block_depth=2)
    entry = plan["layers.0.self_attn.in_proj_weight"]
    assert (entry.role, entry.fan_out, entry.fan_in) == ("hidden", 96, 32)


def test_blocks_are_counted_in_the_outermost_lists():
    inner = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    model = nn.ModuleDict({"deep": nn.Sequential(nn.ModuleDict({"experts": inner}))})
    spec = spec_of(model)
    assert spec.depths == {"deep": 1}
    assert "deep.*.experts.0.weight" in spec.params


def test_wrappers_do_not_change_names(nano_gpt):
    model = nano_gpt(n_embd=64)
    plain = set(spec_of(model).params)
    assert set(spec_of(torch.compile(model)).params) == plain
    assert set(spec_of(nn.DataParallel(model)).params) == plain


def test_branches_may_end_in_a_size_that_stays(residual):
    """As the maps of an MLP-Mixer that mix a fixed number of tokens."""

    def mixer(width, depth, tokens=6):
        model = residual(width, depth)
        for layer in model.layers:
            layer.mix_in, layer.mix_out = nn.Linear(tokens, 10), nn.Linear(10, tokens)
        return model

    ends = {"branch_ends": ["narrow", "mix_out"], "block_depth": 2}
    plan = make_plan(mixer(16, 6), base=mixer(8, 2), **ends)
    assert plan.width.ratio == 2
    mixing = plan["layers.0.mix_out.weight"]
    # Its fans stay, so only the depth speaks: 1/r_L, folded in.
    assert mixing.factors.folded == pytest.approx(1 / 3)
    assert mixing.factors.learning_rate == pytest.approx(1 / 3)
    assert plan["layers.0.narrow.weight"].factors.learning_rate == pytest.approx(1 / 6)
    with pytest.raises(
        ValueError, match=r"different widths.*mix_out\.weight 6 → 12.*one that grows"
    ):
        make_plan(mixer(16, 2, 12), base=mixer(12, 2), **ends, places={"mix_in": "branch"})


def test_heads_that_differ_from_layer_to_layer_have_no_one_dimension():
    class Config:
        hidden_size, num_attention_heads = 64, 4

        @property
        def head_dim(self):
            raise RuntimeError("'head_dim' is a per-layer attribute and may vary across layers")

    model = nn.Module()
    (gpt_neox,) = (known for known in ARCHITECTURES if "NeoX" in known.name)
    model.config = Config()
    assert gpt_neox.head_dimension(model) is None
    del Config.head_dim
    assert gpt_neox.head_dimension(model) == 16
