"""Sizes that are kept are those that torch gives, and nothing is kept that memory tells apart."""

import pytest
import torch

from specmup.tracing.records import leaves
from specmup.tracing.sizes import sized

aten = torch.ops.aten


def empty(*shape, dtype=torch.float32, stride=None):
    made = torch.empty(shape, dtype=dtype, device="meta")
    return made if stride is None else made.as_strided(shape, stride)


CASES = {
    "a map": (aten.addmm.default, empty(3), empty(2, 4), empty(4, 3)),
    "another": (aten.addmm.default, empty(5), empty(2, 4), empty(4, 5)),
    "transposed": (aten.addmm.default, empty(3), empty(2, 4), empty(4, 3, stride=(1, 4))),
    "several outputs": (aten.native_layer_norm.default, empty(2, 4), [4], empty(4), None, 1e-5),
    "another axis": (aten.max.dim, empty(2, 4), 0),
    "a list": (aten.cat.default, [empty(2, 4), empty(3, 4)]),
    "columns first": (aten.add.Tensor, empty(2, 4, stride=(1, 2)), empty(2, 4, stride=(1, 2))),
    "half precision": (aten.add.Tensor, empty(2, 4, dtype=torch.bfloat16), 1),
    "ones of its kind": (aten.ones_like.default, empty(2, 4)),
    "an integer and 1": (aten.add.Tensor, empty(2, dtype=torch.long), 1),
    "an integer and 1.0": (aten.add.Tensor, empty(2, dtype=torch.long), 1.0),
    "a truth and 1": (aten.mul.Tensor, empty(2, dtype=torch.bool), 1),
    "a truth and True": (aten.mul.Tensor, empty(2, dtype=torch.bool), True),
}


def told(out):
    return [(t.shape, t.stride(), t.dtype, t.device) for t in leaves(out, torch.Tensor)]


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_sizes_are_torchs_own(case, again):
    func, *args = CASES[case]
    first = sized(func, args, {})
    out = sized(func, args, {}) if again else first
    assert type(out) is type(func(*args)) and told(out) == told(func(*args))


def test_options_count():
    x = empty(2, 4)
    for dtype in (torch.float64, torch.float16, torch.float64):
        assert sized(aten.sum.dim_IntList, (x, [1]), {"dtype": dtype}).dtype == dtype


def test_two_answers_share_no_memory():
    x = empty(2, 4)
    one, other = (sized(aten.relu.default, (x,), {}) for _ in range(2))
    assert one.untyped_storage()._cdata != other.untyped_storage()._cdata


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(
    ("func", "options"),
    [
        (aten.view.default, [[4, 2]]),
        (aten.t.default, []),
        (aten.detach.default, []),
        (aten.add_.Tensor, [1]),
        (aten._unsafe_view.default, [[4, 2]]),  # its schema does not say so
    ],
)
def test_what_shares_memory_is_not_kept(func, options, again):
    sized(func, (empty(2, 4), *options), {})
    x = empty(2, 4)
    out = sized(func, (x, *options), {})
    assert out.untyped_storage()._cdata == x.untyped_storage()._cdata


def test_an_error_is_torchs_own_each_time():
    for _ in range(2):
        with pytest.raises(RuntimeError, match="same reduction dim"):
            sized(aten.mm.default, (empty(2, 4), empty(3, 4)), {})
