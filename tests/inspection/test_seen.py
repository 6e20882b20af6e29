"""What the forward pass alone tells: of models whose names, classes and shapes would mislead."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from specmup.inspection.questions import Undeclared
from specmup.parametrization.plan import make_plan

V, T, HEAD = 12, 5, 4


class Stack(nn.Module):
    """Blocks of one kind between a table and a head."""

    def __init__(self, block, width, depth, tied=False):
        super().__init__()
        self.words = nn.Embedding(V, width)
        self.body = nn.ModuleList(block(width) for _ in range(depth))
        self.end = nn.RMSNorm(width)
        self.speak = nn.Linear(width, V, bias=False)
        if tied:
            self.speak.weight = self.words.weight

    def forward(self, tokens):
        h = self.words(tokens)
        for block in self.body:
            h = block(h)
        return self.speak(self.end(h))


def planned(block, *, kind=Stack, example=None, told=None, **options):
    """Four times as wide and four times as deep, by AdamW."""
    model, base = (kind(block, *sizes, **options) for sizes in ((64, 8), (16, 2)))
    return make_plan(model, base=base, learning_rate=1.0, example=example, **told or {})


def numbers(plan, name):
    found = plan[f"body.3.{name}"].factors
    return found.init_std, found.learning_rate


class OneMap(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.map = nn.Linear(width, width, bias=False)

    def forward(self, h):
        return h + F.relu(self.map(h))


def test_the_table_in_front_is_no_map_of_the_first_branch():
    """With k = 1: 1/√r_L before the branch, and as much again in the rate."""
    plan = planned(OneMap)
    assert plan.block_depth == 1
    assert numbers(plan, "map.weight") == (1 / 2 / 2, 1 / 4 / 4)


def beside(h, f, c):
    """Ways to write h + c·f, and some in place."""
    return {
        "plain": lambda: h + f * c,
        "minus": lambda: h - f * c,
        "add": lambda: torch.add(h, f, alpha=c),
        "sub": lambda: torch.sub(h, f, alpha=c),
        "add_": lambda: h.clone().add_(f, alpha=c),
        "sub_": lambda: h.clone().sub_(f, alpha=c),
        "rsub": lambda: torch.rsub(f, h, alpha=c),
        "addcmul": lambda: torch.addcmul(h, f, torch.tensor(2.0), value=c / 2),
    }


class Written(Stack):
    """The sum of a branch and the stream in words of a caller's choice."""

    words_of_sum = "plain"

    def forward(self, tokens):
        h, c = self.words(tokens), 1 / len(self.body)
        for block in self.body:
            h = beside(h, F.relu(block.map(h)), c)[self.words_of_sum]()
        return self.speak(self.end(h))


@pytest.mark.parametrize("word", beside(None, None, None))
def test_a_branch_is_multiplied_in_whatever_words_it_is_added(word):
    plain, plan = (
        planned(OneMap, kind=type("Said", (Written,), {"words_of_sum": told}))
        for told in ("plain", word)
    )
    assert [e.factors for e in plan.entries] == [e.factors for e in plain.entries]
    assert plan.notes == plain.notes
    assert numbers(plan, "map.weight") == (4 / 2 / 2, 4 / 4 / 4)  # f/L holds 1/r_L = 1/4 already


class Shrunk(Stack):
    def forward(self, tokens):
        h = self.words(tokens)
        for block in self.body:
            h = self.added(h, F.relu(block.map(h)))
        return self.speak(self.end(h))


@pytest.mark.parametrize(
    "added",
    [
        lambda h, f: f + 0.7 * h,
        lambda h, f: torch.add(f, h, alpha=0.7),
        lambda h, f: h + 0.3 * (f - h),
        lambda h, f: torch.lerp(h, f, 0.3),
        lambda h, f: h + (h + f),
        lambda h, f: h + torch.sigmoid(h) * (f - h),
    ],
)
def test_a_stream_that_is_multiplied_is_refused_in_whatever_words(added):
    kind = type("Said", (Shrunk,), {"added": staticmethod(added)})
    told = {"branch_ends": ["map"], "block_depth": 1}
    with pytest.raises(ValueError, match="the residual stream itself is multiplied by"):
        planned(OneMap, kind=kind, told=told)


class TwoMaps(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fill, self.pour = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def inner(self, h):
        return self.pour(F.relu(self.fill(h)))


class Gated(TwoMaps):
    """As ReZero has it: a number before each branch, of any shape."""

    shape: tuple[int, ...] = (1,)

    def __init__(self, width):
        super().__init__(width)
        self.opens = nn.Parameter(torch.zeros(self.shape))

    def forward(self, h):
        return h + self.opens * self.inner(h)


class GatedByAScalar(Gated):
    shape = ()


@pytest.mark.parametrize("block", [Gated, GatedByAScalar])
@pytest.mark.parametrize("tied", [False, True])
def test_a_number_before_a_branch_is_not_the_width_of_the_stream(block, tied):
    plan = planned(block, tied=tied)
    assert (plan.width.base, plan.width.target) == (16, 64)
    assert numbers(plan, "opens") == (1 / 4, 1 / 4)
    # The readout's 1/r_n stands in the head, and in the last gain where the head is the table.
    assert plan["end.weight"].factors.learning_rate == (1 / 4 if tied else 1)
    assert plan["speak.weight"].factors.learning_rate == (1 if tied else 1 / 4)


class Normed(TwoMaps):
    def __init__(self, width):
        super().__init__(width)
        self.last = nn.LayerNorm(width)

    def forward(self, h):
        return h + self.last(self.inner(h))


def test_gain_and_bias_of_a_normalisation_may_end_a_branch():
    plan = planned(Normed)
    assert numbers(plan, "last.weight") == numbers(plan, "last.bias") == (1 / 4, 1 / 4)
    assert numbers(plan, "pour.weight") == (1 / 2, 1 / 4)
    assert plan["body.0.pour.bias"].factors.folded == 1


class Convolutions(nn.Module):
    """As in ResNet: the sum goes through a non-linearity, and is the stream behind it."""

    def __init__(self, width):
        super().__init__()
        self.one, self.two = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in "ab")
        self.first, self.last = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

    def forward(self, h):
        return F.relu(h + self.last(self.two(F.relu(self.first(self.one(h))))))


class Images(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.Sequential(*(Convolutions(width) for _ in range(depth)))
        self.out = nn.Linear(width, 4)

    def forward(self, x):
        return self.out(self.body(self.stem(x)).mean((2, 3)))


def test_a_stream_may_go_through_a_non_linearity():
    plan = make_plan(Images(64, 8), base=Images(16, 2), learning_rate=1.0)
    assert numbers(plan, "last.weight") == numbers(plan, "last.bias") == (1 / 4, 1 / 4)
    assert numbers(plan, "two.weight") == numbers(plan, "one.weight") == (1 / 2, 1 / 4)
    assert plan["out.weight"].factors.learning_rate == 1 / 4


class Adapted(nn.Module):
    """A frozen map and two of low rank beside it, under names of its own."""

    def __init__(self, n_in, n_out, rank=4):
        super().__init__()
        self.own = nn.Linear(n_in, n_out, bias=False).requires_grad_(False)
        self.narrow = nn.Parameter(torch.randn(rank, n_in))
        self.widen = nn.Parameter(torch.zeros(n_out, rank))

    def forward(self, x):
        return self.own(x) + 2 * (x @ self.narrow.T @ self.widen.T)


class WithAdapters(TwoMaps):
    def __init__(self, width):
        super().__init__(width)
        self.fill, self.pour = Adapted(width, 2 * width), Adapted(2 * width, width)

    def forward(self, h):
        return h + self.inner(h)


def test_adapters_of_any_names_hold_the_factor_once():
    plan = planned(WithAdapters)
    assert numbers(plan, "pour.own.weight") == (1 / 2 / 4, 1 / 4 / 4)
    assert numbers(plan, "pour.narrow") == numbers(plan, "fill.narrow") == (1 / 4, 1 / 4)
    assert numbers(plan, "pour.widen") == (1 / 4, 1 / 4)
    assert numbers(plan, "fill.widen") == (1, 1)


class Attends(nn.Module):
    """Attention whose logits hold a bias that grows with the distance, one for all blocks."""

    bias = None

    def __init__(self, width):
        super().__init__()
        self.heads = width // HEAD
        self.reads, self.writes = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def queries(self, q):
        return q

    def forward(self, h):
        q, k, v = (
            t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in self.reads(h).chunk(3, -1)
        )
        scores = self.queries(q) @ k.mT + self.bias
        return h + self.writes((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


class Attending(Stack):
    def forward(self, tokens):
        heads = self.body[0].heads
        Attends.bias = torch.arange(T).expand(len(tokens), heads, T, -1) * 0.5
        return super().forward(tokens)


TOKENS = torch.zeros(2, T, dtype=torch.long)


def test_a_bias_of_attention_logits_is_no_stream():
    """Though the logits depend on it by way of the blocks before, as on ALiBi in Falcon."""
    plan = planned(Attends, kind=Attending, example=TOKENS)
    assert numbers(plan, "writes.weight") == (1 / 2 / 4, 1 / 4 / 4)
    assert numbers(plan, "reads.weight") == (1 / 2, 1 / 4)


class WithGains(Attends):
    """Queries are normalised, with a gain for each head and entry, as in Cohere."""

    def __init__(self, width):
        super().__init__(width)
        self.gain = nn.Parameter(torch.ones(self.heads, 1, HEAD))

    def queries(self, q):
        return F.normalize(q, dim=-1) * self.gain


def test_a_table_of_gains_acts_entry_by_entry():
    plan = planned(WithGains, kind=Attending, example=TOKENS)
    gain = plan["body.0.gain"]
    assert (gain.role, gain.start, numbers(plan, "gain")) == ("norm_gain", "constant", (1, 1))
    assert gain.factors.epsilon == 1 / 4 / 4  # the gradient of each entry falls with both


class Spectral(TwoMaps):
    """Maps that torch parametrises."""

    norm = staticmethod(nn.utils.parametrizations.spectral_norm)

    def __init__(self, width):
        super().__init__(width)
        self.fill, self.pour = self.norm(self.fill), self.norm(self.pour)

    def forward(self, h):
        return h + self.inner(h)


class Weighted(Spectral):
    norm = staticmethod(nn.utils.parametrizations.weight_norm)


def test_a_weight_that_is_divided_by_its_own_size_holds_no_factor():
    says = r"body\.0\.pour\.parametrizations\.weight\.original .*divides it by a size of its own"
    with pytest.raises(ValueError, match=says):
        planned(Spectral)


def test_of_a_length_and_a_direction_the_length_holds_the_factor():
    """Weight normalisation: what multiplies each row is a parameter of its own."""
    plan = planned(Weighted)
    length, direction = (f"pour.parametrizations.weight.original{n}" for n in (0, 1))
    assert numbers(plan, length) == (1 / 4, 1 / 4)
    assert numbers(plan, direction) == (1 / 2, 1 / 4)
    assert numbers(plan, length.replace("pour", "fill")) == (1, 1)


class Before(Weighted):
    """As torch had it before there were parametrisations."""

    norm = staticmethod(nn.utils.weight_norm)


class Columns(Weighted):
    norm = staticmethod(partial(Weighted.norm, dim=1))


class Whole(Weighted):
    norm = staticmethod(partial(Weighted.norm, dim=None))


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("block", "length"),
    [
        (Weighted, "parametrizations.weight.original0"),
        (Columns, "parametrizations.weight.original0"),
        (Before, "weight_g"),
    ],
)
def test_a_length_is_a_gain_which_no_optimizer_of_matrices_trains(block, length):
    told = {"optimizer": "muon", "weight_decay": 0.1}
    plan = planned(block, told=told)
    for name, share in (("fill", 1), ("pour", 1 / 4)):
        gain = plan[f"body.0.{name}.{length}"]
        assert (gain.role, gain.optimizer, gain.weight_decay) == ("norm_gain", "adamw", 0)
        assert (gain.fan_in, numbers(plan, f"{name}.{length}")) == (1, (share, share))
    assert any(f"fill.{length}" in note and "reaches the directions" in note for note in plan.notes)


def test_the_length_of_a_whole_matrix_grows_as_its_norm_does():
    """In torch's own start as well, which has the same size at every width."""
    plan, model = planned(Whole), Stack(Whole, 64, 8)
    name = "fill.parametrizations.weight.original0"
    assert numbers(plan, name) == (2, 2)
    own = model.get_parameter(f"body.3.{name}").item()
    assert plan[f"body.3.{name}"].init_std == pytest.approx(own, rel=0.1)
    assert numbers(plan, name.replace("fill", "pour")) == (2 / 4, 2 / 4)


class OneLength(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.map = Weighted.norm(nn.Linear(width, width, bias=False))

    def forward(self, h):
        return h + F.relu(self.map(h))


def test_a_length_is_no_map_of_its_branch_but_trained_beside_it():
    plan = planned(OneLength)
    assert plan.block_depth == 1
    assert any("original0 is trained, which makes a map of it" in note for note in plan.notes)


def test_of_lengths_of_a_head_there_is_no_rule():
    def headed(width):
        model = Stack(TwoMaps, width, 2)
        Weighted.norm(model.speak)
        return model

    told = {"places": {"speak.parametrizations.weight.original1": "head"}}
    with pytest.raises(ValueError, match="original0 holds the lengths of a head's rows"):
        make_plan(headed(64), base=headed(16), **told)


def test_where_no_start_is_seen_that_of_a_length_is_not_known():
    with torch.device("meta"):
        base = Stack(Weighted, 16, 2)
    plan = make_plan(Stack(Weighted, 64, 2), base=base, std=0.1)
    with pytest.raises(ValueError, match=r"initial size of .*original0 is not known"):
        plan.initialise(Stack(Weighted, 64, 2))


class Distances(nn.Module):
    """One table of distances, from which each block makes keys by a map of its own."""

    def __init__(self, width, depth):
        super().__init__()
        self.words, self.far = nn.Embedding(V, width), nn.Embedding(T, width)
        self.body = nn.ModuleList(Relative(width) for _ in range(depth))
        self.speak = nn.Linear(width, V, bias=False)

    def forward(self, tokens):
        h = self.words(tokens)
        for block in self.body:
            h = block(h, self.far.weight)
        return self.speak(h)


class Relative(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.asks, self.tells, self.writes = (nn.Linear(width, width) for _ in "abc")

    def forward(self, h, far):
        scores = (self.asks(h) @ self.tells(far).T).softmax(-1)
        return h + self.writes(scores @ self.tells(far))


def test_a_table_of_which_each_block_makes_its_own_is_no_repetition():
    """As DeBERTa has it. Its L gradients of 1/(n L) add up as those of a table in front."""
    base, model = (Distances(*sizes) for sizes in ((16, 2), (64, 8)))
    far = make_plan(model, base=base, learning_rate=1.0)["far.weight"]
    assert far.role == "input"
    assert (far.factors.init_std, far.factors.learning_rate, far.factors.epsilon) == (1, 1, 1 / 4)


class TwoStages(nn.Module):
    """As in Swin and ConvNeXt: a second stream, twice as wide, that begins in the first."""

    def __init__(self, width, depth):
        super().__init__()
        self.words, self.wider = nn.Embedding(V, width), nn.Linear(width, 2 * width)
        self.low, self.high = (
            nn.ModuleList(WithGains(n) for _ in range(depth)) for n in (width, 2 * width)
        )
        self.speak = nn.Linear(2 * width, V)

    def forward(self, tokens):
        h = self.words(tokens)
        for stage in (self.low, self.high):
            for block in stage:
                block.bias = 0.0
                h = block(h)
            h = self.wider(h) if stage is self.low else h
        return self.speak(h)


def test_blocks_before_a_second_stream_are_seen_as_those_of_it():
    base, model = (TwoStages(*sizes) for sizes in ((16, 2), (64, 8)))
    plan = make_plan(model, base=base, learning_rate=1.0, example=TOKENS)
    for stage in ("low", "high"):
        assert plan[f"{stage}.3.gain"].role == "norm_gain"
        assert plan[f"{stage}.3.writes.weight"].factors.folded == 1 / 4
    assert plan["wider.weight"].factors.folded == 1


class Unused(Stack):
    """Another head, which reads no stream and is not reached, as in ESM."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.contacts = nn.Linear(self.words.weight.shape[1], 1)


def test_a_head_that_is_not_reached_is_divided_by_nobody():
    plan = planned(OneMap, kind=Unused, tied=True)
    assert plan["end.weight"].factors.folded == 1 / 4
    assert any("contacts" in note and "not reached" in note for note in plan.notes)


def test_what_is_asked_for_says_why_the_pass_did_not_answer():
    class Odd(Distances):
        def forward(self, videos):
            raise RuntimeError("five dimensions, please")

    with pytest.raises(Undeclared, match=r"five dimensions, please.*example=") as asked:
        make_plan(Odd(64, 8), base=Odd(16, 2))
    assert asked.value.proposal.branch_ends


def test_one_tensor_may_be_given_for_several_arguments():
    """As tokens and labels are, or the two sides of an encoder and a decoder."""

    class Sides(Stack):
        def forward(self, tokens, others):
            side = self.words(tokens)
            return super().forward(others) + self.speak(side)

    plan = planned(OneMap, kind=Sides, example=(TOKENS, TOKENS))
    assert numbers(plan, "map.weight") == (1 / 2 / 2, 1 / 4 / 4)


class InParts(TwoMaps):
    """As in TimeSformer: first and other tokens take their own way, and are joined and added."""

    def forward(self, h):
        first, others = h[:, :1], h[:, 1:]
        added = self.inner(torch.cat([first, others], 1))
        more = torch.cat([added[:, :1].mean(1, keepdim=True), added[:, 1:]], 1)
        return torch.cat([first, others], 1) + more


def test_a_stream_may_be_taken_apart_and_joined():
    plan = planned(InParts)
    assert numbers(plan, "pour.weight") == (1 / 2 / 4, 1 / 4 / 4)
    assert numbers(plan, "fill.weight") == (1 / 2, 1 / 4)
