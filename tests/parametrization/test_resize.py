"""A configuration at other sizes: what follows the width, the depth, and what is derived anew."""

import contextlib
import io
from dataclasses import dataclass

import pytest

from specmup.__main__ import main
from specmup.parametrization.followers import NAMES
from specmup.parametrization.plan import make_plan
from specmup.parametrization.resize import resized_config

transformers = pytest.importorskip("transformers")
modeling_auto = pytest.importorskip("transformers.models.auto.modeling_auto")


def config(model_type, **entries):
    return transformers.AutoConfig.for_model(model_type, **entries)


@dataclass(frozen=True)
class Own:
    """A configuration of one's own, with lists of blocks and one that is none."""

    width: int = 32
    depth: int = 6
    num_heads: int = 4
    kinds: tuple = ("linear", "linear", "full") * 2
    ffn_hidden_size: tuple = (128,) * 6
    stop_tokens: tuple = (1, 2, 3, 4, 5, 6)


def test_a_list_of_blocks_goes_on_with_its_period_and_one_of_widths_grows():
    found = resized_config(Own(), {"width": 64, "depth": 8})
    assert found.kinds == ("linear", "linear", "full") * 2 + ("linear", "linear")
    assert found.ffn_hidden_size == (256,) * 8
    assert found.num_heads == 8
    assert found.stop_tokens == Own().stop_tokens
    assert resized_config(Own(), {"depth": 2}).kinds == ("linear", "linear")
    assert resized_config(Own(kinds=("full",) + ("linear",) * 5), {"width": 64}).num_heads == 8


def test_a_list_without_a_period_is_refused():
    dense_first = Own(kinds=("dense", *("sparse",) * 5))
    with pytest.raises(ValueError, match="kinds is a list of 6 blocks without a period, so it"):
        resized_config(dense_first, {"depth": 12})


def test_the_kinds_of_layers_are_derived_anew_or_repeated():
    """Gemma-2 alternates by itself; three to one is a choice of the user's."""
    gemma = resized_config(config("gemma2", num_hidden_layers=4), {"depth": 7})
    assert gemma.layer_types == (["sliding_attention", "full_attention"] * 4)[:7]
    pattern = ["sliding_attention"] * 3 + ["full_attention"]
    own = config("qwen3", num_hidden_layers=8, layer_types=pattern * 2)
    assert resized_config(own, {"depth": 12}).layer_types == pattern * 3


def test_kinds_of_blocks_that_are_told_in_runs_go_on():
    """GPT-Neo's entry gives kinds and how often they follow one another."""
    found = resized_config(config("gpt_neo"), {"depth": 7})
    assert found.attention_layers == (["global", "local"] * 4)[:7]


def test_one_head_of_keys_and_values_stays_one():
    assert resized_config(config("gpt_bigcode"), {"n_embd": 384}).num_key_value_heads == 1


def test_sizes_reach_the_text_model_of_a_composite():
    found = resized_config(config("emu3"), {"width": 1024, "depth": 3})
    assert (found.text_config.hidden_size, found.text_config.num_hidden_layers) == (1024, 3)


@pytest.mark.parametrize(
    ("model_type", "name"),
    [
        ("qwen2_moe", "moe_intermediate_size"),
        ("qwen2_moe", "shared_expert_intermediate_size"),
        ("qwen3_next", "linear_num_value_heads"),
        ("mixtral", "intermediate_size"),
        ("xglm", "attention_heads"),  # a name of its own, which its class knows as heads
    ],
)
def test_experts_and_further_heads_grow_with_the_width(model_type, name):
    own = config(model_type)
    assert getattr(resized_config(own, {"width": 2 * own.hidden_size}), name) == 2 * getattr(
        own, name
    )


def test_what_follows_from_two_entries_is_derived_anew():
    """Bamba's heads times their dimension is a multiple of the width."""
    sizes = {"hidden_size": 64, "num_attention_heads": 8, "num_key_value_heads": 4}
    own = config("bamba", mamba_n_heads=4, **sizes)
    assert own.mamba_d_head == 32
    assert resized_config(own, {"width": 192}).mamba_d_head == 96


def test_derived_sizes_do_not_go_stale():
    llama = config("llama", hidden_size=64, num_attention_heads=4, num_key_value_heads=2)
    assert llama.head_dim == 16
    more = resized_config(llama, {"width": 128})
    assert (more.num_attention_heads, more.num_key_value_heads, more.head_dim) == (8, 4, 16)
    larger = resized_config(llama, {"width": 128, "num_attention_heads": 4})
    assert (larger.num_attention_heads, larger.num_key_value_heads, larger.head_dim) == (4, 2, 32)
    mamba = config("mamba", hidden_size=64)
    assert mamba.time_step_rank == 4
    wide = resized_config(mamba, {"width": 256})
    assert (wide.time_step_rank, wide.intermediate_size) == (16, 512)


def test_what_the_user_chose_stays():
    llama = config("llama", hidden_size=64, num_attention_heads=4, head_dim=24, vocab_size=60)
    larger = resized_config(llama, {"width": 128, "depth": 3})
    assert (larger.head_dim, larger.vocab_size, larger.num_hidden_layers) == (24, 60, 3)


@pytest.mark.parametrize(
    ("model_type", "sizes", "heads"),
    [
        ("mamba2", {"width": 8192}, {"num_heads": 256}),
        ("mpt", {"width": 4096}, {"n_heads": 32}),
        ("laguna", {"num_attention_heads": 6}, {"num_attention_heads_per_layer": [6] * 40}),
        ("bloom", {"hidden_size": 128, "num_attention_heads": 4}, {"n_head": 4}),
        ("falcon", {"width": 9088}, {"num_attention_heads": 142, "ffn_hidden_size": 36352}),
    ],
)
def test_width_is_followed_under_other_names(model_type, sizes, heads):
    found = resized_config(config(model_type), sizes)
    assert {name: getattr(found, name) for name in heads} == heads


def test_a_configuration_that_refuses_its_sizes_is_named():
    llama = config("llama")
    with pytest.raises(ValueError, match=r"LlamaConfig refuses hidden_size=100, .* not a multiple"):
        resized_config(llama, {"hidden_size": 100, "num_attention_heads": 32})


# Sizes by the names of transformers, given where a configuration has them.
SMALL = {
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
}
# These stay. As small as they can be, or most of the time goes into drawing embeddings.
KEPT = {"vocab_size": 512, "intermediate_size": 96, "moe_intermediate_size": 32}


def small_sizes(model_type: str) -> dict[str, int] | None:
    """Small sizes of a model whose blocks are told apart by lists; None for others."""
    try:
        own = config(model_type).to_dict()
    except Exception:  # transformers itself has no default for a few
        return None
    depth = own.get(next((name for name in NAMES["depth"] if name in own), None))
    if not any(isinstance(value, list) and len(value) == depth for value in own.values()):
        return None
    return {name: size for name, size in SMALL.items() if name in own}


def kept_sizes(model_type: str) -> dict[str, int]:
    """Sizes of a model that do not grow; its vocabulary where the token that pads is in it."""
    own = config(model_type).to_dict()
    kept = {name: size for name, size in KEPT.items() if isinstance(own.get(name), int)}
    if (own.get("pad_token_id") or 0) >= KEPT["vocab_size"]:
        del kept["vocab_size"]
    return kept


@pytest.fixture(scope="module")
def outcomes():
    """Status and message of ``specmup plan`` for every language model with lists of blocks."""
    found = {}
    for model_type in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        if sizes := small_sizes(model_type):
            kept = kept_sizes(model_type)
            base, target = (
                ",".join(f"{name}={size}" for name, size in {**some, **kept}.items())
                for some in (sizes, {name: 2 * size for name, size in sizes.items()})
            )
            found[model_type] = called(
                f"plan --model hf:{model_type} --base {base} --target {target}"
            )
    return found


def called(line: str) -> tuple[int | str, str]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            return main(line.split()), printed.getvalue()
        except SystemExit as stop:
            return stop.code, printed.getvalue()
        except Exception as problem:
            return "traceback", repr(problem)


def test_no_list_of_blocks_ends_in_a_traceback(outcomes):
    assert len(outcomes) > 40
    assert {name: told for name, (status, told) in outcomes.items() if status not in (0, 2)} == {}
    refused = {name: told for name, (status, told) in outcomes.items() if status == 2}
    assert [name for name, told in refused.items() if told.count("\n") != 1] == []
    # Two whose class has an order of blocks for one depth only; other refusals are of the model.
    fixed = {"dots3_note_text", "zamba2"}
    assert {name for name, told in refused.items() if "refuses hidden_size" in told} == fixed


@pytest.mark.parametrize("model_type", ["cohere2", "cwm", "qwen2", "qwen3", "smollm3"])
def test_those_of_a_known_family_are_planned(outcomes, model_type):
    status, told = outcomes[model_type]
    assert status == 0
    assert told.startswith("Llama: width 64 → 128, depth 2 → 4")


def test_a_plan_takes_sizes_as_a_mapping_where_blocks_have_kinds(hugging_face):
    sizes = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 4}
    heads = {"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 16}
    plan = make_plan(hugging_face("qwen3", **sizes, **heads), base={"width": 64, "depth": 2})
    assert (plan.width.base, plan.width.target) == (64, 128)
    assert (plan.depth.base, plan.depth.target) == (2, 4)


def test_depth_is_followed_where_a_stack_has_blocks_of_its_own():
    """Of HRM, num_hidden_layers counts every pass through two stacks and changes neither."""
    two = config("hrm_text", num_hidden_layers=2)
    deeper = resized_config(two, {"depth": 6})
    assert (two.num_layers_per_stack, deeper.num_layers_per_stack) == (2, 6)
