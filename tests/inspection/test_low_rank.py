"""Low-rank adapters inside known maps: their product takes the depth's factor once."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize, prune

from specmup.inspection.questions import Undeclared
from specmup.parametrization.plan import make_plan

RANK = 4


class Peft(nn.Module):
    """As peft wraps a map: the map, A and B are modules inside it."""

    def __init__(self, base):
        super().__init__()
        self.base_layer = base
        self.lora_A = nn.ModuleDict({"default": nn.Linear(base.in_features, RANK, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(RANK, base.out_features, bias=False)})

    names = "base_layer.weight", "lora_A.default.weight", "lora_B.default.weight"


class Loralib(nn.Linear):
    """As loralib does it: A and B are bare parameters of the map's own module."""

    def __init__(self, base):
        super().__init__(base.in_features, base.out_features, bias=False)
        self.lora_A = nn.Parameter(torch.zeros(RANK, base.in_features))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, RANK))

    names = "weight", "lora_A", "lora_B"


class Own(nn.Linear):
    """Under other names, the last first."""

    def __init__(self, base):
        super().__init__(base.in_features, base.out_features, bias=False)
        self.up = nn.Linear(RANK, base.out_features, bias=False)
        self.down = nn.Linear(base.in_features, RANK, bias=False)

    names = "weight", "down.weight", "up.weight"


class Merged(Loralib):
    """W + B·A is made first, and applied as one map."""

    def forward(self, x):
        return nn.functional.linear(x, self.weight + 2 * (self.lora_B @ self.lora_A))


class MergedOtherWay(nn.Linear):
    """The same, with A and B stored as (n_in, r) and (r, n_out), under other names."""

    def __init__(self, base):
        super().__init__(base.in_features, base.out_features, bias=False)
        self.down = nn.Parameter(torch.zeros(base.in_features, RANK))
        self.up = nn.Parameter(torch.zeros(RANK, base.out_features))

    names = "weight", "down", "up"

    def forward(self, x):
        return nn.functional.linear(x, torch.addmm(self.weight.T, self.down, self.up).T)


KINDS = pytest.mark.parametrize("kind", [Peft, Loralib, Own, Merged, MergedOtherWay])


def adapted(nano_gpt, kind, width, depth):
    model = nano_gpt(n_embd=width, n_layer=depth)
    for block in model.transformer["h"]:
        for name in ("c_attn", "c_proj"):
            setattr(block.attn, name, kind(getattr(block.attn, name)))
    return model


def narrowed(residual, kind):
    """Residual networks by their size, of which a wrapped map ends each branch."""

    def build(width, depth):
        model = residual(width, depth)
        for layer in model.layers:
            layer.narrow = kind(layer.narrow)
        return model

    return build


@KINDS
def test_the_product_has_the_factor_once(nano_gpt, kind):
    plan = make_plan(adapted(nano_gpt, kind, 64, 8), base=adapted(nano_gpt, kind, 32, 2))
    weight, first, last = (
        plan[f"transformer.h.0.attn.c_proj.{name}"].factors for name in kind.names
    )
    assert (weight.folded, first.folded, last.folded) == (1 / 4, 1, 1 / 4)
    # AdamW: a change of A reaches its outputs as n·η, one of B as r·η.
    assert first.learning_rate == 1 / 2
    assert last.learning_rate == 1 / 4  # 1 in n, and the depth's factor folded in
    assert weight.learning_rate == 1 / 2 / 4
    inside = [plan[f"transformer.h.0.attn.c_attn.{name}"].factors for name in kind.names]
    assert [factors.folded for factors in inside] == [1, 1, 1]


@KINDS
def test_so_it_has_under_a_declaration(residual, kind):
    build = narrowed(residual, kind)
    models = {"model": build(64, 8), "base": build(16, 2), "block_depth": 2}
    says = r"'narrow' is declared as branch_end, but layers\.\*\.narrow holds 3 matrices.*3 times"
    with pytest.raises(ValueError, match=says):
        make_plan(**models, branch_ends=["narrow"])
    plan = make_plan(**models, branch_ends=[f"narrow.{kind.names[0]}"])
    folded = [plan[f"layers.0.narrow.{name}"].factors.folded for name in kind.names]
    assert folded == [1 / 4, 1, 1 / 4]


@pytest.mark.parametrize("kind", [Merged, MergedOtherWay])
def test_what_is_merged_is_seen_without_a_declaration(residual, kind):
    build = narrowed(residual, kind)
    plan = make_plan(build(64, 8), base=build(16, 2))
    weight, first, last = (plan[f"layers.0.narrow.{name}"].factors for name in kind.names)
    assert (weight.folded, first.folded, last.folded) == (1 / 4, 1, 1 / 4)
    assert (first.learning_rate, last.learning_rate) == (1 / 4, 1 / 4)


def test_a_map_of_two_factors_holds_its_branch_in_the_outer_one(residual):
    class Product(nn.Module):
        def __init__(self, base):
            super().__init__()
            self.inner = nn.Parameter(torch.randn(RANK, base.in_features))
            self.outer = nn.Parameter(torch.randn(base.out_features, RANK))

        def forward(self, x):
            return x @ (self.outer @ self.inner).T

    build = narrowed(residual, Product)
    plan = make_plan(build(64, 8), base=build(16, 2))
    inner, outer = (plan[f"layers.0.narrow.{name}"].factors for name in ("inner", "outer"))
    assert (inner.folded, outer.folded) == (1, 1 / 4)
    assert (inner.init_std, outer.init_std) == (1 / 4, 1 / 4)  # 1/r_n to what stays; α alone


def test_what_else_stands_inside_a_known_map_is_asked_for(nano_gpt):
    def build(width):
        model = nano_gpt(n_embd=width)
        for block in model.transformer["h"]:
            block.attn.c_proj.rotation = nn.Linear(width, width, bias=False)
        return model

    with pytest.raises(ValueError, match=r"h\.0\.attn\.c_proj\.rotation\.weight.*no known place"):
        make_plan(build(64), base=build(32))


def test_a_module_of_several_maps_is_no_branch_end(residual):
    """Folding into both maps in a row would count the depth twice."""

    def build(width, depth):
        model = residual(width, depth)
        for layer in model.layers:
            layer.mlp = nn.Sequential(layer.widen, nn.ReLU(), layer.narrow)
            del layer.widen, layer.narrow
        return model

    told = {"base": build(16, 2), "block_depth": 2}
    with pytest.raises(ValueError, match=r"'mlp' is declared as branch_end.*2 matrices.*the one"):
        make_plan(build(32, 4), branch_ends=["mlp"], **told)
    assert make_plan(build(32, 4), branch_ends=["mlp.2"], **told)["layers.0.mlp.2.weight"]


class Wrapped(nn.Module):
    """A weight that is computed from several parameters in a way that is not understood."""

    def __init__(self, base):
        super().__init__()
        self.small = nn.Parameter(torch.randn(4, 4))
        self.large = nn.Parameter(torch.randn(base.out_features // 4, base.in_features // 4))

    def forward(self, x):
        return nn.functional.linear(x, torch.kron(self.small, self.large))


def test_what_is_proposed_of_a_weight_of_two_parameters_works_when_pasted(residual):
    build = narrowed(residual, Wrapped)
    with pytest.raises(Undeclared) as asked:
        make_plan(build(64, 8), base=build(16, 2))
    plan = make_plan(build(64, 8), base=build(16, 2), **asked.value.proposal.given)
    small, large = (plan[f"layers.0.narrow.{name}"].factors for name in ("small", "large"))
    assert sorted([small.folded, large.folded]) == [1 / 4, 1]
    assert small.learning_rate / small.folded == 1
    assert large.learning_rate / large.folded == 1 / 4


class Hadamard(nn.Module):
    """W and an entrywise product of two products of low rank."""

    def __init__(self, base):
        super().__init__()
        n_out, n_in = base.out_features, base.in_features
        self.weight = nn.Parameter(torch.randn(n_out, n_in))
        self.b1, self.b2 = (nn.Parameter(torch.randn(n_out, RANK)) for _ in range(2))
        self.a1, self.a2 = (nn.Parameter(torch.randn(RANK, n_in)) for _ in range(2))

    def forward(self, x):
        added = (self.b1 @ self.a1) * (self.b2 @ self.a2)
        return nn.functional.linear(x, self.weight + added)


def test_so_does_what_is_proposed_of_one_summand(residual):
    build = narrowed(residual, Hadamard)
    with pytest.raises(Undeclared) as asked:
        make_plan(build(64, 8), base=build(16, 2))
    plan = make_plan(build(64, 8), base=build(16, 2), **asked.value.proposal.given)
    folded = [plan[f"layers.0.narrow.{name}"].factors.folded for name in ("b1", "a1", "b2", "a2")]
    assert plan["layers.0.narrow.weight"].factors.folded == 1 / 4
    assert sorted(folded) == [1 / 4, 1, 1, 1]


class Rows(nn.Module):
    """A factor for each row, as torch parametrises a weight."""

    def __init__(self, rows):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(rows, 1))

    def forward(self, weight):
        return self.gain * weight


def parametrised(linear):
    made = nn.Linear(linear.in_features, linear.out_features)
    parametrize.register_parametrization(made, "weight", Rows(linear.out_features))
    return made


def test_the_bias_of_a_parametrised_map_holds_what_its_weight_holds(residual):
    build = narrowed(residual, parametrised)
    plan = make_plan(
        build(64, 8),
        base=build(16, 2),
        branch_ends=["narrow.parametrizations.weight.original"],
        block_depth=2,
    )
    made = "parametrizations.weight"
    names = (f"{made}.original", f"{made}.0.gain", "bias")
    assert [plan[f"layers.0.narrow.{n}"].factors.folded for n in names] == [1 / 4, 1, 1 / 4]


def test_a_pruned_map_is_a_map(residual):
    def pruned(linear):
        return prune.random_unstructured(linear, "weight", 0.5)

    build = narrowed(residual, pruned)
    plan = make_plan(build(64, 8), base=build(16, 2))
    weight = plan["layers.0.narrow.weight_orig"].factors
    assert (weight.folded, weight.learning_rate) == (1 / 4, 1 / 16)


def test_a_rounded_weight_holds_no_factor_which_is_said_at_once(residual):
    class Rounded(nn.Linear):
        def forward(self, x):
            size = self.weight.abs().mean()
            return nn.functional.linear(x, (self.weight / size).round() * size, self.bias)

    build = narrowed(residual, lambda linear: Rounded(linear.in_features, linear.out_features))
    with pytest.raises(ValueError, match=r"narrow\.weight shall hold .* a factor in it is lost"):
        make_plan(build(64, 8), base=build(16, 2))


class InARow(nn.Module):
    """Branches of three maps, between sizes that are given in widths."""

    def __init__(self, width, depth, sizes):
        super().__init__()
        self.first, self.last = nn.Linear(12, width), nn.Linear(width, 5)
        self.blocks = nn.ModuleList(nn.Module() for _ in range(depth))
        for block in self.blocks:
            for name, one, other in zip("abc", (1, *sizes), (*sizes, 1), strict=True):
                setattr(block, name, nn.Linear(int(one * width), int(other * width)))

    def forward(self, x):
        h = self.first(x)
        for block in self.blocks:
            h = h + block.c(torch.relu(block.b(torch.relu(block.a(h)))))
        return self.last(h)


@pytest.mark.parametrize("sizes", [(2, 2), (4, 4), (1, 1 / 2)])
@pytest.mark.parametrize("told", [{}, {"branch_ends": ["c"], "block_depth": 2}])
def test_three_maps_in_a_row_are_no_map_with_an_adapter(sizes, told):
    plan = make_plan(InARow(64, 8, sizes), base=InARow(16, 2, sizes), **told)
    assert [plan[f"blocks.0.{name}.weight"].factors.folded for name in "abc"] == [1, 1, 1 / 4]
