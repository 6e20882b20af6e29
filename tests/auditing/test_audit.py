"""Training code as people bring it: schedules, frozen and forgotten parameters, ties, odd sizes."""

import json

import pytest
import recipes
import torch
from planted import DEPTHS, WIDTHS, gpt, planned
from recipes import DECLARED, Transformer
from torch import nn

from specmup.auditing.audit import audit
from specmup.parametrization.plan import make_plan
from specmup.theory.order import DEPTH


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
    told = numbers(audited(build, optimizer="SGD"))
    assert ("blocks.*.mlp.up.weight", "learning_rate") in {(p, n) for p, n, _ in told}
    with pytest.raises(ValueError, match=r"unknown optimizer 'adam'.* muon-spectral; adamw"):
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


class PostNorm(nn.Module):
    """The stream itself is normalised, behind each addition."""

    def __init__(self, width, depth):
        super().__init__()
        self.words, self.speak = nn.Embedding(8, width), nn.Linear(width, 8, bias=False)
        self.body = nn.ModuleList(
            nn.ModuleDict(
                {
                    "wide": nn.Linear(width, 2 * width, bias=False),
                    "back": nn.Linear(2 * width, width, bias=False),
                    "scale": nn.LayerNorm(width),
                }
            )
            for _ in range(depth)
        )

    def forward(self, tokens):
        h = self.words(tokens)
        for block in self.body:
            h = block["scale"](h + block["back"](torch.relu(block["wide"](h))))
        return self.speak(h)


def post_norm(power, declared=None):
    """Under a plan, but for the rate of the stream's gains, which grows by a power of the depth."""

    def build(width, depth):
        model = PostNorm(width, depth)
        plan = make_plan(model, base=PostNorm(16, 2), learning_rate=0.01, std=0.1, verify=True)
        plan.initialise(model, seed=0)
        groups = [
            {**group, "params": [parameter], "lr": group["lr"] * by}
            for group in plan.groups(model)
            for parameter in group["params"]
            for by in [(depth / 2) ** power if id(parameter) in gains(model) else 1.0]
        ]
        return model, torch.optim.AdamW(groups)

    def gains(model):
        return {id(p) for block in model.body for p in block["scale"].parameters()}

    return audit(build, widths=(16, 32, 64), depths=(2, 4, 8), places=declared)


def test_gains_of_the_stream_learn_by_one_over_the_depth():
    right, wrong = post_norm(0), post_norm(1)
    assert right.agrees and not right.faults and not right.broken
    rates = {f.pattern: f.off for f in wrong.faults if f.number == "learning_rate"}
    assert rates == dict.fromkeys(["body.*.scale.weight", "body.*.scale.bias"], DEPTH)
    assert {str(b.statement): b.off for b in wrong.broken} == {
        "[g]: ‖Δg‖ = L^-1": DEPTH,
        "[b]: ‖Δb‖ = L^-1": DEPTH,
    }


def test_a_place_that_is_declared_counts_over_what_is_seen():
    in_a_branch = {"scale": "branch_norm"}
    numbers_off = [{f.number for f in post_norm(power, in_a_branch).faults} for power in (0, 1)]
    assert "learning_rate" in numbers_off[0] and "learning_rate" not in numbers_off[1]
