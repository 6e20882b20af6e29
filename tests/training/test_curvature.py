import torch

from specmup.data.images import digits
from specmup.models.resnet import ResNetShape, build
from specmup.streams import stream
from specmup.training.curvature import gauss_newton_bartlett
from specmup.training.replicas import replica_optimizer
from specmup.training.resnet import train
from specmup.training.scaling import Settings

SHAPE = ResNetShape(inputs=3, width=4, depth=1, outputs=3, bias=True)
NUMBERS = {role: Settings(std=1.0, learning_rate=0.01) for role in SHAPE.parameters}


def generators(seeds):
    return [stream("labels", seed) for seed in seeds]


def gauss_newton_diagonal(model, x):
    """Mean over samples of Σ_c p_c·(∂ log p_c)², class by class and sample by sample."""
    total = {p: torch.zeros_like(p) for p in model.parameters()}
    for sample in x:
        log_p = model(sample[None])[0].log_softmax(-1)
        for value in log_p:
            gradients = torch.autograd.grad(value, list(total), retain_graph=True)
            for p, g in zip(total, gradients, strict=True):
                total[p] += value.detach().exp() * g.square() / len(x)
    return total


def test_its_mean_is_the_diagonal_of_the_gauss_newton_matrix():
    draws, x = 8000, torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    # Of a model without very rare classes: those would give the mean a tail that its error bar,
    # taken from the same draws, does not know.
    model = build(SHAPE, NUMBERS, 4)
    exact = gauss_newton_diagonal(model, x)
    many = build(SHAPE, NUMBERS, [4] * draws)
    estimates = gauss_newton_bartlett(many, x, generators(range(draws)))
    for (role, p), (_, q) in zip(model.named_parameters(), many.named_parameters(), strict=True):
        each = estimates[q]
        error = each.std(0) / draws**0.5
        assert ((each.mean(0) - exact[p]).abs() <= 5 * error + 1e-6).all(), role
        assert (error <= 0.1 * exact[p] + 1e-3).all()  # so that the comparison says something


def test_a_replica_s_labels_do_not_depend_on_its_company():
    x = torch.randn(3, 4, 3, generator=torch.Generator().manual_seed(0))
    together = build(SHAPE, NUMBERS, [1, 2, 3])
    estimates = gauss_newton_bartlett(together, x, generators([7, 8, 9]))
    alone = build(SHAPE, NUMBERS, 2)
    own = gauss_newton_bartlett(alone, x[1], generators([8]))
    for p, q in zip(together.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(estimates[p][1], own[q])
        assert p.grad is None


def test_a_batch_in_parts_gives_the_same_estimate():
    x = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    for model, some, seeds in ((build(SHAPE, NUMBERS, [1, 2]), x, [7, 8]), (None, x[0], [7])):
        model = model or build(SHAPE, NUMBERS, 1)
        whole = gauss_newton_bartlett(model, some, generators(seeds))
        parts = gauss_newton_bartlett(model, some, generators(seeds), parts=3)
        for p in model.parameters():
            assert whole[p].abs().max() > 0
            torch.testing.assert_close(parts[p], whole[p])


class Recorder:
    """An optimizer that wants curvature every third step and writes down what it gets."""

    curvature_period = 3

    def __init__(self, model):
        self.model, self.steps = model, []

    def zero_grad(self):
        self.model.zero_grad()

    def step(self, curvature=None):
        self.steps.append(curvature)


def test_training_hands_it_over_every_period():
    shape = ResNetShape(inputs=64, width=4, depth=1, outputs=10)
    model = build(shape, NUMBERS, [1, 2])
    recorder = Recorder(model)
    train(model, recorder, digits(), steps=5, batch_size=8, seeds=[1, 2], progress=False)
    assert [step is not None for step in recorder.steps] == [True, False, False, True, False]
    assert set(recorder.steps[3]) == set(model.parameters())
    assert not torch.equal(recorder.steps[0][model.output], recorder.steps[3][model.output])


def test_sophia_averages_what_it_is_handed_and_others_want_nothing():
    shape = ResNetShape(inputs=64, width=4, depth=1, outputs=10)
    model = build(shape, NUMBERS, 1)
    assert replica_optimizer(model, NUMBERS, "adamw").curvature_period is None
    optimizer = replica_optimizer(model, NUMBERS, "sophia", betas=(0.9, 0.5), update_period=2)
    assert optimizer.curvature_period == 2
    for step in range(4):
        for p in model.parameters():
            p.grad = torch.ones_like(p)
        curvature = {p: torch.full_like(p, 4.0) for p in model.parameters()}
        optimizer.step(**({"curvature": curvature} if step < 2 else {}))
    states = optimizer.optimizer.state.values()
    # 2, then 3, and no more: an estimate is averaged in once.
    assert all(torch.all(state["hessian_moment"] == 3.0) for state in states)
