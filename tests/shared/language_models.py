"""Tokens to read, and weights that are as large in every parameter."""

import torch


def tokens(seed=0, batch=2, length=12):
    return torch.randint(50, (batch, length), generator=torch.Generator().manual_seed(seed))


def randomised(model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return model


def assert_causal(model):
    """A later token changes nothing before it."""
    x = tokens()
    changed = x.clone()
    changed[:, 7] = (x[:, 7] + 1) % 50
    before, after = model(x), model(changed)
    torch.testing.assert_close(before[:, :7], after[:, :7])
    assert not torch.allclose(before[:, 7:], after[:, 7:])


def assert_every_parameter_learns(model, *, tied):
    loss = torch.nn.functional.cross_entropy(model(tokens()).flatten(0, 1), tokens(1).flatten())
    loss.backward()
    assert all(p.grad.abs().max() > 0 for p in model.parameters())
    assert (model.readout.weight is model.tokens.weight) == tied
