"""Places that a name would tell wrongly: shapes, modules and what is tied decide."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from specmup.parametrization.plan import make_plan

DECLARED = {"branch_ends": ["narrow"], "block_depth": 2}


class NormLinear(nn.Linear):
    """A map whose rows are normalised, as its name says: no gain."""


class NormedProjection(nn.Module):
    """A matrix and a vector in a class that is called after a norm."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in))
        self.scale = nn.Parameter(torch.ones(n_out))


class ChannelNorm(nn.Module):
    """A gain with two dimensions of one, under another name."""

    def __init__(self, width):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width, 1, 1))
        self.bias = nn.Parameter(torch.zeros(width, 1, 1))


def with_module(residual, make, inside=True):
    """Plans of the unfamiliar network with one more module in each block, or outside."""

    def build(width, depth):
        model = residual(width, depth)
        for layer in model.layers if inside else [model]:
            layer.extra = make(width)
        return model

    def plan(**told):
        return make_plan(build(64, 8), base=build(16, 2), **DECLARED | told)

    return plan


def test_a_map_in_a_class_called_norm_is_a_map(residual):
    plan = with_module(residual, lambda n: NormLinear(n, n))()
    told, like = plan["layers.0.extra.weight"], plan["layers.0.widen.weight"]
    assert told.role == "hidden"
    assert told.factors == like.factors
    assert told.factors.learning_rate == 1 / 4
    model = residual(64, 8)
    for layer in model.layers:
        layer.extra = NormLinear(64, 64)
    plan.initialise(model, seed=0)
    assert model.layers[3].extra.weight.std() > 0


def test_a_table_in_a_class_called_norm_is_an_embedding(residual):
    class EmbeddingWithNorm(nn.Embedding):
        pass

    plan = with_module(residual, lambda n: EmbeddingWithNorm(9, n), inside=False)()
    assert (plan["extra.weight"].place, plan["extra.weight"].role) == ("embedding", "input")


def test_a_vector_beside_a_matrix_is_no_gain(residual):
    plan = with_module(residual, lambda n: NormedProjection(n, n))
    with pytest.raises(ValueError, match=r"layers\.0\.extra\.weight.*\n.*layers\.0\.extra\.scale"):
        plan()
    told = plan(places={"extra": "branch"})
    assert [told[f"layers.0.extra.{n}"].role for n in ("weight", "scale")] == [
        "hidden",
        "hidden_bias",
    ]


def test_a_gain_may_have_another_name_and_dimensions_of_one(residual):
    plan = with_module(residual, ChannelNorm)()
    gain, bias = (plan[f"layers.0.extra.{name}"] for name in ("gamma", "bias"))
    assert (gain.role, gain.place, gain.fan_out) == ("norm_gain", "branch_norm", 64)
    assert (bias.role, bias.fan_out) == ("hidden_bias", 64)


def test_a_matrix_called_a_bias_is_asked_for(residual):
    def table(width):
        module = nn.Module()
        module.bias = nn.Parameter(torch.zeros(4, width))
        return module

    with pytest.raises(ValueError, match=r"layers\.0\.extra\.bias, of shape \(4, 64\)"):
        with_module(residual, table)()


class Translator(nn.Module):
    """An encoder and a decoder that share an embedding; the head is its own, or tied as well."""

    def __init__(self, width, depth, tied):
        super().__init__()
        self.encoder_embedding = nn.Embedding(30, width)
        self.decoder_embedding = nn.Embedding(30, width)
        self.decoder_embedding.weight = self.encoder_embedding.weight
        self.layers = nn.ModuleList(
            nn.ModuleDict({"widen": nn.Linear(width, 64), "narrow": nn.Linear(64, width)})
            for _ in range(depth)
        )
        self.last = nn.LayerNorm(width)
        self.generator = nn.Linear(width, 30, bias=False)
        if tied:
            self.generator.weight = self.encoder_embedding.weight


def translator(tied, **told):
    told = DECLARED | {"places": {"last": "final_norm"}} | told
    return make_plan(Translator(64, 2, tied), base=Translator(16, 2, tied), **told)


def test_an_embedding_that_two_sides_share_is_no_head():
    plan = translator(tied=False)
    assert plan["generator.weight"].factors.folded == 1 / 4  # once, and there
    assert plan["last.weight"].factors.folded == 1
    assert plan["encoder_embedding.weight"].role == "input"
    assert not any("both roles" in note for note in plan.notes)


def test_one_of_three_names_may_be_the_head():
    plan = translator(tied=True)
    assert plan["generator.weight"] is plan["decoder_embedding.weight"]
    assert plan["last.weight"].factors.folded == 1 / 4
    assert any("both roles" in note for note in plan.notes)


def test_a_second_head_beside_a_tied_one_is_not_divided_twice(nano_gpt):
    def build(width):
        model = nano_gpt(n_embd=width)
        model.value = nn.Linear(width, 1)
        return model

    with pytest.raises(
        ValueError, match=r"tied head.*value\.weight, a head as well.*divided twice"
    ):
        make_plan(build(64), base=build(32), places={"value": "head"})


def test_a_bare_second_name_of_an_embedding_is_asked_for():
    def build(width):
        model = Translator(width, 2, tied=False)
        model.table = model.encoder_embedding.weight
        return model

    with pytest.raises(
        ValueError, match=r"table are one tensor.*declare places=\{'table': 'head'\}"
    ):
        make_plan(build(64), base=build(16), **DECLARED)
    plan = make_plan(
        build(64), base=build(16), **DECLARED, places={"table": "embedding", "last": "final_norm"}
    )
    assert plan["last.weight"].factors.folded == 1


def test_a_bias_may_be_tied_to_itself():
    """As in BERT's head, whose bias hangs on two modules."""

    def build(width):
        model = Translator(width, 2, tied=True)
        model.predictions = nn.Module()
        model.predictions.bias = nn.Parameter(torch.zeros(30))
        model.predictions.decoder = nn.Linear(width, 30)
        model.predictions.decoder.weight = model.encoder_embedding.weight
        model.predictions.decoder.bias = model.predictions.bias
        return model

    plan = make_plan(build(64), base=build(16), **DECLARED, places={"last": "final_norm"})
    bias = plan["predictions.decoder.bias"]
    assert (bias.name, bias.role, bias.place) == ("predictions.bias", "input_bias", "head")

    model = build(16)
    for layer in model.layers:
        layer["again"] = nn.Linear(64, 16)
        layer["again"].bias = layer["narrow"].bias
    with pytest.raises(ValueError, match="or a bias with itself, may be tied"):
        make_plan(model, base=model, **DECLARED)


@pytest.mark.parametrize("growth", [(64, 64), (16, 64)], ids=["deeper", "wider"])
@pytest.mark.parametrize("vocabularies", [(502, 503), (503, 502), (512, 502), (16, 64), (30, 16)])
def test_a_padded_vocabulary_is_no_width(vocabularies, growth):
    def build(width, vocabulary, depth):
        model = Translator(width, depth, tied=False)
        for name in ("encoder_embedding", "decoder_embedding"):
            setattr(model, name, nn.Embedding(vocabulary, width))
        model.generator = nn.Linear(width, vocabulary)
        return model

    models = [build(n, v, d) for n, v, d in zip(growth, vocabularies, (2, 8), strict=True)]
    try:
        plan = make_plan(models[1], base=models[0], **DECLARED)
    except ValueError as problem:  # only where a vocabulary is as large as the width at both
        assert vocabularies == growth and "generator.weight" in str(problem)
        return
    assert plan["generator.weight"].role == "output"
    assert plan["generator.bias"].place == "head"
    assert plan["generator.weight"].factors.folded == pytest.approx(growth[0] / growth[1])
    assert plan["encoder_embedding.weight"].role == "input"


def test_a_plain_network_is_planned_by_its_widths():
    """Chapter 3's: no residual blocks, depth stays."""

    def build(width, vocabulary=7):
        return nn.Sequential(
            nn.Embedding(vocabulary, 6),
            nn.Linear(6, width),
            nn.ReLU(),
            nn.Linear(width, 2 * width),
            nn.LayerNorm(2 * width),
            nn.Linear(2 * width, vocabulary),
        )

    plan = make_plan(build(64, 8), base=build(16))
    assert [(e.role, e.factors.learning_rate) for e in plan.values() if len(e.shape) == 2] == [
        ("input", 1),
        ("input", 1),
        ("hidden", 1 / 4),
        ("output", 1 / 4),  # with 1/r_n folded in
    ]
    assert plan["5.weight"].factors.folded == 1 / 4
    assert (plan.width.ratio, plan.depth.ratio) == (4, 1)


def test_a_plain_network_stays_level_in_width():
    """One step of AdamW changes the output alike at every width."""

    def build(width):
        layers = [nn.Linear(5, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(width, 3))

    def change(width, seed):
        model = build(width)
        plan = make_plan(model, base=build(32), learning_rate=2**-8, std=0.3)
        plan.initialise(model, seed=seed)
        x = torch.randn(64, 5, generator=torch.Generator().manual_seed(seed))
        before = model(x).detach()
        optimizer = plan.optimizer(model)
        F.cross_entropy(model(x), torch.arange(64) % 3).backward()
        optimizer.step()
        return (model(x) - before).square().mean().sqrt().item()

    small, large = (sum(change(n, seed) for seed in range(4)) for n in (128, 1024))
    assert 0.7 < large / small < 1.4
