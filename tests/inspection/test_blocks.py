"""Lists of blocks, though one or every third is of another kind."""

import pytest
import torch
from torch import nn

from specmup.inspection.specs import spec_of
from specmup.parametrization.plan import make_plan

DECLARED = {"branch_ends": ["narrow"], "block_depth": 2}


def odd(residual, at, change):
    """Factory of the unfamiliar network whose blocks ``at`` are changed."""

    def build(width, depth):
        model = residual(width, depth)
        for layer in [list(model.layers)[i] for i in range(depth)[at]]:
            change(layer, width)
        return model

    return build


def more(layer, width):
    layer.more = nn.Linear(width, width)


def other_width(layer, width):
    layer.widen, layer.narrow = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)


def other_kind(layer, width):
    del layer.widen
    layer.alpha, layer.beta = nn.Linear(width, width), nn.Linear(width, 2 * width)


def scale(layer, width):
    layer.scale = nn.Parameter(torch.ones(width))


@pytest.mark.parametrize("change", [more, other_width, other_kind])
@pytest.mark.parametrize("at", [slice(1), slice(-1, None), slice(None, None, 3)], ids=str)
def test_odd_blocks_are_blocks(residual, at, change):
    build = odd(residual, at, change)
    plan = make_plan(build(64, 7), base=build(16, 4), **DECLARED)
    assert (plan.depth.base, plan.depth.target) == (4, 7)
    for block in range(7):
        for name in [n for n in plan if n.startswith(f"layers.{block}.") and n.endswith("weight")]:
            last = name.endswith("narrow.weight")
            assert plan[name].factors.folded == pytest.approx(4 / 7 if last else 1)
            if plan[name].role == "hidden":
                assert plan[name].factors.learning_rate == pytest.approx(
                    1 / 4 * (4 / 7 if last else 1)
                )


@pytest.mark.parametrize("at", [slice(1), slice(-1, None)], ids=str)
def test_what_one_block_alone_has_is_asked_for(residual, at):
    build = odd(residual, at, scale)
    with pytest.raises(ValueError, match=r"scale, of shape \(64,\), has no.*only one block has it"):
        make_plan(build(64, 7), base=build(16, 4), **DECLARED)
    plan = make_plan(build(64, 7), base=build(16, 4), **DECLARED, places={"scale": "input"})
    assert next(e for n, e in plan.items() if n.endswith("scale")).role == "input_bias"

    build = odd(residual, at, lambda layer, width: setattr(layer, "first", nn.LayerNorm(width)))
    with pytest.raises(ValueError, match=r"first\.weight.*only one block has it"):
        make_plan(build(64, 7), base=build(16, 4), **DECLARED)


def test_stages_of_different_widths_are_no_blocks():
    """As a U-Net's way down: each stage has widths of its own, and the depth stays."""

    def stage(n_in, n_out):
        return nn.Sequential(nn.Conv2d(n_in, n_out, 3), nn.ReLU(), nn.Conv2d(n_out, n_out, 3))

    def build(width):
        return nn.ModuleDict(
            {
                "down": nn.ModuleList([stage(3, width), stage(width, 2 * width)]),
                "up": nn.ModuleList([stage(2 * width, width)]),
                "out": nn.Conv2d(width, 3, 1),
            }
        )

    assert "down" not in spec_of(build(8)).depths
    plan = make_plan(build(32), base=build(8))
    roles = {name: e.role for name, e in plan.items() if name.endswith("weight")}
    assert roles["down.0.0.weight"] == "input" and roles["out.weight"] == "output"
    assert roles["down.1.0.weight"] == "hidden" == roles["up.0.2.weight"]
    assert plan["out.weight"].factors.folded == 1 / 4


def test_a_residual_network_of_stages():
    """As a ResNet: stages of widths that grow by one ratio, each with an odd first block."""

    class Bottleneck(nn.Module):
        def __init__(self, n_in, n_out):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(n_in, n_out, 1), nn.BatchNorm2d(n_out)
            self.conv2, self.bn2 = nn.Conv2d(n_out, n_out, 3), nn.BatchNorm2d(n_out)
            if n_in != n_out:
                self.downsample = nn.Conv2d(n_in, n_out, 1)

    def build(n, depth):
        stages = {
            f"layer{i}": nn.Sequential(
                Bottleneck(n * max(1, i), n * 2 * i),
                *(Bottleneck(2 * n * i, 2 * n * i) for _ in range(depth - 1)),
            )
            for i in (1, 2)
        }
        stem = nn.Conv2d(3, n, 7)
        return nn.ModuleDict({"stem": stem, **stages, "fc": nn.Linear(4 * n, 10)})

    told = {"branch_ends": ["conv2"], "block_depth": 2}
    plan = make_plan(build(32, 6), base=build(8, 3), **told, places={"downsample": "branch"})
    assert (plan.width.ratio, plan.depth.ratio) == (4, 2)
    assert plan["stem.weight"].role == "input" and plan["fc.weight"].factors.folded == 1 / 4
    for name in ("layer1.0.conv1", "layer1.5.conv1", "layer2.0.downsample", "layer2.3.conv1"):
        assert plan[f"{name}.weight"].factors.learning_rate == 1 / 4
    assert plan["layer2.5.conv2.weight"].factors.folded == 1 / 2
