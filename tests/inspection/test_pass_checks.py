"""What a forward pass does besides the usual: planned where a plan counts it, else refused."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from specmup.parametrization.plan import make_plan

V = 12


class Scaled(nn.Module):
    """A block that adds a branch to the stream; the stream has a gain and an offset of its own."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 2 * width, bias=False)
        self.back = nn.Linear(2 * width, width, bias=False)
        self.keeps, self.shifts = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, h):
        return (h + self.shifts) * self.keeps + self.back(F.gelu(self.wide(self.norm(h))))


class Remembering(nn.Module):
    """A block that hands a state of its own on to the next, to which it adds."""

    def __init__(self, width):
        super().__init__()
        self.norm, self.inner = nn.LayerNorm(width), nn.LayerNorm(width)
        self.notes = nn.Linear(width, width, bias=False)
        self.wide = nn.Linear(width, width, bias=False)
        self.back = nn.Linear(width, width, bias=False)

    def forward(self, h, state):
        seen = self.norm(h)
        state = self.notes(seen) if state is None else state + self.notes(seen)
        return h + self.back(F.gelu(self.wide(seen)) * self.inner(state)), state


class Net(nn.Module):
    """A language model of either kind of block."""

    def __init__(self, width, depth, block=Scaled):
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(V, width)
        self.blocks = nn.ModuleList(block(width) for _ in range(depth))
        self.end, self.speak = nn.LayerNorm(width), nn.Linear(width, V, bias=False)

    def forward(self, tokens):
        h, state = self.words(tokens), None
        for block in self.blocks:
            if isinstance(block, Remembering):
                h, state = block(h, state)
            else:
                h = block(h)
        return self.speak(self.end(h))


class Nested(Net):
    """Blocks that stand, all of them, in one branch of another stream."""

    def forward(self, tokens):
        h = start = self.words(tokens)
        for block in self.blocks:
            h = block(h)
        return self.speak(self.end(start + F.layer_norm(h, h.shape[-1:])))


class Beside(Net):
    """Words are read beside a sound of a size that stays, by one map or by one map for each."""

    def __init__(self, width, depth, *, apart=False):
        super().__init__(width, depth)
        self.sounds, self.apart = nn.Embedding(V, 20), apart
        if apart:
            self.of_words = nn.Linear(width, width, bias=False)
            self.of_sounds = nn.Linear(20, width, bias=False)
        else:
            self.of_both = nn.Linear(width + 20, width, bias=False)

    def forward(self, tokens):
        one, other = self.words(tokens), self.sounds(tokens)
        if self.apart:
            h = self.of_words(one) + self.of_sounds(other)
        else:
            h = self.of_both(torch.cat([one, other], -1))
        for block in self.blocks:
            h = block(h)
        return self.speak(self.end(h))


class Narrowed(Net):
    """A head in two maps, with a normalisation between them."""

    def __init__(self, width, depth, inner):
        super().__init__(width, depth)
        self.narrow, self.again = nn.Linear(width, inner(width)), nn.LayerNorm(inner(width))
        self.speak = nn.Linear(inner(width), V)

    def forward(self, tokens):
        h = self.words(tokens)
        for block in self.blocks:
            h = block(h)
        return self.speak(self.again(F.gelu(self.narrow(self.end(h)))))


def planned(kind, target=(64, 8), base=(16, 2), **options):
    made, small = kind(*target, **options), kind(*base, **options)
    return make_plan(made, base=small, learning_rate=1.0, std=0.1, block_depth=2, verify=True)


def test_what_acts_on_the_stream_itself_learns_as_slowly_as_what_is_added():
    plan = planned(Net)
    assert plan["blocks.3.back.weight"].place == "branch_end"
    assert plan["blocks.3.back.weight"].factors.learning_rate == pytest.approx(1 / 4 / 4)
    for name in ("keeps", "shifts"):
        entry = plan[f"blocks.3.{name}"]
        assert (entry.place, entry.factors.learning_rate) == ("stream_norm", pytest.approx(1 / 4))
    assert plan["blocks.3.norm.weight"].factors.learning_rate == 1.0


def test_a_second_stream_has_ends_as_well_though_the_first_block_begins_it():
    plan = planned(Net, block=Remembering)
    assert plan.width.ratio == 4
    ends = {e.pattern for e in plan.entries if e.place == "branch_end"}
    assert ends == {"blocks.*.notes.weight", "blocks.*.back.weight"}


def test_a_growing_stream_within_a_branch_is_refused_and_one_that_stays_is_not():
    with pytest.raises(ValueError, match=r"8 additions, in the base with 2: .* as many blocks"):
        make_nested((16, 8), (16, 2))
    assert make_nested((64, 2), (16, 2)).width.ratio == 4


def make_nested(target, base):
    places = {"back": "branch_end", "end": "final_norm"}
    one, other = Nested(*target), Nested(*base)
    return make_plan(
        one, base=other, learning_rate=1.0, std=0.1, block_depth=2, places=places, verify=True
    )


def test_one_map_of_what_grows_and_what_stays_is_refused_and_two_are_planned():
    with pytest.raises(ValueError, match=r"of_both.weight reads things of 64 \+ 20 .* 16 \+ 20"):
        planned(Beside)
    plan = planned(Beside, apart=True)
    # What a map learns grows with what it reads: one rate for both cannot be right.
    rates = [plan[f"of_{one}.weight"].factors.learning_rate for one in ("words", "sounds")]
    assert rates == pytest.approx([1 / 4, 1.0])


def test_a_head_that_a_normalisation_follows_is_refused_unless_what_it_gives_grows():
    with pytest.raises(ValueError, match=r"narrow.weight leads from 64 to 24 entries that"):
        planned(Narrowed, inner=lambda width: 24)
    plan = planned(Narrowed, inner=lambda width: width)
    assert plan["speak.weight"].place == "head"
    assert plan["narrow.weight"].place == "branch"


class Again(Net):
    """All blocks, run twice."""

    def forward(self, tokens):
        h = self.words(tokens)
        for block in (*self.blocks, *self.blocks):
            h = block(h)
        return self.speak(self.end(h))


def test_more_blocks_that_are_run_as_often_as_the_bases_are_no_repetition():
    assert planned(Again).depth.ratio == 4


def test_a_place_that_the_pass_contradicts_is_planned_as_declared_and_noted():
    class Plain(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.words = nn.Embedding(12, width)
            self.body = nn.ModuleList(Maps(width) for _ in range(2))
            self.speak = nn.Linear(width, 12, bias=False)

        def forward(self, tokens):
            h = self.words(tokens)
            for maps in self.body:
                h = h + maps(h)
            return self.speak(h)

    class Maps(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.wide, self.back = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

        def forward(self, h):
            return self.back(torch.relu(self.wide(h)))

    def notes(place):
        plan = make_plan(Plain(32), base=Plain(16), verify=True, places={"speak": place})
        assert plan["speak.weight"].place == place
        return [note for note in plan.notes if "seen to stand" in note]

    assert notes("head") == []
    assert notes("embedding") == [
        "speak.weight: seen to stand as head, and planned as declared, as embedding."
    ]


class Branch(nn.Module):
    """Two maps of what enters, and a gate for a block that wants one."""

    def __init__(self, width):
        super().__init__()
        self.wide, self.back = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.gate = nn.Linear(width, width)

    def forward(self, h):
        return self.back(F.relu(self.wide(h))), torch.sigmoid(self.gate(h))


class Joined(Net):
    """What a block gives takes the place of the stream, or part of it."""

    def __init__(self, width, depth, join):
        super().__init__(width, depth, Branch)
        self.join = join

    def forward(self, tokens):
        h = self.words(tokens)
        for block in self.blocks:
            h = self.join(h, *block(h))
        return self.speak(self.end(h))


OTHER_DEPTH = {
    "in a row": lambda h, f, t: F.relu(f) * t,
    "highway": lambda h, f, t: h * (1 - t) + t * f,
    "mean": lambda h, f, t: torch.stack([h, f * t]).mean(0),
}


def joined(join, base=(16, 2), **told):
    return make_plan(Joined(64, 8, join), base=Joined(*base, join), learning_rate=1.0, **told)


@pytest.mark.parametrize("name", OTHER_DEPTH)
def test_blocks_that_add_to_no_stream_are_refused_before_anything_is_proposed(name):
    told = {"branch_ends": ["back"], "block_depth": 2}
    for declared in ({}, told):
        with pytest.raises(ValueError, match=r"number of blocks grows.*write the.*x \+ f\(x\)"):
            joined(OTHER_DEPTH[name], **declared)
    assert joined(OTHER_DEPTH[name], **told, verify=False)  # by names alone
    assert joined(OTHER_DEPTH[name], base=(16, 8))  # as many blocks: the depth is no matter


@pytest.mark.parametrize(
    ("join", "match"),
    [
        (lambda h, f, t: h + F.gelu(f), "comes out of gelu"),
        (lambda h, f, t: h + torch.tanh(f), "comes out of tanh"),
        (lambda h, f, t: h + F.layer_norm(f, f.shape[-1:]), "comes out of norm"),
        (lambda h, f, t: h + t * h, "comes out of product"),
        (lambda h, f, t: h + f + F.gelu(f), "comes out of gelu"),
        (lambda h, f, t: torch.lerp(h, f, t), "stream itself is multiplied by an unknown number"),
    ],
)
def test_what_no_declaration_would_put_right_is_said_before_one_is_proposed(join, match):
    told = {"branch_ends": ["back"], "block_depth": 2}
    messages = set()
    for declared in ({}, told):
        with pytest.raises(ValueError, match=match) as caught:
            joined(join, **declared)
        messages.add(str(caught.value))
    assert len(messages) == 1


class Halved(Net):
    """The stream is divided by two in front of every fourth block."""

    def forward(self, tokens):
        h = self.words(tokens)
        for index, block in enumerate(self.blocks):
            h = block(h / 2 if index % 4 == 3 else h)
        return self.speak(self.end(h))


def test_the_block_before_which_the_stream_is_multiplied_is_named():
    with pytest.raises(ValueError, match=r"multiplied by 0\.5 on its way to what blocks\.3 adds"):
        planned(Halved)


class Banked(nn.Module):
    """All blocks' maps in one bare tensor."""

    def __init__(self, width, depth):
        super().__init__()
        self.words, self.speak = nn.Embedding(V, width), nn.Linear(width, V, bias=False)
        self.maps = nn.Parameter(torch.randn(depth, width, width))

    def forward(self, tokens):
        h = self.words(tokens)
        for one in self.maps:
            h = h + F.relu(h) @ one
        return self.speak(h)


@pytest.mark.parametrize("base", [(16, 2), (64, 2)])
def test_depth_that_one_tensor_holds_is_refused(base):
    with pytest.raises(ValueError, match=r"adds 8 branches.*the base 2.*only maps: .*ModuleList"):
        make_plan(Banked(64, 8), base=Banked(*base))
    assert make_plan(Banked(64, 8), base=Banked(16, 8)).width.ratio == 4
