"""The coordinate check on any model: what it follows, what it records, and what it says."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from specmup.figures.check_report import (
    LEVEL,
    READOUT,
    draw,
    findings,
    report,
    slice_along,
    verdict,
)
from specmup.probes.coordinate_check import (
    axes,
    coordinate_check,
    cross_entropy,
    token_batches,
)
from specmup.probes.followed import followed, last_blocks

VOCABULARY, WIDTHS, DEPTHS = 8, [32, 64, 128, 256], [2, 4, 8, 16]


class Block(nn.Module):
    def __init__(self, width, multiplier):
        super().__init__()
        self.multiplier = multiplier
        self.maps = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, h):
        return h + self.multiplier * self.maps(h)


class Toy(nn.Module):
    """A residual network on tokens."""

    def __init__(self, width, depth):
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, width)
        self.blocks = nn.ModuleList(Block(width, 1 / depth) for _ in range(depth))
        self.read = nn.Linear(width, VOCABULARY, bias=False)
        self.width = width

    def forward(self, tokens):
        h = self.embed(tokens)
        for block in self.blocks:
            h = block(h)
        return self.read(h)


class ByHand:
    """The k = 2 rules for AdamW as a person would write them, folded; ``power`` spoils them."""

    def __init__(self, model, power=-1.0):
        self.r, self.power = model.width / 32, power

    def initialise(self, model, seed):
        generator = torch.Generator().manual_seed(seed)
        for name, p in model.named_parameters():
            std = {"embed.weight": 1.0, "read.weight": 32**-0.5 / self.r}.get(
                name, p.shape[-1] ** -0.5
            )
            nn.init.normal_(p, std=0.0 if name.endswith("bias") else std, generator=generator)

    def optimizer(self, model):
        def rate(name):
            if name == "read.weight":
                return 2**-9 * self.r**self.power
            hidden = name.endswith("weight") and name != "embed.weight"
            return 2**-8 / self.r if hidden else 2**-8

        groups = [{"params": [p], "lr": rate(name)} for name, p in model.named_parameters()]
        return torch.optim.AdamW(groups, weight_decay=0.0)


def check(plans, **changes):
    options = {"sizes": axes(WIDTHS, DEPTHS), "seeds": [0, 1, 2, 3], "steps": 3} | changes
    return coordinate_check(Toy, plans, token_batches(VOCABULARY, 8, 8), **options)


def test_rules_that_hold_are_flat_and_a_readout_with_a_wrong_one_is_named():
    spoilt = {"k2": ByHand, "spoilt": lambda model: ByHand(model, power=1.0)}
    found = findings(check(spoilt), tolerance=0.25)
    answers = {(f.rule, f.feature, f.axis): f.answer for f in found}
    assert verdict([f for f in found if f.rule == "k2"]) == "flat"
    assert answers["spoilt", "logits", "width"] == "grows"
    assert "the readout alone" in report(found)
    assert READOUT in report(found) and LEVEL in report(found)
    assert LEVEL not in report([f for f in found if f.rule == "spoilt"])


def test_rows_are_complete_and_start_at_zero_change():
    frame = check({"k2": ByHand}, sizes=[(32, 2), (64, 2)], steps=2)
    assert len(frame) == 2 * 4 * 3 * 2  # sizes, seeds, steps 0 to 2, features
    assert (frame[frame.step == 0].change == 0).all()
    assert (frame[frame.step > 0].change > 0).all()


def test_the_features_are_the_last_block_the_last_attention_and_the_output():
    seen = {}

    class Attentive(Toy):
        def forward(self, tokens):
            h = super().forward(tokens)  # (B, T, 32)
            query, key = h.unflatten(-1, (4, 8)), h[..., :16].unflatten(-1, (2, 8))
            query, key = query.transpose(1, 2), key.transpose(1, 2)
            seen["logits"] = query @ key.repeat_interleave(2, -3).mT / query.shape[-1] ** 0.5
            F.scaled_dot_product_attention(query, key, key, enable_gqa=True)
            return h

    torch.manual_seed(0)
    model = Attentive(16, 2)
    model.read = nn.Linear(16, 32)
    handle = model.blocks[-1].register_forward_hook(lambda *given: seen.update(last=given[2]))
    x = torch.randint(VOCABULARY, (3, 8))
    found = followed(model, x)
    handle.remove()
    assert torch.equal(found["last"], seen["last"])
    assert torch.equal(found["logits"], model(x))
    torch.testing.assert_close(found["attention"], seen["logits"])
    assert not model.blocks[-1]._forward_hooks


def test_the_last_block_is_found_beside_longer_lists_of_smaller_things():
    model = Toy(16, 3)
    model.small = nn.ModuleList(nn.LayerNorm(2) for _ in range(9))
    assert last_blocks(model) == [model.blocks[-1], model.small[-1]]
    assert last_blocks(nn.Linear(2, 2)) == []


class Mixture(nn.Module):
    """A block that runs one of its many experts."""

    def __init__(self, width):
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(width, width) for _ in range(9))

    def forward(self, h):
        return h + self.experts[0](h)


def test_blocks_of_two_classes_are_followed_and_their_experts_are_not():
    model = Toy(16, 4)
    model.blocks[2], seen = Mixture(16), {}
    model.blocks[-1].register_forward_hook(lambda *given: seen.update(last=given[2]))
    found = followed(model, torch.randint(VOCABULARY, (3, 8)))
    assert last_blocks(model) == [model.blocks[-1]]
    assert torch.equal(found["last"], seen["last"])


def test_of_several_lists_one_that_the_pass_goes_through_is_followed():
    model = Toy(16, 3)
    model.idle = nn.ModuleList(nn.Sequential(nn.Linear(16, 160)) for _ in range(4))
    seen = {}
    model.blocks[-1].register_forward_hook(lambda *given: seen.update(last=given[2]))
    found = followed(model, torch.randint(VOCABULARY, (3, 8)))
    assert last_blocks(model)[0] is model.idle[-1]
    assert torch.equal(found["last"], seen["last"])


def test_a_diverged_run_fails_and_a_frozen_one_is_said_to_be_still():
    class Wild(ByHand):
        def optimizer(self, model):
            return torch.optim.SGD(model.parameters(), lr=1e30)

    class Still(ByHand):
        def optimizer(self, model):
            return torch.optim.SGD(model.parameters(), lr=0.0)

    found = findings(check({"wild": Wild, "still": Still}, sizes=axes(WIDTHS, [2])))
    assert {(f.rule, f.answer) for f in found} == {("wild", "diverged"), ("still", "still")}
    assert "base rate is too high" in report(found)
    assert verdict(found) == "not flat"


def test_a_figure_is_written(tmp_path):
    frame = check({"k2": ByHand}, seeds=[0])
    for ending in ("svg", "png"):
        draw(frame, findings(frame), tmp_path / f"check.{ending}")
        assert (tmp_path / f"check.{ending}").stat().st_size > 1000


def test_what_is_flat_is_drawn_flat_and_nothing_is_cut_off(tmp_path, monkeypatch):
    frame = check({"k2": ByHand}, seeds=[0])
    other = frame.assign(rule="sp", change=frame.change * frame.width)
    both = pd.concat([frame, other])
    monkeypatch.setattr(plt, "close", lambda figure: None)
    for drawn in (frame, both):
        draw(drawn, findings(drawn), tmp_path / "check.svg")
        for ax in plt.gcf().axes:
            low, high = ax.get_ylim()
            heights = np.concatenate([line.get_ydata() for line in ax.lines])
            assert low < heights.min() <= heights.max() < high
            assert high / low > 3.99
    monkeypatch.undo()
    plt.close("all")


def test_slice_along_keeps_the_smallest_size_of_the_other_axis():
    frame = check({"k2": ByHand}, seeds=[0], steps=1)
    assert sorted(slice_along(frame, "width").width.unique()) == WIDTHS
    assert set(slice_along(frame, "width").depth) == {2}
    assert sorted(slice_along(frame, "depth").depth.unique()) == DEPTHS


class Batched(nn.Module):
    """What training and evaluation mode tell apart."""

    def __init__(self, width, depth):
        super().__init__()
        self.enter = nn.Linear(3, width)
        self.norm, self.frozen = nn.BatchNorm1d(width), nn.BatchNorm1d(width).eval()
        self.drop, self.speak = nn.Dropout(0.5), nn.Linear(width, 2)

    def forward(self, x):
        return self.speak(self.drop(self.frozen(self.norm(50 * self.enter(x)))))


class Unplanned:
    initialise = staticmethod(lambda model, seed: model)
    optimizer = staticmethod(lambda model: torch.optim.SGD(model.parameters(), lr=0.01))


def test_dropout_is_off_and_a_batch_is_normalised_as_in_training():
    seen = []

    def features(model, x):
        assert [m.training for m in (model.drop, model.norm, model.frozen)] == [0, 1, 0]
        seen.append(model.norm(50 * model.enter(x)))
        return {"logits": model(x)}

    def batches(generator):
        return torch.randn(16, 3, generator=generator), torch.arange(16) % 2

    plans = {"plain": lambda model: Unplanned}
    told = {"sizes": [(8, 1)], "seeds": [0], "steps": 1, "features": features}
    frame = coordinate_check(Batched, plans, batches, **told)
    assert seen[0].mean(0).abs().max() < 1e-5 and (seen[0].std(0) - 1).abs().max() < 0.1
    assert frame.change.iloc[0] == 0 < frame.change.iloc[-1] < 1


def test_made_up_text_can_be_learned_and_targets_are_the_next_tokens():
    x, y = token_batches(64, 50, 40)(torch.Generator().manual_seed(0))
    assert x.shape == y.shape == (40, 50)
    assert torch.equal(x[:, 1:], y[:, :-1])
    follows = (y == (5 * x + 1) % 64).double().mean()
    assert 0.45 < follows < 0.57


def test_a_model_that_answers_at_the_last_position_alone_is_held_against_the_last_target():
    def last(tokens):
        return torch.nn.functional.one_hot(tokens[:, -1:], 8) * 20.0

    x = torch.arange(6).reshape(2, 3)
    right, wrong = torch.tensor([[9, 9, 2], [9, 9, 5]]) % 8, torch.tensor([[2, 2, 0], [5, 5, 0]])
    assert cross_entropy(last, x, right) < 1e-6 < 1 < cross_entropy(last, x, wrong)


@pytest.mark.parametrize("empty", [{"sizes": []}, {"seeds": []}, {"steps": 0}])
def test_an_empty_check_is_refused(empty):
    with pytest.raises(ValueError, match="nothing to check"):
        check({"k2": ByHand}, **empty)


def test_two_sizes_are_too_few_for_a_slope():
    with pytest.raises(ValueError, match="three sizes"):
        findings(check({"k2": ByHand}, sizes=[(32, 2), (64, 2)]))


def test_a_step_that_was_not_measured_is_refused():
    frame = check({"k2": ByHand}, seeds=[0], steps=1)
    with pytest.raises(ValueError, match="choose 1 to 1"):
        findings(frame, step=0)
