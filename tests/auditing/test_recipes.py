"""Published recipes, read off their code: what each satisfies, and exactly where it departs."""

import mup
import pytest
import recipes
from recipes import DECLARED, DEPTHS, WIDTHS

from specmup.auditing.audit import audit
from specmup.theory.order import DEPTH, ONE, WIDTH, Order
from specmup.theory.tables import ROLES

HALF_WIDTH, HALF_DEPTH = WIDTH ** "1/2", DEPTH ** "1/2"
MAPS = {f"blocks.*.{name}.weight" for name in ("query", "key", "value", "out", "up", "down")}
ENDS = {"blocks.*.out.weight", "blocks.*.down.weight"}
INNER = MAPS - ENDS


def audited(build, **options):
    return audit(build, widths=WIDTHS, depths=DEPTHS, **DECLARED, **options)


def off(result, *numbers):
    """By number: parameters to powers by which they are off; harmless ones and biases left out."""
    return {
        number: {
            f.pattern: f.off
            for f in result.faults
            if f.number == number and not f.harmless and not f.pattern.endswith("bias")
        }
        for number in numbers
    }


TRAINING = ("multiplier", "start", "learning_rate")


def test_pytorch_defaults_are_the_standard_parametrization():
    result = audited(recipes.pytorch_defaults)
    assert result.rule == "the standard parametrization" and result.asked == "the rule k ≥ 2"
    assert off(result, *TRAINING) == {
        "multiplier": dict.fromkeys(ENDS, DEPTH),
        "start": {"read.weight": HALF_WIDTH},
        "learning_rate": dict.fromkeys({*MAPS, "read.weight"}, WIDTH),
    }
    allowed = {fault.pattern for fault in result.faults if fault.harmless}
    assert {"blocks.*.up.bias"} <= allowed  # torch starts biases smaller than they may be


def test_gpt2_scales_the_start_of_branch_ends_alone():
    result = audited(recipes.gpt2_start)
    assert result.rule == "the standard parametrization"
    assert off(result, *TRAINING) == {
        "multiplier": {},
        "start": dict.fromkeys(INNER, HALF_WIDTH)
        | dict.fromkeys(ENDS, HALF_WIDTH * HALF_DEPTH)
        | {"read.weight": WIDTH},
        "learning_rate": dict.fromkeys(INNER, WIDTH)
        | dict.fromkeys(ENDS, WIDTH * DEPTH)
        | {"read.weight": WIDTH},
    }


def test_mup_of_the_width_alone():
    result = audited(recipes.width_alone)
    assert result.rule == "μP of the width alone"
    assert off(result, *TRAINING, "weight_decay") == {
        "multiplier": dict.fromkeys(ENDS, DEPTH),
        "start": {},
        "learning_rate": {},
        "weight_decay": {},
    }


def test_complete_p_is_the_rule_but_for_an_epsilon_of_the_ends():
    result = audited(recipes.complete_p)
    assert result.agrees and result.rule == "the rule k ≥ 2" and not result.broken
    assert {f.number for f in result.faults} == {"epsilon"}
    told = {f.pattern: (f.read, f.needed) for f in result.faults}
    assert told["embed.weight"] == told["last.weight"] == (WIDTH**-1 * DEPTH**-1, WIDTH**-1)
    assert not [pattern for pattern in told if "blocks" in pattern]


def test_complete_p_as_it_is_solved_has_no_exception():
    result = audited(recipes.complete_p_as_solved)
    assert result.agrees and not off(result, "epsilon")["epsilon"]


def test_depth_mup_on_branches_of_two_maps():
    result = audited(recipes.depth_mup)
    assert result.rule == "the rule k = 1" and result.asked == "the rule k ≥ 2"
    broken = {(b.statement.name, b.off) for b in result.broken if len(b.where) == 2}
    # One map's step is as large as it should be; what both learn together is not.
    assert ("[W1,W2]", HALF_DEPTH**-1) in broken and ("start", HALF_DEPTH) in broken
    assert not [name for name, _ in broken if name in ("[W1]", "[W2]")]


def test_depth_mup_on_branches_of_one_map():
    declared = DECLARED | {"block_depth": 1}
    result = audit(recipes.depth_mup, widths=WIDTHS, depths=DEPTHS, **declared)
    assert result.agrees and result.rule == result.asked == "the rule k = 1"


def test_unit_mup_in_its_own_gauge():
    result = audited(recipes.unit_mup)
    assert result.nearest["width"] == "μP"
    width = {
        number: {p: Order(width=o.width) for p, o in found.items() if o.width}
        for number, found in off(result, *TRAINING).items()
    }
    # Its embedding's rate 1/√n is its own; all else in width is μP, with a constant in every map.
    assert width == {
        "multiplier": {},
        "start": {},
        "learning_rate": {"embed.weight": HALF_WIDTH**-1},
    }


def test_rates_for_each_layer_leave_the_readout_s_start():
    result = audited(recipes.per_layer_sp)
    assert off(result, *TRAINING) == {
        "multiplier": dict.fromkeys(ENDS, DEPTH),
        "start": {"read.weight": HALF_WIDTH},
        "learning_rate": {},
    }


@pytest.mark.parametrize("optimizer", [mup.MuAdamW, mup.MuSGD])
def test_microsoft_mup_is_mup_of_the_width_alone(optimizer):
    result = audited(recipes.with_mup(optimizer))
    assert result.rule == "μP of the width alone"
    assert off(result, "multiplier", "start") == {
        "multiplier": dict.fromkeys(ENDS, DEPTH),
        "start": {},
    }
    rates = {order.width for order in off(result, "learning_rate")["learning_rate"].values()}
    assert rates <= {0}


@pytest.mark.parametrize(
    ("make", "told", "right"),
    [
        (recipes.torch_muon("original"), None, ONE),
        (recipes.torch_muon("match_rms_adamw"), None, HALF_WIDTH**-1),
        (recipes.own_muon, "muon", ONE),
        (recipes.own_muon, "muon-original", ONE),
        (recipes.own_muon, "muon-kimi", HALF_WIDTH**-1),
        (recipes.own_muon, "muon-spectral", ONE),
    ],
)
def test_muon_with_each_factor_of_the_shape(make, told, right):
    def rate(exponent):
        return lambda r_n: r_n ** float(exponent)

    result = audited(recipes.muon(make, rate(right.width)), optimizer=told)
    assert result.agrees and result.rule == "the rule k ≥ 2"
    wrong = audited(recipes.muon(make, rate(right.width + 1)), optimizer=told)
    assert off(wrong, *TRAINING) == {
        "multiplier": {},
        "start": {},
        "learning_rate": dict.fromkeys(MAPS, WIDTH),
    }
    assert wrong.faults[0].factors == {"width": WIDTHS[-1] / WIDTHS[0]}


def test_every_role_has_been_compared():
    assert {row.role for row in audited(recipes.complete_p).rows} == set(ROLES)


RECIPES = {
    **{
        name: getattr(recipes, name)
        for name in ("pytorch_defaults", "gpt2_start", "width_alone", "complete_p", "depth_mup")
    },
    "unit_mup": recipes.unit_mup,
    "per_layer_sp": recipes.per_layer_sp,
    "MuAdamW": recipes.with_mup(mup.MuAdamW),
    "MuSGD": recipes.with_mup(mup.MuSGD),
    "Muon": recipes.muon(recipes.torch_muon("original")),
    "Muon-Kimi": recipes.muon(recipes.torch_muon("match_rms_adamw"), lambda r_n: r_n**-0.5),
}


@pytest.mark.parametrize("number", ["start", "learning_rate", "epsilon"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_one_fault_more_is_one_fault_more(recipe, number):
    """Whatever else a recipe does, what was planted is named, and nothing else changes."""
    pattern, planted = "blocks.*.up.weight", WIDTH ** "1/4"
    has_epsilon = not recipe.startswith(("MuSGD", "Muon"))
    if number == "epsilon" and not has_epsilon:
        pytest.skip("no ε of the rules'")
    options = {**DECLARED, "depths": [2]}

    def off_by(build):
        found = audit(build, widths=WIDTHS, **options).faults
        return {(f.pattern, f.number): f.off for f in found}

    before = off_by(RECIPES[recipe])
    after = off_by(recipes.with_fault(RECIPES[recipe], pattern, number, 0.25))
    key = pattern, number
    assert after == before | {key: before.get(key, ONE) * planted}
