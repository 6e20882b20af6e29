"""Mixed precision and compiled blocks: what a GPU would be asked to compute, decided here.

Fake tensors have a device, a type and no numbers. So CUDA's own list of what autocast turns into
bfloat16 is gone through without a GPU; gradients are not, which torch built for CPUs refuses.
"""

from collections import defaultdict
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from specmup.data.text import Text
from specmup.models.gpt import GPT, GPTShape
from specmup.training import language
from specmup.training.recipe import Recipe

SHAPE = GPTShape(vocabulary=16, context=8, width=16, depth=2, head_dimension=8, bias=True)
PRODUCTS = ("aten::mm", "aten::addmm")


class _Types(TorchDispatchMode):
    """The types of what each operation gives, and its devices."""

    def __init__(self):
        super().__init__()
        self.seen, self.devices = defaultdict(set), set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self.seen[func.name().partition(".")[0]].add(tensor.dtype)
                self.devices.add(str(tensor.device))
        return result


def types_of(device, autocast):
    """Of all operations of a loss, and of the loss itself."""
    with torch.device("meta"):
        made = GPT(SHAPE)
    named = [*made.named_parameters(), *made.named_buffers()]
    with FakeTensorMode(), torch.no_grad():
        on = {name: torch.empty(t.shape, dtype=t.dtype, device=device) for name, t in named}
        x = torch.empty(2, 8, dtype=torch.long, device=device)
        # Autocast would ask whether there is a GPU, and turn itself off.
        there = {"is_available": lambda: True, "is_bf16_supported": lambda: True}
        with patch.multiple(torch.cuda, **there), _Types() as types:
            loss = language._loss(lambda x: functional_call(made, on, x), x, x, autocast)
    return types, loss


@pytest.mark.parametrize("device", ["cpu", "cuda:1"])
def test_products_are_in_bfloat16_and_the_loss_is_not(device):
    types, loss = types_of(device, autocast=True)
    assert types.devices == {device}
    products = {t for name in PRODUCTS for t in types.seen[name]}
    assert products == {torch.bfloat16}
    assert types.seen["aten::embedding"] == {torch.float32}
    assert types.seen["aten::_log_softmax"] == {torch.float32} == {loss.dtype}
    if device != "cpu":  # a CPU's list lets norms follow their input
        assert types.seen["aten::native_layer_norm"] == {torch.float32}


def test_without_autocast_nothing_is_in_bfloat16():
    types, _ = types_of("cuda:1", autocast=False)
    assert torch.bfloat16 not in {t for some in types.seen.values() for t in some}
    assert {t for name in PRODUCTS for t in types.seen[name]} == {torch.float32}


def test_compiled_blocks_train_as_plain_ones_in_mixed_precision():
    """Through torch's compiler but for its last part: forward and backward as one graph each."""
    tokens = (np.arange(4000) ** 2 % 16).astype(np.uint16)
    text, losses, compiled = Text("squares", tokens[:3000], tokens[3000:], 16), [], []
    compile_one = torch.nn.Module.compile

    def without_code(module):
        compiled.append(module)
        compile_one(module, backend="aot_eager")

    for compile in (False, True):
        torch.compiler.reset()
        torch.manual_seed(0)
        model = GPT(SHAPE)
        optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
        recipe = Recipe(4, 4, accumulation=2, autocast=True, compile=compile, validation_windows=4)
        with patch.object(torch.nn.Module, "compile", without_code):
            history = language.train_language_model(
                model, optimizer, text, recipe, context=8, seed=0, progress=False
            )
        losses.append(history)
    plain, made = losses
    assert len(compiled) == SHAPE.depth
    near = {"rtol": 5e-3, "atol": 0}  # of bfloat16, in which a graph may round elsewhere
    torch.testing.assert_close(made.losses, plain.losses, **near)
    assert made.loss == pytest.approx(plain.loss, rel=near["rtol"])
    assert plain.losses[0] - plain.losses[-1] > 0.05
