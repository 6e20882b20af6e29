"""What leads into the stream and out of it, told by its use."""

import pytest
from small_nets import VOCABULARY, Net, Two, factors, of_block, planned
from torch import nn
from torch.nn import functional as F


class ReadBack(Net):
    """The embedding reads out as well, by no name of its own."""

    def __init__(self, width, depth, norm=True):
        super().__init__(width, depth, Two)
        del self.speak
        if not norm:
            self.end = nn.Identity()

    def forward(self, tokens):
        return self.end(self.through(self.words(tokens))) @ self.words.weight.T


class Factorised(Net):
    """A small table and a map to the width; both lead out again as well."""

    def __init__(self, width, depth):
        super().__init__(width, depth, Two)
        self.words, self.widen = nn.Embedding(VOCABULARY, 6), nn.Linear(6, width, bias=False)
        del self.speak

    def forward(self, tokens):
        h = self.end(self.through(self.widen(self.words(tokens))))
        return F.log_softmax(F.linear(h @ self.widen.weight, self.words.weight), -1)


def test_an_embedding_that_reads_out_is_tied_whatever_it_is_called():
    plan = planned(ReadBack)
    assert factors(plan, "words.weight") == (1, 1)
    assert factors(plan, "end.weight")[0] == factors(plan, "end.bias")[0] == 1 / 4
    assert any("words.weight is also what reads out" in note for note in plan.notes)


def test_without_a_gain_before_it_such_a_head_is_refused():
    with pytest.raises(
        ValueError, match=r"words\.weight leads into the stream and out of it.*1/r_n"
    ):
        planned(lambda width, depth: ReadBack(width, depth, norm=False))


def test_of_a_factorised_table_the_map_is_what_reads_a_sum_that_grows():
    plan = planned(Factorised, places={"end": "final_norm"})
    assert factors(plan, "words.weight") == factors(plan, "widen.weight") == (1, 1)
    assert factors(plan, "end.weight")[0] == 1 / 4


def test_a_tied_table_whose_rows_stay_needs_no_factor():
    """As in ALBERT: the map that leads back to the table's size is what reads out."""

    class Albert(Factorised):
        def __init__(self, width, depth):
            super().__init__(width, depth)
            self.back = nn.Linear(width, 6)
            self.speak = nn.Linear(6, VOCABULARY)
            self.speak.weight = self.words.weight

        def forward(self, tokens):
            return self.speak(self.back(self.end(self.through(self.widen(self.words(tokens))))))

    plan = planned(Albert)
    assert factors(plan, "back.weight") == (1 / 4, 1 / 4)
    for name in ("words.weight", "widen.weight", "end.weight"):
        assert factors(plan, name)[0] == 1


class Tokens(nn.Module):
    """Mixes tokens alone: what its branch writes does not grow."""

    def __init__(self, width):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(4, 8), nn.Linear(8, 4)

    def forward(self, h):
        return h + self.down(F.gelu(self.up(self.norm(h).mT))).mT


def test_where_no_branch_writes_what_grows_the_head_tells_the_width():
    plan = planned(of_block(Tokens), optimizer="sgd")
    assert (plan.width.base, plan.width.target) == (16, 64)
    assert factors(plan, "blocks.0.up.weight")[0] == pytest.approx(4)
    right = planned(of_block(Two), optimizer="sgd")
    for name in ("speak.weight", "words.weight", "end.weight"):
        assert factors(plan, name) == factors(right, name)


class Pooled(Net):
    """A map outside the blocks that reads the stream and writes twice as much."""

    def __init__(self, width, depth):
        super().__init__(width, depth, Two)
        self.wider, self.speak = nn.Linear(width, 2 * width), nn.Linear(2 * width, VOCABULARY)

    def forward(self, tokens):
        return self.speak(F.gelu(self.wider(self.end(self.through(self.words(tokens))))))


def test_what_writes_as_much_more_as_it_reads_is_no_head():
    plan = planned(Pooled)
    assert factors(plan, "wider.weight") == (1 / 4, 1 / 2)
    assert factors(plan, "speak.weight") == (1 / 4, 1 / 4)
