"""Networks of experts: what they compute, which experts a sample meets, and by which gates."""

from dataclasses import replace

import pytest
import torch

from experiments.instruments.experts import ExpertNet, ExpertShape

SHAPE = ExpertShape(inputs=6, width=8, depth=2, classes=3, experts=4, active=2)


def samples(count=400):
    return torch.randn(count, SHAPE.inputs, generator=torch.Generator().manual_seed(0))


def test_one_expert_with_a_gate_of_one_is_a_residual_network():
    net, x = ExpertNet(replace(SHAPE, experts=1, active=1), 0.5, seed=1), samples(5)
    h = x @ net.input.mT
    for block in range(SHAPE.depth):
        read = h / h.square().mean(-1, keepdim=True).sqrt()
        h = h + 0.5 * read @ net.up[block, 0].mT @ net.down[block, 0].mT
    torch.testing.assert_close(net.features(x), h)
    torch.testing.assert_close(net(x), h @ net.output.mT)


@pytest.mark.parametrize("routing", ["own", "fair"])
@pytest.mark.parametrize(
    ("gates", "together"), [("chosen", (1, 1)), ("all", (0.3, 0.99)), ("sigmoid", (0.3, 1.99))]
)
def test_gates_of_the_chosen_alone_are_open(routing, gates, together):
    net, x = ExpertNet(replace(SHAPE, gates=gates, routing=routing), 1.0, seed=2), samples()
    logits = torch.randn(len(x), SHAPE.experts, generator=torch.Generator().manual_seed(3))
    opened = net.opened(logits, x, 0)
    assert ((opened > 0).sum(-1) == SHAPE.active).all()
    low, high = together
    assert low - 1e-5 <= opened.sum(-1).median() <= high + 1e-5
    if routing == "own":
        assert (opened.argmax(-1) == logits.argmax(-1)).all()


def test_lots_fall_evenly_and_do_not_heed_the_router():
    net, x = ExpertNet(SHAPE, 1.0, seed=2), samples(2000)
    logits = torch.zeros(len(x), SHAPE.experts)
    share = (net.opened(logits, x, 0) > 0).double().mean(0)
    torch.testing.assert_close(share, torch.full_like(share, 1 / 2), atol=0.05, rtol=0)
    logits[:, 0] = 9
    assert torch.equal(net.opened(logits, x, 0) > 0, net.opened(0 * logits, x, 0) > 0)
    assert not torch.equal(net.opened(logits, x, 0) > 0, net.opened(logits, x, 1) > 0)


def test_unknown_words_are_refused():
    for wrong in ({"gates": "hard"}, {"routing": "sorted"}):
        with pytest.raises(ValueError, match=f"unknown {next(iter(wrong))}"):
            ExpertNet(replace(SHAPE, **wrong), 1.0, seed=0)(samples(2))
