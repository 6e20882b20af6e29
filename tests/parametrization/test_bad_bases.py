"""What a plan refuses, with the remedy in the message."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from specmup.models.gpt import GPT, GPTShape
from specmup.models.resnet import ResNet, ResNetShape
from specmup.parametrization.plan import make_plan

DECLARED = {"branch_ends": ["narrow"], "block_depth": 2}


def gpt(width, depth, **options):
    return GPT(GPTShape(40, 16, width, depth, head_dimension=8, **options))


@pytest.mark.parametrize(
    ("base", "says"),
    [
        ((8, 4), "width grows, 8 → 16, but depth shrinks, 4 → 2"),
        ((32, 1), "depth grows, 1 → 2, but width shrinks, 32 → 16"),
    ],
)
def test_a_base_larger_in_one_dimension_only(base, says):
    with pytest.raises(ValueError, match=f"{says}.*at most as large"):
        make_plan(gpt(16, 2), base=gpt(*base))


def test_a_larger_base_is_a_base():
    assert make_plan(gpt(8, 1), base=gpt(16, 2)).multipliers["hidden"] == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"bias": True}, r"the base has blocks\.\*\.attention_norm\.bias.*same kinds of blocks"),
        ({"tied": True}, r"the model has readout\.weight"),
    ],
)
def test_other_kinds_of_blocks_and_ties(options, says):
    with pytest.raises(ValueError, match=says):
        make_plan(gpt(16, 2), base=gpt(8, 2, **options))


def block(width):
    return nn.Sequential(nn.Linear(width, width), nn.Linear(width, width))


def named(width, depth):
    return nn.Sequential(OrderedDict((f"layer_{i}", block(width)) for i in range(depth)))


def attributes(width, depth):
    model = nn.Module()
    for i in range(depth):
        setattr(model, f"block{i}", block(width))
    return model


@pytest.mark.parametrize(
    "build",
    [
        named,
        attributes,
        lambda width, depth: nn.ParameterList(torch.ones(width, width) for _ in range(depth)),
        lambda width, depth: nn.LSTM(width, width, num_layers=depth),
    ],
)
def test_blocks_that_stand_in_no_list_are_to_be_put_into_one(build):
    with pytest.raises(ValueError, match=r"the base has not: .* make all of them modules of one"):
        make_plan(build(16, 4), base=build(16, 2))


def test_so_are_blocks_in_stages():
    def build(width, depth):
        return nn.ModuleList(nn.ModuleList(block(width) for _ in range(depth)) for _ in "ab")

    with pytest.raises(ValueError, match=r"as 0 has 4 elements and 2 .* let one list hold them"):
        make_plan(build(16, 4), base=build(16, 2))


def test_no_repeated_blocks(residual):
    model = residual(16, 2)
    del model.layers
    model.narrow = nn.Linear(16, 16)
    with pytest.raises(ValueError, match=r"no repeated blocks.*nn\.ModuleList or a numbered"):
        make_plan(model, base=model, places={"narrow": "branch_end"}, block_depth=2)


def test_unfamiliar_architectures_say_what_to_declare(residual):
    unseen = residual(16, 4)
    unseen.forward = lambda: None
    with pytest.raises(
        ValueError, match=r"branch_ends=\['narrow'\], block_depth=2\n.*end a branch"
    ):
        make_plan(unseen, base=residual(8, 2), block_depth=2)
    with pytest.raises(ValueError, match="block_depth=1, or 2"):
        make_plan(unseen, base=residual(8, 2), branch_ends=["narrow"])
    with pytest.raises(ValueError, match=r"'shrink' is declared.*layers\.\*\.narrow"):
        make_plan(residual(16, 2), base=residual(8, 2), branch_ends=["shrink"], block_depth=2)


def test_unknown_parameters_are_named_with_the_remedy(residual, nano_gpt):
    def scaled(width):
        model = residual(width, 2)
        for layer in model.layers:
            layer.scale = nn.Parameter(torch.ones(width))
        return model

    says = r"(?s)places=\{'layers\.\*\.scale'.*layers\.0\.scale, of shape \(16,\).*branch_end, last"
    with pytest.raises(ValueError, match=says):
        make_plan(scaled(16), base=scaled(8), **DECLARED)
    plan = make_plan(scaled(16), base=scaled(8), **DECLARED, places={"scale": "branch"})
    assert plan["layers.1.scale"].role == "hidden_bias"

    model = nano_gpt()
    model.value_head = nn.Linear(32, 1)
    with pytest.raises(
        ValueError,
        match=r"(?s)in a GPT-2.*places=\{'value_head\.weight': 'head'\}.*value_head\.weight",
    ):
        make_plan(model, base=model)
    plan = make_plan(model, base=model, places={"value_head": "head"})
    assert plan["value_head.weight"].role == "output"


def test_places_must_exist(nano_gpt):
    with pytest.raises(ValueError, match=r"unknown place 'readout'.*final_norm, head"):
        make_plan(nano_gpt(), base=nano_gpt(), places={"lm_head": "readout"})


def test_ties_that_cannot_be_exact(nano_gpt, residual):
    bare = {"tied": True, "normalisation": "none"}
    with pytest.raises(ValueError, match=r"one tensor.*Untie them.*gauge='forward'"):
        make_plan(gpt(16, 2, **bare), base=gpt(8, 2, **bare), gauge="folded")
    assert make_plan(gpt(16, 2, **bare), base=gpt(8, 2, **bare)).gauge == "forward"
    # Only deeper: 1/r_n is one, and there is nothing to fold.
    deeper = make_plan(gpt(8, 4, **bare), base=gpt(8, 2, **bare), gauge="folded")
    assert deeper["tokens.weight"].factors.folded == 1
    assert not any("final normalisation" in note for note in deeper.notes)

    with pytest.raises(ValueError, match=r"learning_rate is 0\.1 for tokens\.weight and 0\.2"):
        make_plan(
            gpt(16, 2, tied=True),
            base=gpt(8, 2, tied=True),
            learning_rate={"input": 0.1, "output": 0.2, "*": 0.3},
        )
    model = nano_gpt()
    model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())
    model.transformer["extra"] = nn.Linear(32, 40, bias=False)
    model.transformer["extra"].weight = model.transformer["wte"].weight
    with pytest.raises(ValueError, match="as embedding and branch: only an embedding and the head"):
        make_plan(model, base=model, places={"extra": "branch"})

    shared = residual(8, 2)
    shared.layers[1] = shared.layers[0]
    with pytest.raises(ValueError, match=r"one tensor in several of the 2 blocks.*untie"):
        make_plan(shared, base=shared, **DECLARED)


def test_biases_of_several_maps_in_one_tensor_cannot_be_folded():
    shape = ResNetShape(inputs=6, width=8, depth=2, outputs=3, bias=True)
    model = ResNet(shape, {"input": 1, "hidden": 1, "output": 1})
    with pytest.raises(ValueError, match=r"hidden_bias holds.*gauge='forward'"):
        make_plan(model, base=model, gauge="folded")


@pytest.mark.parametrize(
    ("model_type", "says"),
    [("gemma", "GemmaRMSNorm.*names of Llama.*root of the width"), ("olmo2", "branch_ends=")],
)
def test_models_that_only_look_like_llama(hugging_face, model_type, says):
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "head_dim": 16}
    sizes |= {"num_key_value_heads": 1, "intermediate_size": 64}
    model = hugging_face(model_type, **sizes)
    with pytest.raises(ValueError, match=says):
        make_plan(model, base=model, verify=False)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"optimizer": "Adam"}, "unknown optimizer 'Adam'.*adamw is Adam where the decay is 0"),
        ({"optimizer": torch.optim.AdamW}, "unknown optimizer .*; give a name, such as 'adamw'"),
        ({"optimizer": "lion", "epsilon": 1e-8}, "Lion has no ε"),
        ({"gauge": "backward"}, "unknown gauge 'backward': choose one of forward, folded"),
        ({"gauge": "forward"}, "needs a model with a dictionary `multipliers`"),
        ({"parametrization": "ntk"}, "unknown parametrization 'ntk'"),
        ({"block_depth": 0}, "block depth"),
        ({"block_depth": [2]}, r"block depth is \[2\]: give the number"),
        ({"block_depth": True}, "block depth is True"),
        ({"optimizer": ["adamw"]}, r"unknown optimizer \['adamw'\]"),
        ({"learning_rate": True}, "learning_rate is True"),
        ({"learning_rate": {1: 0.1}}, "the key 1, which is no role and fits no parameter"),
        ({"learning_rate": {None: 0.1}}, "the key None, which is no role"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": {"hidden": 0.1}}, r"no value for transformer\.wte\.weight.*'\*'"),
        ({"learning_rate": 10**400}, "learning_rate is 1000"),
        ({"learning_rate": "0.1"}, "learning_rate is '0.1': give a number"),
        ({"learning_rate": {"*": True}}, "learning_rate is True: give a number"),
        ({"std": [0.1]}, r"std is \[0\.1\]: give a number, or a mapping"),
        ({"std": torch.tensor(0.1)}, r"std is tensor\(0\.1000\): give a number"),
        ({"std": torch.zeros(2, 2)}, r"std is tensor\(.*\): give a number"),
        ({"branch_ends": 1}, "branch_ends is 1: give names"),
        ({"branch_ends": [None]}, r"branch_ends is \[None\]: give names"),
        ({"branch_ends": None}, "branch_ends is None: give names"),
        ({"std": {"embed": 0.1}}, "the key 'embed', which is no role and fits no parameter"),
        ({"base": {"width": 32, "layers": 2}}, "has no size 'layers': choose among n_layer"),
        ({"base": {"n_embd": 20}}, "whole number of heads.*take a multiple of 8"),
        ({"base": {"depth": 0}}, "n_layer is 0"),
        ({"base": {"depth": True}}, "n_layer is True: it must be an integer"),
        ({"base": {1: 2}}, "1 is no name of a size"),
        ({"base": lambda: None}, "made a NoneType: it must return a module"),
        ({"places": ["wte"]}, r"places is \['wte'\]: give a mapping"),
        ({"places": {"wte": ["embedding"]}}, r"places is \{'wte': \['embedding'\]\}: give"),
        ({"places": {1: "embedding"}}, r"places is \{1: 'embedding'\}: give"),
        ({"base": "small"}, "a module or a factory"),
    ],
)
def test_options_that_mean_nothing(nano_gpt, options, says):
    with pytest.raises(ValueError, match=says):
        make_plan(nano_gpt(), **{"base": nano_gpt()} | options)


def test_a_name_of_an_optimizer_is_one_in_any_case(nano_gpt):
    assert make_plan(nano_gpt(), base=nano_gpt(), optimizer="AdamW").optimizer_name == "adamw"


@pytest.mark.filterwarnings("error")
def test_a_number_of_numpy_is_a_number(nano_gpt):
    plan = make_plan(nano_gpt(), base=nano_gpt(), std=np.float32(0.5), learning_rate=np.float64(2))
    numbers = plan["transformer.wpe.weight"]
    assert (numbers.init_std, numbers.learning_rate) == (0.5, 2.0)
    assert type(plan).from_json(plan.to_json())["transformer.wpe.weight"].init_std == 0.5


class TakesMore(GPT):
    """What a configuration alone does not make."""

    def __init__(self, shape, multipliers, /, *, name):
        super().__init__(shape, multipliers)
        self.name = name


def test_a_class_that_takes_more_than_its_configuration():
    model = TakesMore(GPTShape(40, 16, 16, 2, head_dimension=8), None, name="mine")
    says = r"TakesMore is not made from its configuration with width=8 alone \(TypeError: .*'name'"
    with pytest.raises(ValueError, match=rf"{says}\): give the base as a model or as a factory"):
        make_plan(model, base={"width": 8})


def test_sizes_need_a_configuration(residual):
    with pytest.raises(ValueError, match="Residual keeps no configuration"):
        make_plan(residual(16, 2), base={"width": 8}, **DECLARED)
    with pytest.raises(ValueError, match="1 is no name of a size"):
        make_plan(residual(16, 2), base={1: 8}, **DECLARED)


@pytest.mark.parametrize(
    "method", ["initialise", "groups", "optimizer", "set_constants", "schedule_factor"]
)
def test_a_plan_is_applied_to_a_model_and_not_to_its_factory(residual, method):
    plan = make_plan(lambda: residual(16, 2), base=lambda: residual(8, 2), learning_rate=0.1)
    more = [None] if method == "schedule_factor" else []
    with pytest.raises(ValueError, match=r"<lambda> at .* is no module: give the model itself"):
        getattr(plan, method)(lambda: residual(16, 2), *more)


def test_optimizers_are_refused_where_the_rules_would_break(nano_gpt):
    model = nano_gpt()
    plan = make_plan(model, base=model, learning_rate=0.1, optimizer="adopt")
    with pytest.raises(ValueError, match=r"weight_decouple=False.*leave weight_decouple out"):
        plan.optimizer(model, weight_decouple=False)
    with pytest.raises(ValueError, match="give make_plan a learning_rate"):
        make_plan(model, base=model).optimizer(model)
    with pytest.raises(ValueError, match=r"tensors for transformer\.wte\.weight = lm_head\.weight"):
        untied = nano_gpt()
        untied.lm_head.weight = nn.Parameter(untied.lm_head.weight.detach().clone())
        plan.groups(untied)
    with pytest.raises(ValueError, match="make the plan for this model"):
        plan.groups(nn.Linear(2, 2))
    with pytest.raises(KeyError, match=r"no parameter 'wte'.* has transformer\.wte\.weight; see"):
        plan["wte"]
    with pytest.raises(KeyError, match=r"no parameter 'decoder'.* and \d+ more; see list"):
        plan["decoder"]


@pytest.mark.parametrize(
    ("option", "kind"),
    [("lr", "learning_rate"), ("weight_decay", "weight_decay"), ("eps", "epsilon")],
)
def test_numbers_of_the_plan_are_no_options_of_its_optimizer(nano_gpt, option, kind):
    model = nano_gpt()
    plan = make_plan(model, base=model, learning_rate=0.1, optimizer="muon")
    for options in ({option: 0.1}, {"companion": {option: 0.1}}):
        with pytest.raises(ValueError, match=f"{option} is a number of the plan.*as {kind}"):
            plan.optimizer(model, **options)
    with pytest.raises(ValueError, match=r"for the adamw beside it, companion={'betas': …}"):
        plan.optimizer(model, betas=(0.9, 0.95))


def test_bare_parameters_are_read_as_outputs_by_inputs(residual):
    def with_token(width, shape):
        model = residual(width, 2)
        model.token = nn.Parameter(torch.zeros(shape))
        return model

    def plan(place, *shapes):
        models = [with_token(width, shape) for width, shape in zip((16, 8), shapes, strict=True)]
        return make_plan(models[0], base=models[1], **DECLARED, places={"token": place})["token"]

    rows = (1, 1, 16), (1, 1, 8)
    with pytest.raises(ValueError, match=r"token, of shape \(1, 1, 16\).*places={'token': 'embed"):
        plan("input", *rows)
    token = plan("embedding", *rows)
    assert (token.fan_out, token.fan_in, token.factors.learning_rate) == (16, 1, 1)
    with pytest.raises(ValueError, match=r"token.*declared as head.*store it transposed"):
        plan("head", (16, 3), (8, 3))
    assert plan("head", (3, 16), (3, 8)).fan_in == 16
