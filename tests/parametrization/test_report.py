"""A plan to be read."""

import io
import json
import re

import pytest
from rich.console import Console
from torch import nn

from specmup.foreign import in_markdown
from specmup.models.resnet import ResNet, ResNetShape
from specmup.optimizers.registry import idle_steps
from specmup.parametrization.plan import make_plan
from specmup.parametrization.report import COLUMNS
from specmup.theory.update import LAWS


@pytest.fixture
def plan(nano_gpt):
    return make_plan(
        nano_gpt(n_embd=128, n_layer=6),
        base={"n_embd": 32, "n_layer": 2, "n_head": 4},
        optimizer="soap",
        learning_rate=0.01,
        std=0.02,
    )


def test_its_repr_is_one_line(plan):
    told = "GPT-2, width 32 -> 128, depth 2 -> 6, soap, k = 2, folded gauge"
    assert repr(plan) == f"<Plan: {told}, {len(plan.entries)} parameters>"


def test_a_table_has_one_row_for_the_same_parameter_of_all_blocks(plan):
    text = str(plan)
    first, _, head, *rows = text.splitlines()
    assert first == "GPT-2: width 32 → 128, depth 2 → 6; soap, k = 2, folded gauge"
    assert head.split() == list(COLUMNS)
    (row,) = [row for row in rows if "mlp.c_proj" in row]
    # SOAP: std 0.02·½·⅓, rate 0.01·⅓
    cells = re.split(r"\s{2,}", row)
    assert cells[:5] == [
        "transformer.h.*.mlp.c_proj.weight (×6)",
        "hidden",
        "128",
        "512",
        "0.3333 folded in",
    ]
    assert cells[5:7] == ["0.003333 (×0.1667)", "0.003333 (×0.3333)"]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_a_multiplier_is_said_to_be_folded_in_where_a_number_holds_it(optimizer):
    """Of a head in two maps, n to 6 to the vocabulary, the first one holds 1/r_n, once."""

    def build(width):
        bodies = [nn.Linear(6, width), nn.Linear(width, width), nn.Linear(width, 6)]
        return nn.Sequential(nn.Embedding(8, 6), *bodies, nn.Linear(6, 8))

    plan = make_plan(build(64), base=build(16), optimizer=optimizer)
    cells = {row[0]: row[4] for row in plan.report().rows}
    assert (plan["4.weight"].role, cells["4.weight"], cells["4.bias"]) == ("output", "1", "1")
    assert (plan["3.weight"].role, cells["3.weight"]) == ("output", "0.25 folded in")


def test_every_form_holds_every_kind_of_parameter_and_every_note(plan):
    stream = io.StringIO()
    Console(file=stream, width=200).print(plan.report().rich())
    table = stream.getvalue()
    forms = [str(plan), plan.report().markdown(), plan._repr_html_(), plan.to_json(), table]
    for form in forms:
        assert all(entry.role in form for entry in plan.values())
        assert "0.003333" in form
    assert all(note in forms[0] for note in plan.notes)
    assert all(in_markdown(note) in forms[1] for note in plan.notes)
    assert all(note[:40] in forms[-1] for note in plan.notes)


def test_json_has_every_parameter_by_name(plan, nano_gpt):
    told = json.loads(plan.to_json())
    assert list(told["parameters"]) == list(plan)
    entry = told["parameters"]["transformer.h.5.attn.c_proj.weight"]
    assert entry["learning_rate"] == pytest.approx(0.01 / 3)
    assert entry["shape"] == [128, 128]
    assert entry["factors"]["folded"] == pytest.approx(1 / 3)
    assert told["depth"] == {"target": 6, "base": 2}
    unknown = make_plan(lambda: nano_gpt(n_embd=64), base=lambda: nano_gpt()).to_json()
    assert json.loads(unknown)["parameters"]["transformer.wpe.weight"]["learning_rate"] is None


def test_what_is_not_known_is_shown_as_a_factor(nano_gpt):
    text = str(make_plan(lambda: nano_gpt(n_embd=64), base=lambda: nano_gpt(), verify=False))
    (row,) = [row for row in text.splitlines() if "mlp.c_fc" in row]
    assert re.split(r"\s{2,}", row)[5:] == ["(×0.7071)", "(×0.5)", "0 (×2)", "5e-09 (×0.5)"]


def test_idle_steps_are_those_of_the_optimizers(nano_gpt):
    large, small = nano_gpt(n_embd=64, n_layer=4), nano_gpt(n_embd=32, n_layer=2)
    for name in LAWS:
        notes = " ".join(make_plan(large, base=small, optimizer=name).notes)
        told = [int(n) for n in re.findall(r"first (\d+) step moves nothing", notes)]
        assert told == [n for n in [idle_steps(name)] if n]


def test_notes_speak_of_what_is_there(plan, nano_gpt):
    def has(plan, words):
        return any(words in note for note in plan.notes)

    assert has(plan, "lm_head.weight: both roles ask the same")
    assert has(plan, "first 1 step moves nothing")
    assert has(plan, "a readout that falls with the width")
    # n_head stayed at 4 while the width grew.
    assert has(plan, "dimension of a head changes, 8 → 32")
    fixed = make_plan(nano_gpt(n_embd=64, n_head=8), base={"width": 32})
    assert has(fixed, "heads keep their dimension of 8")
    deeper = make_plan(nano_gpt(n_layer=4), base=nano_gpt())
    assert not has(deeper, "falls with the width")
    assert not has(deeper, "moves nothing")
    stacked = ResNet(ResNetShape(6, 8, 2, 3), {"input": 1, "hidden": 1, "output": 1})
    assert has(make_plan(stacked, base=stacked, optimizer="lamb"), "one trust ratio")


def test_a_model_that_is_smaller_than_its_base_is_noted(residual):
    def said(model, base):
        return [n for n in make_plan(model, base=base).notes if "smaller than its base" in n]

    small, large = residual(16, 2), residual(64, 8)
    assert "width 64 → 16, depth 8 → 2" in said(small, large)[0]
    assert "base, depth 8 → 2:" in said(residual(64, 2), large)[0]
    assert not said(large, small) and not said(small, residual(16, 2))


def test_a_plan_for_one_map_says_what_makes_two_of_it():
    class OneMap(nn.Module):
        def __init__(self, width, depth, affine=True):
            super().__init__()
            self.stem = nn.Linear(3, width)
            self.blocks = nn.ModuleList(
                nn.Sequential(
                    nn.LayerNorm(width, elementwise_affine=affine), nn.Linear(width, width)
                )
                for _ in range(depth)
            )
            self.head = nn.Linear(width, 10)

    def told(model, base, block_depth=1):
        ends = {"branch_ends": ["blocks.*.1"], "block_depth": block_depth}
        notes = make_plan(model, base=base, **ends).notes
        return [note.split()[0] for note in notes if "makes a map of it" in note]

    both = ["blocks.*.0.weight", "blocks.*.0.bias"]
    assert told(OneMap(32, 4), OneMap(16, 2)) == both
    assert told(OneMap(32, 4), OneMap(16, 2), block_depth=2) == []
    assert told(OneMap(32, 2), OneMap(16, 2)) == []  # no depth, no rule that differs
    assert told(OneMap(32, 4, affine=False), OneMap(16, 2, affine=False)) == []
    frozen = OneMap(32, 4)
    for block in frozen.blocks:
        block[0].weight.requires_grad_(False)
    assert told(frozen, OneMap(16, 2)) == both[1:]


def test_a_report_prints_itself(plan):
    report = plan.report()
    assert str(report) == report.plain()
    assert report._repr_html_() == report.html()
    stream = io.StringIO()
    Console(file=stream, width=200).print(report)
    assert "norm_gain" in stream.getvalue()
