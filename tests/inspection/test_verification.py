"""Faulty plans are caught by what the forward pass does, under whatever names it does it."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from specmup.inspection import inspection
from specmup.parametrization.plan import make_plan

V, T = 12, 6


class Scale(nn.Module):
    """RMS normalisation with a gain of any name, kept as it is or as its difference from one."""

    def __init__(self, width, offset=0.0, name="amplitude"):
        super().__init__()
        self.offset, self.name = offset, name
        self.register_parameter(name, nn.Parameter(torch.full((width,), 1 - offset)))

    def forward(self, x):
        gain = self.offset + getattr(self, self.name) if self.offset else getattr(self, self.name)
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * gain


class Mixer(nn.Module):
    """Attention over what came before, in two maps whose names say nothing."""

    def __init__(self, width, scale, heads):
        super().__init__()
        self.scale, self.heads = scale, heads
        self.reads, self.writes = (nn.Linear(width, n, bias=False) for n in (3 * width, width))

    def forward(self, x):
        q, k, v = (
            t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in self.reads(x).chunk(3, -1)
        )
        mixed = (q @ k.mT * self.scale).softmax(-1) @ v
        return self.writes(mixed.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    def __init__(self, width, index, depth, options):
        super().__init__()
        o = self.o = options
        self.mix = Mixer(
            width, o["attention"](width) / (index + 1 if o["by_layer"] else 1), o["heads"](width)
        )
        self.wide, self.back = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.one, self.two = (Scale(width, o["offset"]) for _ in "ab")
        if o["norm"] == "sandwich":
            self.three, self.four = (Scale(width, o["offset"]) for _ in "ab")
        self.residual = o["residual"](depth, index)

    def forward(self, h):
        alpha, a = self.residual, self.o["skip"]
        if self.o["norm"] == "post":
            h = self.one(a * h + alpha * self.mix(h))
            return self.two(a * h + alpha * self.back(F.gelu(self.wide(h))))
        mixed = self.mix(self.one(h))
        h = a * h + alpha * (self.three(mixed) if self.o["norm"] == "sandwich" else mixed)
        out = self.back(F.gelu(self.wide(self.two(h))))
        return a * h + alpha * (self.four(out) if self.o["norm"] == "sandwich" else out)


DEFAULTS = {
    "attention": lambda width: 0.5,
    "heads": lambda width: width // 16,
    "by_layer": False,
    "norm": "pre",
    "offset": 0.0,
    "residual": lambda depth, index: 1.0,
    "skip": 1.0,
    "embedding": lambda width: 1.0,
    "logits": lambda width: 1.0,
    "repeats": None,
    "tied": False,
}


class Net(nn.Module):
    """A language model with whatever habit of the forward pass a test asks for."""

    def __init__(self, width, depth, **options):
        super().__init__()
        torch.manual_seed(0)
        self.o = DEFAULTS | options
        self.words = nn.Embedding(V, width)
        self.factor, self.shrink = self.o["embedding"](width), self.o["logits"](width)
        own = 2 if self.o["repeats"] else depth
        self.passes = self.o["repeats"](depth) if self.o["repeats"] else 1
        self.body = nn.ModuleList(Layer(width, i, depth, self.o) for i in range(own))
        self.end = Scale(width, self.o["offset"])
        self.speak = nn.Linear(width, V, bias=False)
        if self.o["tied"]:
            self.speak.weight = self.words.weight

    def forward(self, tokens):
        h = self.words(tokens) * self.factor
        for _ in range(self.passes):
            for layer in self.body:
                h = layer(h)
        return self.speak(self.end(h)) * self.shrink


ENDS = ["writes", "back"]
PLACES = {"end": "final_norm"}
BLIND = PLACES | {"one": "branch_norm", "two": "branch_norm"}  # what a trace tells otherwise


def planned(target=(64, 8), base=(16, 2), *, ends=ENDS, places=None, **options):
    options, own = {k: v for k, v in options.items() if k in DEFAULTS}, options
    told = {k: v for k, v in own.items() if k not in DEFAULTS}
    return make_plan(
        Net(*target, **options),
        base=Net(*base, **options),
        learning_rate=1.0,
        std=0.1,
        branch_ends=ends,
        block_depth=2,
        places=PLACES | (places or {}),
        **told,
    )


def factors(plan, name):
    factors = plan[name].factors
    return factors.init_std, factors.learning_rate


CLEAN = planned()


def about_the_forward_pass(plan):
    return [note for note in plan.notes if note not in CLEAN.notes]


def test_a_clean_model_passes_unnoted():
    assert not any(
        word in note for note in CLEAN.notes for word in ("forward pass", "stream itself")
    )
    blind = planned(verify=False, places=BLIND)
    assert [e.factors for e in CLEAN.entries] == [e.factors for e in blind.entries]


@pytest.mark.parametrize(
    ("attention", "noted"),
    [(lambda width: width**-0.5, True), (lambda width: 4 / width, False)],
)
def test_larger_heads_are_noted_unless_their_logits_shrink_by_the_inverse(attention, noted):
    plan = planned(heads=lambda width: 1, attention=attention)
    told = [note for note in plan.notes if "dimension of a head changes, 16 → 64" in note]
    assert len(told) == noted


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(
    ("residual", "logits", "embedding"),
    [
        (lambda depth, _: 2 / depth, lambda width: 1.0, lambda width: 1.0),
        (lambda depth, _: depth**-0.5, lambda width: 16 / width, lambda width: 1.0),
        (lambda depth, _: 0.3, lambda width: 0.3, lambda width: width**0.5),
        (lambda depth, _: 1.0, lambda width: width**-0.5, lambda width: width**0.5),
    ],
)
def test_own_multipliers_times_the_plans_are_what_the_solver_asks(
    residual, logits, embedding, tied
):
    """A, A2: the same function, and the same updates of what each parameter gives."""
    plan = planned(residual=residual, logits=logits, embedding=embedding, tied=tied)
    clean = planned(tied=tied)
    own_branch = residual(8, 0) / residual(2, 0)
    own_input = embedding(64) / embedding(16)
    own_logits = logits(64) / logits(16)
    for name in ("body.0.mix.writes.weight", "body.7.back.weight", "body.3.back.bias"):
        for mine, right in zip(factors(plan, name), factors(clean, name), strict=True):
            assert mine * own_branch == pytest.approx(right)
    both = factors(plan, "words.weight"), factors(clean, "words.weight")
    for mine, right in zip(*both, strict=True):
        assert mine * own_input == pytest.approx(right)
    ends = ["words.weight", "end.amplitude"] if tied else ["speak.weight"]

    def readout(of):
        return [factors(of, name)[1] for name in ends]

    product = torch.tensor(readout(plan)).prod() * own_logits
    assert float(product) == pytest.approx(float(torch.tensor(readout(clean)).prod()))


def test_multipliers_that_stay_are_passed_over():
    plan = planned(residual=lambda *_: 0.22, embedding=lambda _: 12.0, logits=lambda _: 0.1)
    assert not about_the_forward_pass(plan)
    assert plan.entries == CLEAN.entries


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"residual": lambda _, index: (index + 1) ** -0.5}, "block to block"),
        ({"by_layer": True}, "attention logits .* body.7.mix"),
        ({"skip": 0.9}, "stream itself is multiplied by 0.9"),
        ({"repeats": lambda depth: depth // 2}, "applied 4 times in a row, in the base 1 times"),
    ],
)
def test_what_cannot_be_counted_in_is_refused(options, match):
    """A, L."""
    with pytest.raises(ValueError, match=match):
        planned(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"residual": lambda _, index: (index + 1) ** -0.5},
        {"by_layer": True},
        {"skip": 0.9},
        {"repeats": lambda depth: 3},
    ],
)
def test_it_is_no_matter_where_only_the_width_grows(options):
    plan = planned((64, 2), (16, 2), **options)
    assert not about_the_forward_pass(plan) or "repeats" in options


@pytest.mark.parametrize("name", ["three", "four"])
def test_a_branch_that_ends_in_a_normalisation_has_its_multiplier_there(name):
    """B."""
    with pytest.raises(ValueError, match=rf"body.*{name}.amplitude.*behind a normalisation"):
        planned(norm="sandwich", ends=[*ENDS, *({"three", "four"} - {name})])
    plan = planned(norm="sandwich", ends=["three", "four"], places={}, offset=0.0)
    assert factors(plan, f"body.0.{name}.amplitude") == (0.25, 0.25)


@pytest.mark.parametrize("forgotten", ENDS)
def test_a_forgotten_branch_end_is_named(forgotten):
    """D."""
    kept = [end for end in ENDS if end != forgotten]
    with pytest.raises(ValueError, match=rf"{forgotten}\.weight is the last .* branch_ends="):
        planned(ends=kept)
    assert planned((64, 2), (16, 2), ends=kept)  # where the depth stays it changes nothing


def test_what_is_declared_by_name_counts_and_is_noted():
    plan = planned(ends=["back"], places={"body.*.mix.writes.weight": "branch"})
    assert plan["body.0.mix.writes.weight"].place == "branch"
    assert any("planned so, as places declares" in note for note in about_the_forward_pass(plan))


@pytest.mark.parametrize("offset", [1.0, 0.5, -1.0])
def test_gains_kept_as_a_difference_hold_their_factor_all_the_same(offset):
    """C: whatever they are called."""
    options = {"norm": "sandwich", "offset": offset, "tied": True}
    plan = planned(ends=["three", "four"], **options)
    model = Net(64, 8, **DEFAULTS | options)
    for seed in (0, None, None):
        plan.initialise(model, seed=seed)
        assert torch.allclose(offset + model.body[3].four.amplitude, torch.tensor(0.25))
        assert torch.allclose(offset + model.end.amplitude, torch.tensor(0.25))
        assert torch.allclose(offset + model.body[3].one.amplitude, torch.tensor(1.0))


def test_normalisations_of_the_stream_move_as_little_as_what_is_added():
    """E."""
    plan = planned(norm="post")
    assert factors(plan, "body.0.one.amplitude") == (1.0, 0.25)
    assert factors(plan, "body.0.mix.writes.weight") == factors(CLEAN, "body.0.mix.writes.weight")
    assert any("on the stream itself" in note for note in about_the_forward_pass(plan))


def test_a_factor_on_a_stream_that_is_normalised_is_one_on_the_branch():
    """As in DeepNorm: h = norm(a·h + f(h)) with a of the depth."""
    plan = planned(norm="post", residual=lambda depth, _: 2 / depth)
    assert factors(plan, "body.0.back.weight")[1] == 4 * factors(CLEAN, "body.0.back.weight")[1]


class Bank(nn.Module):
    """Maps kept in one bare tensor of either layout, whose inner width stays."""

    def __init__(self, width, inner, *, into_first):
        super().__init__()
        shapes = ((3, width, inner), (3, inner, width))
        shapes = shapes if into_first else [(e, b, a) for e, a, b in shapes]
        self.fill, self.pour = (nn.Parameter(0.1 * torch.randn(shape)) for shape in shapes)
        self.into_first = into_first

    def forward(self, x):
        fill, pour = (self.fill, self.pour) if self.into_first else (self.fill.mT, self.pour.mT)
        return torch.einsum(
            "eti,eio->to", F.relu(torch.einsum("ti,eio->eto", x.flatten(0, -2), fill)), pour
        ).view_as(x)


class Banks(nn.Module):
    def __init__(self, width, depth, *, into_first, inner=24):
        super().__init__()
        self.words, self.speak = nn.Embedding(V, width), nn.Linear(width, V, bias=False)
        self.body = nn.ModuleList(Bank(width, inner, into_first=into_first) for _ in range(depth))

    def forward(self, tokens):
        h = self.words(tokens)
        for bank in self.body:
            h = h + bank(h)
        return self.speak(h)


@pytest.mark.parametrize("into_first", [True, False])
def test_the_layout_of_bare_tensors_is_seen(into_first):
    """G: the same rates for the same map, however it is stored."""
    plan = make_plan(
        Banks(64, 4, into_first=into_first),
        base=Banks(16, 4, into_first=into_first),
        learning_rate=1.0,
        branch_ends=["pour"],
        places={"fill": "branch"},
        block_depth=2,
    )
    assert plan["body.0.fill"].factors.learning_rate == pytest.approx(0.25)  # from a wider stream
    assert plan["body.0.pour"].factors.learning_rate == pytest.approx(1.0)
    # The sum is over all of three times 24 entries.
    assert (plan["body.0.pour"].fan_out, plan["body.0.pour"].fan_in) == (64, 72)


class Asks(Net):
    def forward(self, tokens, *, temperature):
        return super().forward(tokens) / temperature


def test_a_model_that_does_not_run_is_planned_with_a_note_and_an_example_helps():
    def plan(**more):
        declared = {"branch_ends": ["back"], "places": BLIND, "block_depth": 2}
        return make_plan(Asks(64, 8), base=Asks(16, 2), **declared, **more)

    assert "held against the forward pass" in plan().notes[0] and "example=" in plan().notes[0]
    with pytest.raises(ValueError, match="writes"):
        plan(example={"tokens": torch.zeros(1, 3, dtype=torch.long), "temperature": 2.0})


class Ends(Net):
    def forward(self, tokens):
        raise RuntimeError("as torch says it, with a full stop.")


def test_what_a_pass_raises_ends_as_a_sentence():
    declared = {"branch_ends": ["back"], "places": BLIND, "block_depth": 2}
    note = make_plan(Ends(64, 8), base=Ends(16, 2), **declared).notes[0]
    assert "with a full stop. Give make_plan an input" in note


class Adapted(nn.Module):
    """A map, and beside it two in a row."""

    def __init__(self, width):
        super().__init__()
        self.main = nn.Linear(width, width, bias=False)
        self.down, self.up = (nn.Linear(width, width, bias=False) for _ in "ab")

    def forward(self, x):
        return self.main(x) + 2 * self.up(self.down(x))


class Adapters(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.words, self.speak = nn.Embedding(V, width), nn.Linear(width, V, bias=False)
        self.body = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.GELU(), Adapted(width)) for _ in range(depth)
        )

    def forward(self, tokens):
        h = self.words(tokens)
        for block in self.body:
            h = h + block(h)
        return self.speak(h)


@pytest.mark.parametrize(
    ("ends", "fault"),
    [
        (["2.main", "2.up"], None),
        (["2.main", "2.down"], None),  # it may stand on either of two maps in a row
        (["body.*.2"], r"holds 3 matrices.*count 3 times"),
        (["2.main"], r"up\.weight is the last that acts"),
        (["2.up", "2.down"], r"main\.weight is the last that acts.*follow one another"),
    ],
)
def test_maps_in_a_row_hold_the_multiplier_once(ends, fault):
    """J."""

    def plan():
        return make_plan(Adapters(64, 8), base=Adapters(16, 2), branch_ends=ends, block_depth=2)

    if fault is None:
        assert plan()
    else:
        with pytest.raises(ValueError, match=fault):
            plan()


def test_a_word_on_one_of_two_maps_in_a_row_is_no_word_on_the_other():
    def plan(**places):
        words = {"branch_ends": ["2.main"], "block_depth": 2, "places": places}
        return make_plan(Adapters(64, 8), base=Adapters(16, 2), **words)

    with pytest.raises(ValueError, match=r"up\.weight is the last that acts"):
        plan(down="branch")
    assert any(
        "planned so, as places declares it" in note
        for note in plan(down="branch", up="branch").notes
    )


def test_what_is_too_long_to_be_looked_at_unasked_is_noted_and_an_example_asks(monkeypatch):
    """Its own 1/L is then counted, and else taken for none."""
    monkeypatch.setattr(inspection, "CHEAP", 66)  # and the model has 67

    def plan(**more):
        return planned(residual=lambda depth, _: 1 / depth, places=BLIND, **more)

    blind = plan()
    assert "67 tensors" in blind.notes[0] and "verify=True" in blind.notes[0]
    assert blind.notes[1:] == plan(verify=False).notes
    clean = factors(CLEAN, "body.0.back.weight")
    assert factors(blind, "body.0.back.weight") == clean
    tokens = torch.zeros(1, T, dtype=torch.long)
    for seen in (plan(example=tokens), plan(verify=True)):
        assert factors(seen, "body.0.back.weight") == tuple(4 * one for one in clean)
        assert not any("67 tensors" in note for note in seen.notes)
