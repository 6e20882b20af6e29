"""Bare tables that act entry by entry: rows that enter the stream, and vectors of any shape."""

import pytest
import torch
import transformers
from torch import nn

from specmup.inspection.questions import Undeclared
from specmup.parametrization.plan import make_plan

PATCHES, FEATURES, BUCKETS, STATE = 4, 6, 5, 3


class Block(nn.Module):
    """Attention with a bias for each head and distance, which the first block holds for all."""

    def __init__(self, width, has_table):
        super().__init__()
        self.heads = width // 8
        self.norm, self.again = nn.LayerNorm(width), nn.LayerNorm(width)
        self.reads = nn.Linear(width, 3 * width, bias=False)
        self.writes = nn.Linear(width, width, bias=False)
        self.wide = nn.Linear(width, 2 * width, bias=False)
        self.back = nn.Linear(2 * width, width, bias=False)
        self.decays = nn.Parameter(torch.rand(2 * width, STATE))
        if has_table:
            self.table = nn.Embedding(BUCKETS, self.heads)

    def forward(self, h, bias):
        q, k, v = (
            t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for t in self.reads(self.norm(h)).chunk(3, -1)
        )
        if bias is None:
            places = torch.arange(h.shape[1], device=h.device)
            distances = (places[:, None] - places).clamp(min=0)
            bias = self.table(distances).permute(2, 0, 1)
        mixed = ((q @ k.mT / 8**0.5 + bias).softmax(-1) @ v).transpose(1, 2).flatten(2)
        h = h + self.writes(mixed)
        inner = torch.relu(self.wide(self.again(h)))
        # Two of the states are mixed by what comes in, as a state-space model reads its own out.
        states = inner[..., None] * torch.exp(-self.decays.exp())
        return h + self.back(states[..., 0] * states[..., 1] + states[..., 2]), bias


class Sees(nn.Module):
    """Patches with a row for the class before them, and one for each position."""

    def __init__(self, width, depth, turned=False):
        super().__init__()
        self.turned = turned
        self.patches = nn.Linear(FEATURES, width)
        self.of_class = nn.Parameter(torch.randn(1, 1, width))
        self.hidden = nn.Parameter(torch.zeros(1, width))  # in place of patches, if some are masked
        rows = (width, PATCHES + 1) if turned else (PATCHES + 1, width)
        self.of_places = nn.Parameter(torch.randn(1, *rows))
        self.body = nn.ModuleList(Block(width, has_table=not n) for n in range(depth))
        self.end, self.speak = nn.LayerNorm(width), nn.Linear(width, 3)

    def forward(self, x, masked=None):
        h = self.patches(x)
        if masked is not None:
            h = torch.where(masked[..., None], self.hidden, h)
        h = torch.cat([self.of_class.expand(len(h), -1, -1), h], 1)
        h, bias = h + (self.of_places.mT if self.turned else self.of_places), None
        for block in self.body:
            h, bias = block(h, bias)
        return self.speak(self.end(h[:, 0]))


SEEN = torch.zeros(2, PATCHES, FEATURES)


def plan(example=SEEN, **options):
    base, model = Sees(16, 2, **options), Sees(64, 8, **options)
    return make_plan(model, base=base, example=example, learning_rate=1.0, optimizer="sgd")


def test_rows_that_enter_the_stream_are_embeddings_of_whatever_shape():
    found = plan()
    for name in ("of_class", "of_places", "hidden"):
        entry = found[name]
        assert (entry.place, entry.role) == ("embedding", "input")
        # A row's gradient falls like 1/n by SGD, and it should move by a size that stays.
        assert (entry.factors.init_std, entry.factors.learning_rate) == (1.0, 4.0)


def test_a_row_that_is_not_reached_is_said_to_be_unseen_until_an_example_reaches_it():
    assert any("hidden" in note and "not reached" in note for note in plan().notes)
    masked = torch.zeros(2, PATCHES, dtype=torch.bool)
    seen = plan({"x": SEEN, "masked": masked})
    assert seen["hidden"].place == "embedding"
    assert not any("not reached" in note for note in seen.notes)


def test_a_table_that_stands_the_other_way_round_is_asked_for():
    with pytest.raises(Undeclared, match="of_places"):
        plan(turned=True)


def test_entries_of_a_block_move_as_vectors_do():
    found = plan()
    bias = found["body.3.norm.bias"]
    for name in ("body.0.table.weight", "body.5.decays"):
        entry = found[name]
        assert (entry.place, entry.role) == ("branch", "hidden_bias")
        assert entry.factors.init_std == 1.0
        # What one block holds for all L learns from the sum of what L would, by SGD r_L times more.
        shared = 4 if "table" in name else 1
        assert entry.factors.learning_rate == bias.factors.learning_rate / shared


def test_a_map_that_is_written_out_as_products_and_a_sum_is_asked_for():
    class Written(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.norm = nn.LayerNorm(width)
            self.map = nn.Parameter(torch.randn(width, width))
            self.back = nn.Linear(width, width, bias=False)

        def forward(self, h):
            x = torch.relu((self.norm(h)[..., None] * self.map).sum(-2))
            return h + self.back(x)

    def build(width, depth):
        return nn.Sequential(
            nn.Linear(FEATURES, width),
            nn.Sequential(*(Written(width) for _ in range(depth))),
            nn.Linear(width, 3),
        )

    with pytest.raises(Undeclared, match=r"\.map"):
        make_plan(build(64, 8), base=build(16, 2))


VISION = {"num_attention_heads": 2, "image_size": 16, "patch_size": 8}


def vision(kind, width, depth):
    sizes = {"hidden_size": width, "num_hidden_layers": depth, "intermediate_size": 2 * width}
    return getattr(transformers, f"{kind}Config")(**sizes, **VISION)


def others(kind, width, depth):
    tokens = {"vocab_size": 16, "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0}
    sizes = {"hidden_size": width, "num_hidden_layers": depth, "state_size": 4}
    if kind == "T5":
        sizes = {"d_model": width, "num_layers": depth, "num_decoder_layers": depth}
        sizes |= {"d_kv": 8, "num_heads": width // 8, "d_ff": 2 * width}
        tokens |= {"decoder_start_token_id": 0}
    return getattr(transformers, f"{kind}Config")(**sizes, **tokens)


@pytest.mark.parametrize(
    ("config", "kind", "head"),
    [
        (vision, "ViT", "ForImageClassification"),
        (vision, "DeiT", "ForImageClassificationWithTeacher"),
        (vision, "Dinov2", "ForImageClassification"),
        (others, "T5", "ForConditionalGeneration"),
        (others, "Mamba", "ForCausalLM"),
    ],
)
def test_models_that_hold_such_tables_are_planned_without_a_declaration(config, kind, head):
    base, model = (
        getattr(transformers, f"{kind}{head}")(config(kind, width, depth))
        for width, depth in ((32, 2), (64, 4))
    )
    found = make_plan(model, base=base, learning_rate=1.0)
    tables = ("token", "position_embeddings", "relative_attention_bias", "A_log")
    told = [e for e in found.entries if any(table in e.name for table in tables)]
    assert told and {e.factors.init_std for e in told} == {1.0}
    assert {e.factors.learning_rate for e in told} == {1.0}
