"""Rules taken apart in chapters 17 and 19: the sweep's own runs with one number changed."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from experiments import depth_parts, kimi_parts, width_parts
from experiments.depth_parts import ABLATIONS
from experiments.instruments import ablation
from experiments.instruments.ablation import Setting, build
from experiments.small_gpt import BASE_DEPTH, BASE_WIDTH, CONTEXT, RECIPE, text
from specmup.sweeps.configuration import read_sweep
from specmup.sweeps.run import RULES
from specmup.sweeps.work import start

SWEEP = Path(__file__).parents[2] / "book" / "sweeps" / "small.toml"


def losses(*setting, steps=3):
    """Training losses without clipping; LayerNorm's ε is made too small to matter."""
    model, optimizer = build(Setting(*setting))
    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-12
    found = []
    for starts in text().training_windows(CONTEXT, 4, steps, 0):
        x, y = text().windows("train", starts, CONTEXT)
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("normalisation", ["layernorm", "none"])
@pytest.mark.parametrize("optimizer", ["adamw", "muon-kimi"])
def test_an_unchanged_rule_is_the_run_of_the_sweep(rule, normalisation, optimizer):
    sweep = read_sweep(SWEEP)
    grid = next(g for g in sweep.grid if g.model.get("normalisation", "layernorm") == normalisation)
    run = sweep.curve(grid, rule, optimizer, 0.0, (64, 8)).run(-8, seed=1)
    assert run.recipe == RECIPE
    model, trainer = start(run)
    own_model, own = build(Setting(rule, 64, 8, -8, 1, normalisation, optimizer))
    for (name, theirs), ours in zip(model.named_parameters(), own_model.parameters(), strict=True):
        assert torch.equal(theirs, ours), name
    for theirs, ours in zip(trainer.param_groups, own.param_groups, strict=True):
        assert {k: v for k, v in theirs.items() if k != "params"} == {
            k: v for k, v in ours.items() if k != "params"
        }


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_changes_its_numbers_and_no_others(name):
    part, depth = ABLATIONS[name], 8
    r = part.ratio or depth / BASE_DEPTH
    changed, plain = (build(Setting(one, depth=depth)) for one in (part, part.rule))
    begins = {
        "input": ("tokens.", "positions."),
        "output": ("readout.",),
        "norm.weight": ("norm.weight",),
    }

    def power(powers, parameter):
        for key, exponent in powers.items():
            if key.startswith("*"):
                fits = key.strip("*") in parameter
            else:
                fits = parameter.startswith(begins[key])
            if fits:
                return r**exponent
        return 1.0

    after, before = (_rates(*begun) for begun in (changed, plain))
    for (parameter, new), old in zip(
        changed[0].named_parameters(), plain[0].parameters(), strict=True
    ):
        assert after[parameter] == pytest.approx(before[parameter] * power(part.rates, parameter))
        torch.testing.assert_close(new, old * power(part.stds, parameter))
    assert after != before or any(
        not torch.equal(a, b)
        for a, b in zip(changed[0].parameters(), plain[0].parameters(), strict=True)
    )


def _rates(model, optimizer):
    of = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    return {name: of[id(p)] for name, p in model.named_parameters()}


@pytest.mark.parametrize(
    "name, log2_lr, other, log2_other", [("sp, both", -8, "k2", -8), ("k2, both", -9, "k1", -8)]
)
def test_both_numbers_make_the_other_rule(name, log2_lr, other, log2_other):
    ours = losses(ABLATIONS[name], BASE_WIDTH, 8, log2_lr)
    assert ours == pytest.approx(losses(other, BASE_WIDTH, 8, log2_other), abs=1e-4)
    singles = (n for n in ABLATIONS if n[:2] == name[:2] and "slow" not in n and n != name)
    for single in singles:
        apart = losses(ABLATIONS[single], BASE_WIDTH, 8, log2_lr)
        assert apart != pytest.approx(ours, abs=1e-4)


def test_a_run_makes_one_row(monkeypatch):
    short = replace(RECIPE, steps=2, batch_size=2, warm_up=0, validation_windows=2)
    monkeypatch.setattr(ablation, "RECIPE", short)
    job = {"part": "k2, fast readout", "depth": 4, "log2_lr": -8, "seed": 0}
    frame = depth_parts.train_part(**job, normalisation="layernorm")
    assert frame.drop(columns="loss").to_dict("records") == [job | {"normalisation": "layernorm"}]
    assert 0 < frame.loss.item() < 10
    other = kimi_parts.train_part(**job)
    assert other.drop(columns="loss").to_dict("records") == [job]
    assert 0 < other.loss.item() != frame.loss.item()


@pytest.mark.parametrize("ratio", [2, 4])
def test_all_numbers_make_sp_the_rule_and_none_does_alone(ratio):
    width, down = ratio * BASE_WIDTH, ratio.bit_length() - 1
    rule = losses("k2", width)
    apart = {
        name: losses(part, width, BASE_DEPTH, -8 - down)
        for name, part in width_parts.ABLATIONS.items()
    }
    assert apart.pop("all") == pytest.approx(rule, abs=1e-4)
    for name, single in apart.items():
        assert single != pytest.approx(rule, abs=3e-4), name


def test_at_the_base_width_a_part_changes_nothing():
    plain, _ = build(Setting("sp"))
    for part in width_parts.ABLATIONS.values():
        model, _ = build(Setting(part))
        assert all(map(torch.equal, model.parameters(), plain.parameters()))


def test_a_run_over_the_width_makes_one_row(monkeypatch):
    told = []
    monkeypatch.setattr(width_parts, "final_loss", lambda setting: told.append(setting) or 3.0)
    frame = width_parts.train_part(part="fast gains", width=128, log2_lr=-9, seed=1)
    assert told == [Setting(width_parts.ABLATIONS["fast gains"], 128, BASE_DEPTH, -9, 1)]
    assert frame.to_dict("records") == [
        {"part": "fast gains", "width": 128, "log2_lr": -9, "seed": 1, "loss": 3.0}
    ]
