"""Names without what wrappers put into them, and names that only look so."""

import pytest
import torch
from torch import nn

from specmup.inspection.names import all_parameters, parameters_by_name
from specmup.parametrization.plan import make_plan


class Wrapper(nn.Module):
    def __init__(self, word, model):
        super().__init__()
        setattr(self, word, model)


WORDS = ["module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"]


@pytest.mark.parametrize("word", WORDS)
def test_a_module_of_ones_own_may_be_called_as_wrappers_call_theirs(word):
    """Left out of the name, the word would give two parameters one name."""

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            setattr(self, word, nn.ModuleDict({"proj": nn.Linear(2, 2, bias=False)}))
            self.proj = nn.Linear(2, 2, bias=False)

    for model in (Both(), Wrapper("inner", Both()), Wrapper("module", Both())):
        found = parameters_by_name(model)
        assert len(found) == 2 and len({id(p) for p in found.values()}) == 2
        assert {id(p) for p in model.parameters()} == {id(p) for p in found.values()}


def test_every_parameter_of_such_a_model_is_trained(residual):
    def build(width):
        model = residual(width, 2)
        model.module = nn.ModuleDict({"stem": nn.Linear(6, width)})
        return model

    model = build(16)
    plan = make_plan(model, base=build(8), learning_rate=0.1)
    trained = [id(p) for group in plan.groups(model) for p in group["params"]]
    assert sorted(trained) == sorted(id(p) for p in model.parameters())


@pytest.mark.parametrize("words", [*([word] for word in WORDS), ["module", "_orig_mod"]])
def test_wrappers_are_left_out(nano_gpt, words):
    model = nano_gpt()
    names = list(parameters_by_name(model))
    wrapped = model
    for word in reversed(words):
        wrapped = Wrapper(word, wrapped)
    assert list(parameters_by_name(wrapped)) == names


class OfFabric(nn.Module):
    """Holds the model twice: as it is, and wrapped for several processes."""

    def __init__(self, model):
        super().__init__()
        self._forward_module = Wrapper("module", model)
        self._original_module = model


def of_lightning(model):
    module = Wrapper("model", model)
    module.metric = nn.Identity()
    return module


@pytest.mark.parametrize(
    "wrap",
    [OfFabric, of_lightning, lambda m: OfFabric(of_lightning(m)), lambda m: Wrapper("net", m)],
)
def test_a_plan_fits_the_module_of_a_trainer_and_the_other_way_round(nano_gpt, wrap):
    base, plain = nano_gpt(), nano_gpt(n_embd=64)
    plan = make_plan(plain, base=base, learning_rate=0.1, std=0.02)
    wrapped = wrap(nano_gpt(n_embd=64))
    plan.initialise(wrapped, seed=0)
    plan.initialise(plain, seed=0)
    pairs = zip(wrapped.parameters(), plain.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)
    held = {id(p) for group in plan.groups(wrapped) for p in group["params"]}
    assert held == {id(p) for p in wrapped.parameters()}

    other_way = make_plan(wrap(nano_gpt(n_embd=64)), base=wrap(base), learning_rate=0.1)
    assert len(other_way.groups(plain)) == len(plan.groups(plain))
    assert [e.factors for e in other_way.values()] == [e.factors for e in plan.values()]


def test_a_name_in_a_trainers_module_is_found(nano_gpt):
    plan = make_plan(nano_gpt(n_embd=64), base=nano_gpt())
    for prefix in ("", "module.", "_forward_module.", "model.", "_forward_module.model."):
        assert plan[f"{prefix}transformer.wte.weight"].role == "input"
    with pytest.raises(KeyError):
        plan["other.transformer.wte.weight"]


def test_what_else_a_trainers_module_holds_is_not_passed_over(nano_gpt):
    plan = make_plan(nano_gpt(n_embd=64), base=nano_gpt(), learning_rate=0.1)
    module = of_lightning(nano_gpt(n_embd=64))
    module.metric = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"which the plan does not know"):
        plan.groups(module)


def test_all_names_of_a_tied_tensor_are_told(nano_gpt):
    names = [name for name, _ in all_parameters(nano_gpt())]
    assert {"transformer.wte.weight", "lm_head.weight"} <= set(names)
