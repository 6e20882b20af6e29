"""A convolution in groups is many small maps: what a plan sets follows those of one group."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from specmup.parametrization.plan import make_plan


class Block(nn.Module):
    """A kernel in groups, and two maps of the channels behind it."""

    def __init__(self, kernel, width):
        super().__init__()
        self.kernel = kernel(width)
        self.up, self.down = nn.Conv2d(width, 4 * width, 1), nn.Conv2d(4 * width, width, 1)

    def forward(self, x):
        return x + self.down(F.relu(self.up(self.kernel(x))))


class Model(nn.Module):
    def __init__(self, kernel, width, depth=2):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.ModuleList(Block(kernel, width) for _ in range(depth))
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)))


# At widths 32 and 64 a kernel of 7 × 7 has more inputs than the channels at the one, fewer at the
# other. Each of a depthwise convolution's groups maps 1 channel to 1, whatever the width.
KERNELS = {
    "depthwise": (lambda n: nn.Conv2d(n, n, 7, padding=3, groups=n, bias=False), 1, 1),
    "depthwise, transposed": (
        lambda n: nn.ConvTranspose2d(n, n, 7, padding=3, groups=n, bias=False),
        1,
        1,
    ),
    "4 groups": (lambda n: nn.Conv2d(n, n, 3, padding=1, groups=4, bias=False), 2**-0.5, 0.5),
    "4 groups, transposed": (
        lambda n: nn.ConvTranspose2d(n, n, 3, padding=1, groups=4, bias=False),
        2**-0.5,
        0.5,
    ),
    # Which torch keeps as a length and a direction, in a module that is no convolution itself.
    "4 groups, weight-normalised": (
        lambda n: weight_norm(nn.Conv2d(n, n, 3, padding=1, groups=4, bias=False), dim=2),
        2**-0.5,
        0.5,
    ),
    "one group": (lambda n: nn.Conv2d(n, n, 7, padding=3, bias=False), 2**-0.5, 0.5),
}


@pytest.mark.parametrize(("kernel", "start", "rate"), KERNELS.values(), ids=KERNELS)
def test_its_start_and_its_rate_follow_the_channels_of_one_group(kernel, start, rate):
    torch.manual_seed(0)
    small, large = Model(kernel, 32), Model(kernel, 64)
    plan = make_plan(large, base=small, learning_rate=0.01, example=torch.randn(2, 3, 8, 8))
    (name,) = (n for n in plan if n.startswith("blocks.0.kernel") and not n.endswith("original0"))
    entry = plan[name]
    assert entry.factors.init_std == pytest.approx(start)
    assert entry.factors.learning_rate == pytest.approx(rate)
