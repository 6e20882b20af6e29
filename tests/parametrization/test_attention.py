"""Where heads grow a plan sets what attention logits are multiplied by, and lets nobody undo it."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM

from specmup.parametrization.plan import Plan, make_plan
from specmup.probes.followed import followed

HEADS, VOCABULARY = 2, 12
OWN = {8: 8**-0.5, 16: 16**-0.5}
RIGHT = 8**-0.5 * 8 / 16  # as the base multiplies at 8, and 1/d from there


def llama(dimension):
    torch.manual_seed(0)
    width = HEADS * dimension
    sizes = {"hidden_size": width, "num_attention_heads": HEADS, "num_key_value_heads": HEADS}
    config = LlamaConfig(
        **sizes, num_hidden_layers=2, intermediate_size=2 * width, vocab_size=VOCABULARY
    )
    return LlamaForCausalLM(config).eval()


class Attends(nn.Module):
    """A block of an own network: its scale is a number of the module, or written into the pass."""

    def __init__(self, width, held):
        super().__init__()
        self.norm, self.reads = nn.LayerNorm(width), nn.Linear(width, 3 * width, bias=False)
        self.writes = nn.Linear(width, width, bias=False)
        if held:
            self.temper = (width // HEADS) ** -0.5

    def forward(self, h):
        q, k, v = (
            t.unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for t in self.reads(self.norm(h)).chunk(3, -1)
        )
        scale = getattr(self, "temper", q.shape[-1] ** -0.5)
        return h + self.writes(((scale * q @ k.mT).softmax(-1) @ v).transpose(1, 2).flatten(2))


class Own(nn.Module):
    def __init__(self, dimension, held=True):
        super().__init__()
        width = HEADS * dimension
        self.words = nn.Embedding(VOCABULARY, width)
        self.body = nn.ModuleList(Attends(width, held) for _ in range(2))
        self.speak = nn.Linear(width, VOCABULARY, bias=False)

    def forward(self, tokens):
        h = self.words(tokens)
        for block in self.body:
            h = block(h)
        return self.speak(h)


def planned(build, **options):
    return make_plan(build(16), base=build(8), learning_rate=0.01, verify=True, **options)


def all_ones(model):
    """With the weights that make every query and every key of the first position ones."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            projects = name.endswith(("q_proj.weight", "k_proj.weight"))
            p.fill_(1 / p.shape[1] if projects else 0.0 if "o_proj" in name else 1.0)
    return model


def test_logits_of_aligned_queries_and_keys_are_those_of_the_base():
    plan = planned(llama)
    base, model = llama(8), plan.initialise(llama(16))
    x = torch.zeros(1, 1, dtype=torch.long)
    logits = [followed(all_ones(m), x)["attention"] for m in (base, model, llama(16))]
    for found, wanted in zip(logits, (8 * OWN[8], 16 * RIGHT), strict=False):
        torch.testing.assert_close(found, torch.full_like(found, wanted))
    assert 8 * OWN[8] == pytest.approx(16 * RIGHT)


@pytest.mark.parametrize(
    ("build", "name"), [(llama, "model.layers.0.self_attn.scaling"), (Own, "body.0.temper")]
)
def test_the_number_is_found_by_what_it_does_and_is_told(build, name):
    plan = planned(build)
    assert len(plan.attention) == 2
    scale = plan.attention[0]
    assert scale.name == name
    assert (scale.value, scale.own) == pytest.approx((RIGHT, OWN[16]), rel=1e-5)
    assert scale.factor == 0.5
    (row,) = (row for row in plan.report().rows if row[1] == "attention")
    assert row[0] == f"{scale.pattern} (×2)" and row[4] == "0.1768 (×0.5)"
    assert any("plan.initialise sets" in note and scale.pattern in note for note in plan.notes)
    assert Plan.from_json(plan.to_json()) == plan


def test_a_model_loaded_anew_is_refused_until_it_is_told():
    plan = planned(llama)
    model = plan.initialise(llama(16), seed=0)
    plan.optimizer(copy.deepcopy(model))
    anew = llama(16)
    anew.load_state_dict(model.state_dict())
    with pytest.raises(ValueError, match=r"self_attn.scaling is 0.25, in the plan 0.1768"):
        plan.optimizer(anew)
    plan.optimizer(plan.set_constants(anew))
    x = torch.arange(8)[None]
    assert torch.equal(model(x).logits, anew(x).logits)


def test_a_compiled_model_is_scaled_within():
    plan = planned(Own)
    model = torch.compile(Own(16), backend="eager")
    plan.optimizer(plan.initialise(model))
    assert model._orig_mod.body[1].temper == pytest.approx(RIGHT)


def test_nothing_is_set_where_the_model_holds_no_number_or_the_caller_forbids_it():
    for plan in (
        planned(lambda dimension: Own(dimension, held=False)),
        planned(Own, set_attention=False),
    ):
        assert plan.attention == ()
        assert any("1/√d, which this plan does not set" in note for note in plan.notes)


def test_a_number_that_does_something_else_is_left_alone():
    class Decoy(Attends):
        def forward(self, h):
            q, k, v = (
                t.unflatten(-1, (HEADS, -1)).transpose(1, 2)
                for t in self.reads(self.norm(h)).chunk(3, -1)
            )
            mixed = F.scaled_dot_product_attention(q, k, v)
            return h + self.temper * self.writes(mixed.transpose(1, 2).flatten(2))

    def build(dimension):
        net = Own(dimension)
        net.body = nn.ModuleList(Decoy(HEADS * dimension, held=True) for _ in range(2))
        return net

    assert planned(build).attention == ()


def test_heads_of_one_dimension_are_left_alone():
    def build(width):
        sizes = {"hidden_size": width, "num_attention_heads": width // 8, "head_dim": 8}
        return LlamaForCausalLM(
            LlamaConfig(
                **sizes,
                num_key_value_heads=width // 8,
                num_hidden_layers=2,
                intermediate_size=2 * width,
                vocab_size=VOCABULARY,
            )
        )

    assert make_plan(build(32), base=build(16), verify=True).attention == ()
