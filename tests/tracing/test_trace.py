"""A trace says what ran, on what, with which numbers; the parameters take no memory."""

import resource

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from specmup.models.gpt import GPT, GPTShape
from specmup.tracing.copies import built_without_memory, without_memory
from specmup.tracing.examples import NotTraced, trace_example
from specmup.tracing.trace import trace


def tiny_gpt():
    return GPT(GPTShape(16, 8, 16, 2, head_dimension=8), {"hidden": 0.25})


@pytest.mark.parametrize("build", [tiny_gpt, lambda: built_without_memory(tiny_gpt)])
def test_each_operation_has_its_numbers_and_its_module(build):
    found = trace_example(build())
    scaled = [op for op in found.ops if op.kind == "mul" and 0.25 in op.args]
    assert [op.module for op in scaled] == ["blocks.0", "blocks.0", "blocks.1", "blocks.1"]
    assert set(found.parameters.values()) == {name for name, _ in tiny_gpt().named_parameters()}
    assert found.live.issuperset(found.parameters)
    assert [value.shape for value in found.outputs] == [(2, 4, 16)]


def test_the_model_itself_is_left_alone():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trace(model, [torch.randn(3, 4)])
    assert model.training
    assert all(not module._forward_hooks for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Written(nn.Module):
    """Writes one half of its output through a view, and reads the whole."""

    def __init__(self):
        super().__init__()
        self.unused, self.used = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))

    def forward(self, x):
        whole = torch.zeros(4)
        whole[:2] = self.used * x
        return whole + 1, self.unused.shape


def test_what_is_written_through_a_view_reaches_the_whole():
    found = trace(Written(), [torch.ones(2)])
    live = {name for value, name in found.parameters.items() if value in found.live}
    assert live == {"used"}


class Scales(nn.Module):
    """Constants as a number, as a buffer and as a tensor made on the way."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.register_buffer("scale", torch.tensor(4.0), persistent=False)

    def forward(self, x):
        return x * self.weight * 2 * self.scale / torch.tensor(9.0).sqrt()


@pytest.mark.parametrize("build", [Scales, lambda: built_without_memory(Scales)])
def test_the_numbers_of_tensors_that_depend_on_no_parameter_are_known(build):
    def number(operand):
        return getattr(operand, "number", operand)

    found = trace(build(), [torch.ones(3)])
    assert [number(op.args[1]) for op in found.ops if op.kind in ("mul", "div")][1:] == [2, 4, 3]


class Routed(nn.Module):
    """The choice of the expert depends on what the router says."""

    def __init__(self):
        super().__init__()
        self.router, self.experts = nn.Linear(4, 2), nn.ModuleList(nn.Linear(4, 4) for _ in "ab")

    def forward(self, x):
        return self.experts[self.router(x).sum(0).argmax()](x)


class Masked(nn.Module):
    """The choice depends on the input, which is known."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.first(x) if bool((x == 0).all()) else self.second(x)


def test_what_parameters_steer_is_made_up_and_said():
    assert trace(Routed(), [torch.ones(3, 4)]).made_up
    zeros, ones = (trace(Masked(), [x]) for x in (torch.zeros(3, 4), torch.ones(3, 4)))
    assert not zeros.made_up and not ones.made_up
    for found, name in ((zeros, "first"), (ones, "second")):
        live = {n for v, n in found.parameters.items() if v in found.live}
        assert live == {f"{name}.weight", f"{name}.bias"}


def test_parameters_take_no_memory():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with torch.device("meta"):
        model = nn.Sequential(*(nn.Linear(2**15, 2**15) for _ in range(4)))  # 16 GB
    assert len(trace(model, [torch.zeros(1, 2**15)]).ops) == 8
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2e5  # kB


def test_a_copy_without_memory_keeps_ties_and_buffers():
    model = GPT(GPTShape(16, 8, 16, 1, head_dimension=8, tied=True))
    model.register_buffer("table", torch.arange(3.0))
    copy = without_memory(model)
    assert copy.readout.weight is copy.tokens.weight and copy.tokens.weight.is_meta
    assert torch.equal(copy.table, model.table) and copy.table is not model.table


class Needs(nn.Module):
    def __init__(self):
        super().__init__()
        self.map = nn.Linear(3, 3)

    def forward(self, *, left, right):
        return F.relu(self.map(left) + right)


def test_an_example_is_found_or_given():
    given = {"left": torch.zeros(2, 3), "right": torch.ones(2, 3)}
    assert trace_example(Needs(), given).outputs
    with pytest.raises(NotTraced, match="positional"):
        trace_example(Needs())
    for model in (nn.Conv2d(3, 4, 3), nn.LSTM(5, 7), nn.Sequential(nn.Embedding(9, 4))):
        assert trace_example(model).outputs
