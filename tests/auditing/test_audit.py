"""Training code as people bring it: schedules, frozen and forgotten parameters, ties, odd sizes."""

import json

import pytest
import recipes
import torch
from planted import DEPTHS, WIDTHS, gpt, planned
from recipes import DECLARED, Transformer
from torch import nn

from specmup.auditing.audit import audit


def audited(build, **options):
    return audit(build, **{"widths": WIDTHS, "depths": DEPTHS, **options})


def numbers(result):
    return {(f.pattern, f.number, f.off) for f in result.faults}


def test_rates_are_read_before_a_schedule():
    def scheduled(width, depth):
        model, optimizer = planned()(width, depth)
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / 100)  # 0 at the start
        return model, optimizer

    result = audited(scheduled)
    assert result.agrees and not result.faults
    assert any("before the schedule" in note for note in result.notes)


def test_what_is_frozen_or_forgotten_is_said_and_not_judged():
    def build(width, depth):
        model = gpt(width, depth)
        model.positions.weight.requires_grad_(False)
        known = [p for n, p in model.named_parameters() if "mlp.up" not in n]
        return model, torch.optim.AdamW(known, lr=0.01)

    result = audited(build)
    still = {row.pattern: row.still for row in result.rows if row.still}
    assert still == {
        "positions.weight": "frozen",
        "blocks.*.mlp.up.weight": "not in the optimizer",
    }
    assert not {f.pattern for f in result.faults} & set(still)
    assert "frozen: positions.weight" in result.notes
    assert any("in no optimizer" in note and "mlp.up" in note for note in result.notes)


def test_an_optimizer_of_another_model_is_refused():
    stray = torch.optim.AdamW([nn.Parameter(torch.zeros(2))])
    with pytest.raises(ValueError, match="holds no parameter"):
        audited(lambda width, depth: (gpt(width, depth), stray))


def test_the_optimizer_may_come_from_a_function_of_the_model():
    plan = planned()
    both = audited(plan)
    made = {}

    def model_alone(width, depth):
        model, optimizer = plan(width, depth)
        made[id(model)] = optimizer
        return model

    assert numbers(audited(model_alone, optimizer_of=lambda m: made[id(m)])) == numbers(both)


def test_a_tied_embedding_and_its_readout():
    def build(width, depth):
        model = gpt(width, depth, tied=True)
        return model, torch.optim.SGD(model.parameters(), lr=0.01)

    wrong = {(pattern, number) for pattern, number, _ in numbers(audited(build))}
    # The readout's constant can only stand in the gain before it: the matrix is the embedding.
    assert ("norm.weight", "multiplier") in wrong or ("norm.weight", "start") in wrong
    assert not [n for p, n in wrong if p == "tokens.weight" and n in ("multiplier", "start")]


def test_averages_that_vary_with_the_size_are_said():
    def build(width, depth):
        model = gpt(width, depth)
        betas = (0.9, 0.95 if width < 64 else 0.99)
        return model, torch.optim.AdamW(model.parameters(), lr=0.01, betas=betas)

    notes = audited(build).notes
    assert any("betas" in note and "width" in note for note in notes)


def test_coupled_decay_is_not_judged_as_decoupled():
    def build(width, depth):
        model = gpt(width, depth)
        return model, torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=0.1)

    result = audited(build)
    assert not [f for f in result.faults if f.number == "weight_decay"]
    assert any("through the gradient" in note for note in result.notes)


def test_what_is_no_product_of_powers_is_said():
    def build(width, depth):
        model = gpt(width, depth)
        rate = 0.01 if (width, depth) != (WIDTHS[-1], DEPTHS[-1]) else 0.005
        return model, torch.optim.AdamW(model.parameters(), lr=rate)

    assert any("no product of a power" in note for note in audited(build).notes)


def test_a_rate_that_is_no_power_is_said():
    def build(width, depth):
        model = gpt(width, depth)
        return model, torch.optim.AdamW(model.parameters(), lr=1 / (16 + width))

    assert any("no power of the width" in note for note in audited(build).notes)


def test_a_single_depth_leaves_the_depth_unaudited():
    result = audited(recipes.width_alone, depths=[2], **DECLARED)
    assert result.agrees and result.rule == "μP in width" and set(result.sizes) == {"width"}


@pytest.mark.parametrize("sizes", [{"widths": [16, 32]}, {"depths": []}, {"depths": [0, 1, 2]}])
def test_too_few_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="give 3 or more, or a single one"):
        audited(planned(), **sizes)


def test_a_size_that_changes_nothing_is_refused():
    with pytest.raises(ValueError, match="same width, 16"):
        audited(lambda width, depth: planned()(16, depth))


@pytest.mark.parametrize("made", [None, 3, (3, 4), (nn.Linear(2, 2), "adam"), nn.Linear(2, 2)])
def test_what_is_no_training_code_is_refused(made):
    with pytest.raises(ValueError, match="return \\(model, optimizer\\)"):
        audited(lambda width, depth: made)


def test_an_unknown_optimizer_asks_for_its_law():
    class Novel(torch.optim.SGD):
        pass

    def build(width, depth):
        model = gpt(width, depth)
        return model, Novel(model.parameters(), lr=0.1)

    with pytest.raises(ValueError, match="Novel is not known"):
        audited(build)
    told = numbers(audited(build, optimizer="sgd"))
    assert ("blocks.*.mlp.up.weight", "learning_rate") in {(p, n) for p, n, _ in told}
    with pytest.raises(ValueError, match="unknown optimizer 'adam'"):
        audited(build, optimizer="adam")


class Unwilling(Transformer):
    def forward(self, tokens):
        raise NotImplementedError("trained elsewhere")


def test_a_forward_pass_that_does_not_run_is_said():
    def build(width, depth):
        model = Unwilling(width, depth)
        return model, torch.optim.AdamW(model.parameters(), lr=0.01)

    (note,) = {n for n in audited(build, **DECLARED).notes if n.startswith("not read")}
    assert "constants of the forward pass" in note and "trained elsewhere" in note


class GrowingHeads(Transformer):
    """Two heads at every width."""

    def __init__(self, width, depth, power):
        super().__init__(width, depth)
        for block in self.blocks:
            block.forward = lambda h, block=block: self.of(block, h, power)

    @staticmethod
    def of(block, h, power):
        maps, x = (block.query, block.key, block.value), block.norm(h)
        q, k, v = (m(x).unflatten(-1, (2, -1)).transpose(-2, -3) for m in maps)
        weights = (q @ k.mT * q.shape[-1] ** power).softmax(-1)
        h = h + block.out((weights @ v).transpose(-2, -3).flatten(-2))
        return h + block.down(torch.relu(block.up(block.middle(h))))


@pytest.mark.parametrize(("power", "right"), [(-0.5, False), (-1, True)])
def test_attention_logits_over_heads_that_grow(power, right):
    def build(width, depth):
        model = GrowingHeads(width, depth, power)
        return model, torch.optim.AdamW(model.parameters(), lr=0.01)

    wrong = {f.pattern: f for f in audited(build, **DECLARED).faults}
    assert ("attention logits" not in wrong) == right
    if not right:
        assert str(wrong["attention logits"].off) == "n^1/2"


def test_the_seed_of_everybody_else_is_left_alone():
    torch.manual_seed(5)
    first = torch.rand(1)
    torch.manual_seed(5)
    audited(planned(), depths=[2])
    assert torch.rand(1) == first


def test_json_holds_what_the_text_says():
    result = audited(recipes.complete_p, **DECLARED)
    told = json.loads(result.to_json())
    assert told["agrees"] and told["rule"] == "the rule k ≥ 2" and told["broken"] == []
    (embedding,) = [f for f in told["faults"] if f["parameter"] == "embed.weight"]
    assert embedding["read"] == {"n": "-1", "L": "-1"}
    assert embedding["needed"] == {"n": "-1", "L": "0"}
    assert embedding["factors"] == {"depth": 0.25} and embedding["harmless"]
    assert "embed.weight" in str(result) and "harmless" in str(result)
