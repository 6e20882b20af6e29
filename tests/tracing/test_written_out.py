"""Products and sums in one operation are recorded as products and sums, with the same numbers."""

import pytest
import torch
from torch import nn

from specmup.tracing.trace import trace

X, Y, Z = (torch.randn(3, 3, generator=torch.Generator().manual_seed(seed)) for seed in range(3))
STACK = Y.expand(2, 3, 3)
FUSED = {
    "add": lambda x: torch.add(x, Y, alpha=0.5),
    "add_": lambda x: x.clone().add_(Y, alpha=0.5),
    "sub": lambda x: torch.sub(x, Y, alpha=0.5),
    "sub_": lambda x: x.clone().sub_(Y, alpha=0.5),
    "rsub": lambda x: torch.rsub(x, Y, alpha=0.5),
    "rsub of a number": lambda x: torch.rsub(x, 2, alpha=0.5),
    "addmm": lambda x: torch.addmm(x, Y, Z, beta=2, alpha=0.5),
    "addmm of matrices": lambda x: torch.addmm(x, Y, Z),
    "addmm_": lambda x: x.clone().addmm_(Y, Z, beta=0, alpha=0.5),
    "addmm out": lambda x: torch.addmm(x, Y, Z, alpha=0.5, out=torch.zeros(3, 3)),
    "addmv": lambda x: torch.addmv(x[0], Y, Z[0], alpha=0.5),
    "baddbmm": lambda x: torch.baddbmm(x[None], STACK, STACK, beta=2, alpha=0.5),
    "addbmm": lambda x: torch.addbmm(x, STACK, STACK, beta=2, alpha=0.5),
    "addcmul": lambda x: torch.addcmul(x, Y, Z, value=0.5),
    "addcdiv": lambda x: torch.addcdiv(x, Y, Z, value=0.5),
    "lerp": lambda x: torch.lerp(x, Y, 0.5),
    "lerp by each": lambda x: torch.lerp(x, Y, Z),
}


class Calls(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize("name", FUSED)
def test_it_is_written_out_with_the_same_numbers(name):
    given = []
    model = Calls(FUSED[name])
    model.register_forward_hook(lambda _module, _args, out: given.append(out))
    found = trace(model, [X])
    assert {op.kind for op in found.ops} <= {
        *("mul", "div", "add", "sub", "rsub", "mm", "mv", "bmm", "matmul", "sum"),
        *("clone", "copy", "detach", "select", "unsqueeze", "expand", "zeros", "view"),
        *("_unsafe_view",),
    }
    assert not [op for op in found.ops if {"alpha", "beta", "value"}.intersection(op.options)]
    torch.testing.assert_close(given[0], FUSED[name](X))


def test_a_map_with_its_bias_is_one_operation():
    found = trace(nn.Linear(3, 2), [X])
    assert [op.kind for op in found.ops if op.kind != "t"] == ["addmm"]
