"""The table of other people's models: what is level stays so, and one wrong parameter is found."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import LlamaConfig, MixtralConfig

from experiments import foreign_models
from experiments.foreign_models import EXPERIMENT, exponent, hold_against_copies
from experiments.instruments import small_copies
from experiments.instruments.copies_trained import BATCHES
from experiments.reading.foreign import models
from specmup.parametrization.plan import make_plan
from specmup.probes.coordinate_check import cross_entropy
from specmup.streams import stream

SIZES = {"widths": [32, 64, 128], "depths": [2, 8], "seeds": [0, 1, 2]}
LINES = {"width": [(32, 2), (128, 2)], "depth": [(32, 2), (32, 8)]}
HIDDEN = "model.layers.*.self_attn.o_proj.weight"


@pytest.fixture(scope="module")
def llama():
    (found,) = models(hold_against_copies(model_type="llama", **SIZES))
    return found


def test_a_right_plan_is_level_and_the_standard_parametrization_is_not(llama):
    assert llama.verdict == "planned" and llama.strays == []
    for axis in ("width", "depth"):
        assert abs(llama.change("plan", "stream", axis).estimate) < 0.15
        assert llama.change("sp", "stream", axis).estimate > 0.5


def test_a_kind_behind_the_last_block_is_judged_by_the_logits(llama):
    alone = {s.what: s.quantity for s in llama.slopes if s.place != "none"}
    assert alone["lm_head.weight"] == alone["model.norm.weight"] == "logits"
    assert alone[HIDDEN] == "stream"


@pytest.mark.parametrize(
    ("power", "axis", "answer"),
    [
        (lambda plan: 1 / plan.width.ratio, "width", "falls"),
        (lambda plan: plan.depth.ratio, "depth", "grows"),
    ],
)
def test_one_wrong_rate_is_found_though_the_others_hide_it(monkeypatch, power, axis, answer):
    def faulty(model, base, rate):
        plan = make_plan(model, base=base, verify=True, learning_rate=rate, epsilon=1e-12)
        entries = [
            replace(e, learning_rate=e.learning_rate * power(plan)) if e.pattern == HIDDEN else e
            for e in plan.entries
        ]
        return replace(plan, entries=tuple(entries))

    monkeypatch.setattr(foreign_models, "_plan", faulty)
    _, _, rows = foreign_models._judged("llama", (32, 2), {axis: LINES[axis]}, list(range(8)))
    told = {"model_type": "llama", "verdict": "planned", "said": "none", "base_depth": 2}
    (found,) = models(pd.DataFrame(rows, columns=foreign_models.COLUMNS).assign(**told))
    assert {s.what: s.answer for s in found.strays} == {HIDDEN: answer}


def test_a_type_without_a_plan_has_one_row_that_says_why(monkeypatch):
    monkeypatch.setattr(small_copies, "VOCABULARY", 8)
    found = hold_against_copies(model_type="bart", **SIZES)
    assert (len(found), found.verdict[0]) == (1, "refused")
    assert "are one tensor" in found.said[0]
    assert np.isnan(found.exponent[0])


def test_copies_are_small_and_keep_what_makes_their_blocks():
    mixtral = small_copies.small_config("mixtral")
    assert isinstance(mixtral, MixtralConfig)
    assert (mixtral.hidden_size, mixtral.num_local_experts, mixtral.vocab_size) == (32, 2, 9)
    assert mixtral.num_attention_heads == 2 * mixtral.num_key_value_heads == 4
    wide = small_copies.copy_of(mixtral, 64, 2, seed=0)
    assert wide.config.intermediate_size == 2 * mixtral.intermediate_size
    assert isinstance(small_copies.small_config("llama"), LlamaConfig)
    same = small_copies.copy_of(mixtral, 64, 2, seed=0)
    assert all((a == b).all() for a, b in zip(wide.parameters(), same.parameters(), strict=True))


def test_a_copys_normalisations_have_no_epsilon_that_counts():
    olmo = small_copies.copy_of(small_copies.small_config("olmo2"), 32, 2, seed=0)
    norm = olmo.model.layers[0].post_feedforward_layernorm
    tiny = 1e-6 * torch.randn(4, 32, generator=stream("check", 0))
    assert norm(tiny).square().mean().sqrt().item() == pytest.approx(1, rel=1e-3)


def test_the_data_hold_no_padding_whose_embedding_is_zero():
    """Normalised, a first token of zeros has a gradient that no number holds after some blocks."""
    gemma = small_copies.small_config("gemma3_text")
    assert gemma.pad_token_id == small_copies.PADDING == gemma.vocab_size - 1
    model = small_copies.copy_of(gemma, 32, 2, seed=0)
    rows = model.get_input_embeddings().weight.square().sum(-1)
    assert [int(row) for row in (rows == 0).nonzero()] == [small_copies.PADDING]
    tokens, _ = BATCHES(stream("check", 0))
    assert tokens.max() < small_copies.PADDING


def test_nor_do_they_hold_a_sign_for_an_image_whose_place_padding_takes():
    gemma = small_copies.copy_of(small_copies.small_config("gemma4_unified"), 32, 2, seed=0)
    assert gemma.config.image_token_id == small_copies.PADDING
    cross_entropy(gemma, *BATCHES(stream("check", 0))).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in gemma.parameters())


@pytest.mark.parametrize(("size", "strays"), [(None, True), (1.0, False)])
def test_what_strays_where_blocks_outweigh_the_embedding_does_not_where_it_holds_the_stream(
    monkeypatch, size, strays
):
    """A.X-K1 ends branches in a normalisation, beside an embedding of 0.02."""
    plans = []

    def copy_of(*args, **options):
        model = small_copies.copy_of(*args, **options)
        rows = model.get_input_embeddings().weight.data
        rows *= 1.0 if size is None else size / rows.square().mean().sqrt()
        return model

    def planned(*args):
        plans.append(plan_of(*args))
        return plans[-1]

    plan_of = foreign_models._plan
    monkeypatch.setattr(foreign_models, "copy_of", copy_of)
    monkeypatch.setattr(foreign_models, "_plan", planned)
    line = {"depth": LINES["depth"]}
    _, _, rows = foreign_models._judged("axk1", (32, 2), line, list(range(8)))
    told = {"model_type": "axk1", "verdict": "planned", "said": "none", "base_depth": 2}
    (found,) = models(pd.DataFrame(rows, columns=foreign_models.COLUMNS).assign(**told))
    gain = "model.layers.*.mlp.post_mlp_layernorm.weight"
    assert (gain in {s.what for s in found.strays}) == strays
    assert any(note.startswith("At the base's start") for note in plans[-1].notes) == strays


def test_what_only_some_blocks_have_is_judged_between_an_aligned_sum_and_one_that_is_not():
    llama = small_copies.small_config("llama")
    small, deep = (small_copies.copy_of(llama, 32, depth, seed=0) for depth in (2, 8))
    plan = make_plan(deep, base=small, learning_rate=1.0)
    changes = {("stream", HIDDEN): 1.0, ("stream", "change"): 1.0}
    assert foreign_models._by_block(changes, plan, 8) == changes
    kept = [e for e in plan.entries if e.pattern != HIDDEN or ".0." in e.name or ".1." in e.name]
    found = foreign_models._by_block(changes, replace(plan, entries=tuple(kept)), 8)
    assert found == {**changes, ("stream", HIDDEN): 2.0}


def test_a_size_that_does_not_reach_the_model_shows_nothing():
    llama = small_copies.small_config("llama")
    same = {size: small_copies.copy_of(llama, 32, 2, seed=0) for size in LINES["depth"]}
    with pytest.raises(ValueError, match="its depth does not follow"):
        foreign_models._check_grown(same, {"depth": LINES["depth"]})


def test_exponents_are_fitted_seed_by_seed():
    values = np.outer([1, 2, 4], [1, 3]) ** 0.5
    assert exponent([32, 64, 128], values) == pytest.approx((0.5, 0.5, 0.5))
    assert exponent([1, 2], np.array([[1, 1], [np.inf, 1]])) == (np.inf,) * 3
    assert np.isnan(exponent([1, 2], np.array([[1, 0], [1, 1]]))).all()


def test_every_type_of_the_library_is_asked():
    asked = {job["model_type"] for job in EXPERIMENT.jobs("reference")}
    assert asked == set(small_copies.TYPES) and len(asked) > 150
