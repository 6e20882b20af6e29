"""The plan's numbers: the rules where all fans grow alike, base values at the base, exact ties."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from specmup.models.gpt import GPT, GPTShape
from specmup.models.resnet import ResNet, ResNetShape
from specmup.parametrization.gauges import gauge_change
from specmup.parametrization.plan import Plan, make_plan
from specmup.theory.rules import parametrization, solved_layers
from specmup.theory.update import LAWS, update_law

optimizers = st.sampled_from(sorted(LAWS))
ratios = st.integers(1, 4)
few = settings(max_examples=20)
KINDS = ("learning_rate", "weight_decay", "epsilon")


def gpt(width, depth, **options):
    options = {"bias": True, "head_dimension": 8} | options
    return GPT(GPTShape(40, 16, width, depth, **options))


def resnet(width, depth, block_depth=2):
    shape = ResNetShape(inputs=6, width=width, depth=depth, outputs=3, block_depth=block_depth)
    return ResNet(shape, {"input": 1.0, "hidden": 0.5, "output": 1.0})


def lazily(make, *sizes, **options):
    return lambda: make(*sizes, **options)


def in_both_gauges(target, base, optimizer):
    """Plans by the names alone: what is asked of them is arithmetic."""
    return [
        make_plan(target, base=base, optimizer=optimizer, gauge=gauge, verify=False)
        for gauge in ("forward", "folded")
    ]


@few
@given(optimizers, ratios, ratios, st.booleans())
def test_where_all_fans_grow_alike_the_factors_are_the_rules(optimizer, r_n, r_L, tied):
    target, base = (lazily(gpt, 8 * n, 2 * L, tied=tied) for n, L in ((r_n, r_L), (1, 1)))
    plan = make_plan(target, base=base, optimizer=optimizer)
    assert plan.gauge == "forward"
    rules = parametrization("k2", optimizer)
    for entry in plan.entries:
        rule = rules[entry.role]
        expected = rule.init_variance.evaluate(r_n, r_L) ** 0.5
        assert entry.factors.init_std == pytest.approx(expected)
        for kind in KINDS:
            order = getattr(rule, kind)
            factor = getattr(entry.factors, kind)
            assert factor is None if order is None else True
            if order is not None:
                assert factor == pytest.approx(order.evaluate(r_n, r_L)), (entry.name, kind)
    expected = {role: rules[role].multiplier.evaluate(r_n, r_L) for role in plan.multipliers}
    assert plan.multipliers == pytest.approx(expected)


@few
@given(optimizers, ratios, ratios, st.integers(1, 3))
def test_a_stacked_network_folds_each_branch_into_its_maps_evenly(optimizer, r_n, r_L, k):
    target, base = lazily(resnet, 8 * r_n, 2 * r_L, k), lazily(resnet, 8, 2, k)
    forward, folded = in_both_gauges(target, base, optimizer)
    alpha = forward.multipliers["hidden"] / 0.5
    assert folded.multipliers["hidden"] == 0.5
    assert folded["hidden"].factors.folded ** k == pytest.approx(alpha)
    ratio = folded["hidden"].factors.init_std / forward["hidden"].factors.init_std
    assert ratio**k == pytest.approx(alpha)


@few
@given(optimizers, ratios, ratios)
def test_folding_changes_the_ends_of_branches_and_the_head_only(optimizer, r_n, r_L):
    target, base = lazily(gpt, 8 * r_n, 2 * r_L), lazily(gpt, 8, 2)
    forward, folded = in_both_gauges(target, base, optimizer)
    for name, entry in folded.items():
        before, after = forward[name].factors, entry.factors
        one, change = before.multiplier, gauge_change(LAWS[entry.optimizer])
        if entry.place not in ("branch_end", "head"):
            assert after.folded == 1
            one = 1.0
        assert after.init_std == pytest.approx(before.init_std * one)
        assert after.learning_rate == pytest.approx(before.learning_rate * one**change.rate)
        assert after.weight_decay == pytest.approx(before.weight_decay / one**change.rate)
        if after.epsilon is not None:
            assert after.epsilon == pytest.approx(before.epsilon / one**change.epsilon)


@few
@given(optimizers, st.sampled_from(["forward", "folded"]), ratios, ratios)
def test_rate_times_decay_does_not_depend_on_size(optimizer, gauge, r_n, r_L):
    target, base = lazily(gpt, 8 * r_n, 2 * r_L), lazily(gpt, 8, 2)
    plan = make_plan(target, base=base, optimizer=optimizer, gauge=gauge, verify=False)
    for entry in plan.values():
        product = entry.factors.learning_rate * entry.factors.weight_decay
        assert product == pytest.approx(1), entry.name


@pytest.mark.parametrize("optimizer", sorted(LAWS))
def test_an_embedding_and_a_head_ask_the_same_of_a_tied_matrix(optimizer):
    """Whatever trains it: for optimizers of matrices that is AdamW, and some could not."""
    embedding, head = (solved_layers(2)[r].rule(update_law(optimizer)) for r in ("input", "output"))
    agree = all(getattr(embedding, kind) == getattr(head, kind) for kind in KINDS)
    assert embedding.init_variance == head.init_variance
    assert agree or update_law(optimizer).matrices_only
    if optimizer == "muon-original":
        assert not agree


@pytest.mark.parametrize("optimizer", sorted(LAWS))
def test_at_the_base_every_factor_is_exactly_one(optimizer):
    for gauge in ("forward", "folded"):
        base = lazily(gpt, 16, 2, tied=True)
        plan = make_plan(base, base=base, optimizer=optimizer, gauge=gauge)
        for entry in plan.values():
            numbers = {getattr(entry.factors, k) for k in (*KINDS, "init_std", "folded")} - {None}
            assert numbers == {1.0}, (gauge, entry.name)


def test_fans_that_grow_by_another_factor_count_as_they_are(hugging_face):
    """Llama's MLP is rounded to 172 and 344 beside 64 and 128; AdamW's rate counts inputs."""
    shape = {"num_attention_heads": 4, "num_key_value_heads": 1, "num_hidden_layers": 2}
    plan = make_plan(
        hugging_face("llama", hidden_size=128, intermediate_size=344, head_dim=16, **shape),
        base=hugging_face("llama", hidden_size=64, intermediate_size=100, head_dim=16, **shape),
    )
    rate = {
        n: plan[f"model.layers.0.{n}.weight"].factors.learning_rate
        for n in (
            "mlp.down_proj",
            "mlp.up_proj",
            "self_attn.q_proj",
            "self_attn.k_proj",
            "self_attn.o_proj",
        )
    }
    # 100 → 344 inputs below, 64 → 128 above. Neither heads nor their dimension grew here, so the
    # attention's inside stays as it is.
    assert rate["mlp.down_proj"] == pytest.approx(100 / 344)
    assert rate["mlp.up_proj"] == rate["self_attn.q_proj"] == rate["self_attn.k_proj"] == 0.5
    assert rate["self_attn.o_proj"] == 1
    up = plan["model.layers.0.mlp.up_proj.weight"].factors
    # std = √(fan_out/(fan_in·max)): 100/(64·100) before, 344/(128·344) now.
    assert up.init_std == pytest.approx(math.sqrt(64 / 128))
    key = plan["model.layers.0.self_attn.k_proj.weight"].factors
    # A fixed number of outputs: std ∝ 1/fan_in, as ‖W‖_R = 1 demands (zheng2026, Eq. 6).
    assert key.init_std == pytest.approx(64 / 128)


def test_a_hidden_fan_that_stays_counts_as_it_is(residual):
    """From 64 fixed inputs to n outputs, ‖W‖_R = 1 takes std = √n/64 while n < 64, then 1/8."""

    def build(width):
        model = residual(width, 2)
        for layer in model.layers:
            layer["widen"], layer["narrow"] = nn.Linear(width, 64), nn.Linear(64, width)
        return model

    declared = {"branch_ends": ["narrow"], "block_depth": 2, "places": {"widen": "branch"}}
    for n, expected in ((16, 2**0.5), (32, 2), (128, 8**0.5), (256, 8**0.5)):
        plan = make_plan(build(n), base=build(8), **declared)
        std = plan["layers.0.narrow.weight"].factors.init_std
        assert std == pytest.approx(expected), n


def test_a_fused_attention_counts_as_one_matrix(nano_gpt):
    plan = make_plan(nano_gpt(n_embd=64), base=nano_gpt(n_embd=32), optimizer="muon-kimi")
    assert any("three matrices" in note for note in plan.notes)
    fused = plan["transformer.h.0.attn.c_attn.weight"]
    assert fused.factors.learning_rate == pytest.approx(2**-0.5)


def test_the_multiplier_of_a_tied_readout_is_folded_into_the_last_normalisation(nano_gpt):
    plan = make_plan(nano_gpt(n_embd=64), base=nano_gpt(n_embd=32), std=0.02, learning_rate=0.01)
    gain, tied = plan["transformer.ln_f.weight"], plan["transformer.wte.weight"]
    assert gain.factors.folded == gain.init_std == 0.5
    assert gain.learning_rate == 0.005
    assert (tied.init_std, tied.learning_rate, tied.factors.folded) == (0.02, 0.01, 1.0)


def test_sp_scales_only_the_start():
    options = {"base": gpt(16, 2), "parametrization": "sp", "optimizer": "muon-kimi"}
    plan = make_plan(gpt(64, 8), **options)
    assert set(plan.multipliers.values()) == {1.0}
    for entry in plan.values():
        assert (entry.factors.learning_rate, entry.factors.weight_decay) == (1.0, 1.0)
        std = 0.5 if entry.role in ("hidden", "output") else 1.0
        assert entry.factors.init_std == std


def trained(model, optimizer, steps=3):
    losses = []
    for step in range(steps):
        generator = torch.Generator().manual_seed(step)
        tokens = torch.randint(40, (4, 17), generator=generator)
        logits = model(tokens[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_at_the_base_a_plan_trains_as_the_plain_optimizer_does(nano_gpt):
    model = nano_gpt()
    twin = copy.deepcopy(model)
    plan = make_plan(
        model, base=model, learning_rate=0.01, weight_decay={"*": 0.1, "norm_gain": 0.1}
    )
    plan.initialise(model)
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True)
    )
    plain = torch.optim.AdamW(twin.parameters(), lr=0.01, weight_decay=0.1, fused=True)
    # All but the final gain decay here; give it the plain optimizer's decay too.
    whole = make_plan(model, base=model, learning_rate=0.01, weight_decay={"ln_*": 0.1, "*": 0.1})
    assert len(whole.groups(model)) == 1
    assert len(plan.groups(model)) == 2
    assert trained(model, whole.optimizer(model)) == trained(twin, plain)


def test_groups_are_plain_and_few(nano_gpt):
    plan = make_plan(
        nano_gpt(n_embd=64, n_layer=6),
        base={"n_embd": 32, "n_layer": 2},
        optimizer="muon-kimi",
        learning_rate=0.01,
        std=0.02,
    )
    model = nano_gpt(n_embd=64, n_layer=6)
    groups = plan.groups(model)
    assert all(
        set(group) <= {"params", "lr", "weight_decay", "eps", "companion"} for group in groups
    )
    assert sum(len(g["params"]) for g in groups) == len(list(model.parameters()))
    assert len(groups) == 5  # embeddings; gains; final gain; maps; last maps
    assert all(type(v) in (float, bool) for g in groups for k, v in g.items() if k != "params")
    assert [id(p) for g in plan.groups(model) for p in g["params"]] == [
        id(p) for g in groups for p in g["params"]
    ]
    frozen = model.transformer["wpe"].weight.requires_grad_(False)
    assert not any(p is frozen for g in plan.groups(model) for p in g["params"])


def test_a_plan_is_found_by_name_in_copies_and_compiled_models(nano_gpt):
    model = nano_gpt(n_embd=64)
    plan = make_plan(model, base=nano_gpt(n_embd=32), learning_rate=0.01)
    sizes = [len(g["params"]) for g in plan.groups(model)]
    for other in (copy.deepcopy(model), torch.compile(model)):
        assert [len(g["params"]) for g in plan.groups(other)] == sizes
    assert plan["_orig_mod.lm_head.weight"] is plan["transformer.wte.weight"]


def test_a_plan_is_written_and_read(nano_gpt):
    plan = make_plan(
        nano_gpt(n_embd=96, n_layer=6, n_head=12),
        base={"n_embd": 32, "n_layer": 2, "n_head": 4},
        optimizer="shampoo",
        learning_rate={"hidden": 0.1, "*": 0.01},
        std=0.02,
    )
    assert Plan.from_json(plan.to_json()) == plan
    with pytest.raises(ValueError, match="no plan"):
        Plan.from_json('{"parameters": {}}')


def test_base_values_by_role_and_by_name(nano_gpt):
    plan = make_plan(
        nano_gpt(),
        base=nano_gpt(),
        learning_rate={"wpe": 0.5, "hidden": 0.1, "*": 0.01},
        weight_decay=0.1,
        std={"c_attn": 0.3, "*": 0.02},
        epsilon=1e-16,
    )
    numbers = {e.pattern.removeprefix("transformer."): e for e in plan.values()}
    rates = {name: entry.learning_rate for name, entry in numbers.items()}
    assert (rates["wpe.weight"], rates["h.*.mlp.c_fc.weight"], rates["ln_f.weight"]) == (
        0.5,
        0.1,
        0.01,
    )
    # A plain decay or std is meant for matrices.
    gain = numbers["ln_f.weight"]
    assert (gain.weight_decay, gain.init_std) == (0.0, 1.0)
    assert numbers["h.*.attn.c_attn.weight"].init_std == 0.3
    assert numbers["wte.weight"].init_std == 0.02
    assert {entry.epsilon for entry in plan.values()} == {1e-16}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_bias_of_the_head_keeps_its_size_inside_the_readouts_bracket(residual, optimizer):
    """Logits = α_out·(W h + b): b must not shrink with α_out. Both gauges train alike."""

    class WithMultipliers(residual):
        def __init__(self, *sizes):
            super().__init__(*sizes)
            self.multipliers = {"hidden": 1.0, "output": 1.0}

        def forward(self, x):
            h = self.stem(x)
            for layer in self.layers:
                branch = layer["narrow"](F.relu(layer["widen"](layer["pre"](h))))
                h = h + self.multipliers["hidden"] * branch
            return self.multipliers["output"] * self.classes(self.last(h))

    losses = {}
    for gauge in ("forward", "folded"):
        model = WithMultipliers(32, 4).double()
        plan = make_plan(
            model,
            base=WithMultipliers(8, 2).double(),
            branch_ends=["narrow"],
            block_depth=2,
            optimizer=optimizer,
            gauge=gauge,
            learning_rate=0.01,
            weight_decay=0.1,
            std={"*": 0.3, "input_bias": 0.3, "hidden_bias": 0.3},
        )
        step = plan.optimizer(plan.initialise(model, seed=0))
        losses[gauge] = []
        for _ in range(4):
            x = torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(4, 6)
            loss = F.cross_entropy(model(x), torch.tensor([0, 1, 2, 3]))
            step.zero_grad()
            loss.backward()
            step.step()
            losses[gauge].append(loss.item())
    assert losses["folded"] == pytest.approx(losses["forward"], rel=1e-9)
    assert losses["forward"][3] != pytest.approx(losses["forward"][0], rel=1e-3)


@pytest.mark.parametrize("optimizer", sorted(LAWS))
def test_the_plan_says_how_exact_its_gauge_is(optimizer):
    plan = make_plan(gpt(16, 2), base=gpt(8, 2), optimizer=optimizer)
    said = next(n for n in plan.notes if n.startswith(f"Gauge forward, {LAWS[optimizer].title}:"))
    assert gauge_change(LAWS[optimizer]).text() in said
    exact = optimizer not in ("sophia", "lamb", "lamb-clamped")
    assert (gauge_change(LAWS[optimizer]).inexact is None) == exact


def test_powers_of_a_change_of_gauge():
    changes = {name: gauge_change(law) for name, law in LAWS.items()}
    found = {name: (change.rate, change.epsilon) for name, change in changes.items()}
    assert found["sgd"] == (2, None)
    assert found["adamw"] == found["adopt"] == found["soap"] == (1, 1)
    assert (
        found["lion"] == found["muon"] == found["muon-kimi"] == found["muon-original"] == (1, None)
    )
    assert found["sophia"] == found["shampoo"] == (1, 2)
    # Their steps are of the weight's own size: LAMB's trust ratio, the radius of SSO's sphere.
    assert found["lamb"] == (0, 1)
    assert found["sso"] == (0, None)
