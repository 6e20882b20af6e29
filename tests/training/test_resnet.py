from functools import partial

import pytest
import torch
from role_settings import settings
from torch import nn
from torch.nn import functional as F

from specmup.data.images import batch_order, digits
from specmup.models.resnet import ResNetShape, build
from specmup.optimizers import muon
from specmup.runs.progress import progress_bar
from specmup.training.resnet import evaluate, replica_losses, replica_optimizer, train
from specmup.training.scaling import Settings

DATA = digits()
SHAPE = ResNetShape(inputs=64, width=16, depth=3, outputs=10, bias=True)
SEEDS = [3, 4, 5]
STEPS, BATCH = 15, 32
RATES = {"sgd": 0.2, "adamw": 0.01, "muon-kimi": 0.02}
OPTIONS = {
    "sgd": {"momentum": 0.5},
    "adamw": {"betas": (0.8, 0.95)},
    "muon-kimi": {"momentum": 0.9, "companion": {"betas": (0.8, 0.95)}},
}


def run(name, rates, seeds=SEEDS, *, shape=SHAPE, dtype=torch.float32, steps=STEPS, **more):
    """A stacked run of one replica a rate."""
    each = [settings(rate) for rate in rates]
    model = build(shape, each[0], seeds).to(dtype)
    optimizer = replica_optimizer(model, each, name, **OPTIONS[name])
    losses = train(
        model, optimizer, DATA, steps=steps, batch_size=BATCH, seeds=seeds, progress=False, **more
    )
    return model, losses


class Plain(nn.Module):
    """One network with one parameter a map, written without the package's model."""

    def __init__(self, stacked, r):
        super().__init__()
        own = {role: p[r].detach().clone() for role, p in stacked.named_parameters()}
        self.first, self.first_bias = map(nn.Parameter, (own["input"], own["input_bias"]))
        self.maps = nn.ParameterList(own["hidden"].flatten(0, 1).unbind())
        self.biases = nn.ParameterList(own["hidden_bias"].flatten(0, 1).unbind())
        self.last = nn.Parameter(own["output"])

    def forward(self, x):
        h = F.linear(x, self.first, self.first_bias)
        for i in range(0, len(self.maps), 2):
            z = F.linear(h, self.maps[i], self.biases[i]).relu()
            h = h + 0.3 * F.linear(z, self.maps[i + 1], self.biases[i + 1])
        return 0.8 * F.linear(h, self.last)


def plain_optimizers(name, model, numbers):
    """The library's optimizers, one group a role, put together by hand."""
    parameters = {
        "input": [model.first],
        "hidden": list(model.maps),
        "output": [model.last],
        "input_bias": [model.first_bias],
        "hidden_bias": list(model.biases),
    }

    def groups(roles, epsilon=True):
        for role in roles:
            s = numbers[role]
            group = {"params": parameters[role], "lr": s.learning_rate}
            yield group | {"weight_decay": s.weight_decay} | ({"eps": s.epsilon} if epsilon else {})

    others = [role for role in parameters if role != "hidden"]
    if name == "sgd":
        return [torch.optim.SGD(list(groups(parameters, epsilon=False)), momentum=0.5)]
    adamw = partial(torch.optim.AdamW, betas=(0.8, 0.95))
    if name == "adamw":
        return [adamw(list(groups(parameters)))]
    muon = partial(torch.optim.Muon, momentum=0.9, adjust_lr_fn="match_rms_adamw")
    return [muon(list(groups(["hidden"], epsilon=False))), adamw(list(groups(others)))]


def newton_schulz(matrices, coefficients, steps, eps):
    """Muon's iteration in the precision of ``matrices`` (..., n, n)."""
    a, b, c = coefficients
    x = matrices / matrices.norm(dim=(-2, -1), keepdim=True).clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


@pytest.mark.parametrize("name", RATES)
def test_stacked_equals_one_by_one(name, monkeypatch):
    # In double precision and without Muon's rounding to bfloat16: processors do not agree on its
    # last digit, and steps amplify it. That our products are the library's is test_muon's to say.
    monkeypatch.setattr(muon, "orthogonalised", newton_schulz)
    monkeypatch.setattr(torch.optim._muon, "_zeropower_via_newtonschulz", newton_schulz)
    dtype, close = torch.float64, {"rtol": 1e-7, "atol": 1e-9}
    rates = [RATES[name] * factor for factor in (0.25, 0.5, 1.0)]
    stacked, losses = run(name, rates, dtype=dtype)
    start = build(SHAPE, settings(1.0), SEEDS).to(dtype)
    for r, (rate, seed) in enumerate(zip(rates, SEEDS, strict=True)):
        model = Plain(start, r)
        optimizers = plain_optimizers(name, model, settings(rate))
        for step, chosen in enumerate(batch_order(len(DATA.train_x), BATCH, STEPS, seed)):
            model.zero_grad()
            loss = F.cross_entropy(model(DATA.train_x[chosen].to(dtype)), DATA.train_y[chosen])
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            torch.testing.assert_close(losses[step, r], loss.detach(), **close)
        hidden = torch.stack(list(model.maps)).view_as(stacked.hidden[r])
        torch.testing.assert_close(stacked.hidden[r], hidden, **close)
        torch.testing.assert_close(stacked.output[r], model.last, **close)
        assert losses[-1, r] < 0.8 * losses[0, r]  # it did learn


@pytest.mark.parametrize("name", RATES)
def test_a_plain_model_trains_as_its_replica_does(name):
    stacked, losses = run(name, [RATES[name]] * 3, dtype=torch.float64)
    numbers = settings(RATES[name])
    plain = build(SHAPE, numbers, SEEDS[1]).double()
    optimizer = replica_optimizer(plain, numbers, name, **OPTIONS[name])
    alone = train(plain, optimizer, DATA, steps=STEPS, batch_size=BATCH, seeds=SEEDS[1])
    assert alone.shape == (STEPS, 1)
    torch.testing.assert_close(alone[:, 0], losses[:, 1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(plain.hidden, stacked.hidden[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", RATES)
def test_a_diverged_replica_is_inf_and_disturbs_no_other(name):
    rate = RATES[name]
    calm, calm_losses = run(name, [rate, rate, rate])
    wild, wild_losses = run(name, [rate, 1e30, rate])
    first = int(wild_losses[:, 1].isinf().nonzero()[0])
    assert 0 < first < 10
    assert wild_losses[first:, 1].isinf().all() and wild_losses[:first, 1].isfinite().all()
    for r in (0, 2):
        assert torch.equal(wild_losses[:, r], calm_losses[:, r])
        for role, parameter in wild.named_parameters():
            assert torch.equal(parameter[r], getattr(calm, role)[r])
    assert evaluate(wild, DATA.test_x, DATA.test_y).isfinite().tolist() == [True, False, True]


def test_a_loss_that_returns_from_nan_stays_inf():
    raw = []

    @torch.no_grad()
    def break_and_mend(step, model):
        raw.append(evaluate(model, DATA.test_x, DATA.test_y))
        if step == 4:
            model.output[1] = torch.nan
        if step == 6:
            for parameter in model.parameters():
                parameter[1] = 0.0
                parameter.grad[1] = 0.0

    shape = ResNetShape(inputs=64, width=16, depth=3, outputs=10)
    model = build(shape, settings(0.01), SEEDS)
    optimizer = replica_optimizer(model, settings(0.01), "sgd")
    losses = train(
        model, optimizer, DATA, steps=9, batch_size=8, seeds=SEEDS, on_step=break_and_mend
    )
    assert torch.stack(raw)[:, 1].isfinite().tolist() == [True] * 5 + [False] * 2 + [True] * 2
    assert losses[:, 1].isfinite().tolist() == [True] * 5 + [False] * 4
    assert losses[:, [0, 2]].isfinite().all()


def test_a_replica_does_not_depend_on_its_company():
    _, together = run("adamw", [0.01] * 3)
    _, alone = run("adamw", [0.01], SEEDS[2:])
    torch.testing.assert_close(together[:, 2:], alone, rtol=1e-5, atol=1e-5)


def test_the_hook_sees_weights_and_gradients_of_each_loss():
    seen = []

    def hook(step, model):
        chosen = torch.stack([batch_order(1437, BATCH, STEPS, seed)[step] for seed in SEEDS])
        loss = replica_losses(model, DATA.train_x[chosen], DATA.train_y[chosen])
        gradient = torch.autograd.grad(loss.sum(), model.hidden)[0]
        torch.testing.assert_close(model.hidden.grad, gradient)
        seen.append(loss.detach())

    _, losses = run("sgd", [0.1] * 3, steps=4, on_step=hook)
    assert len(seen) == 4
    # The order of batches is a prefix, so four steps see the first four of fifteen.
    torch.testing.assert_close(torch.stack(seen), losses)


def test_equal_settings_share_a_group():
    shape = ResNetShape(inputs=64, width=16, depth=3, outputs=10)
    # Only what the optimizer is told decides: the standard deviations differ.
    each = [{role: Settings(std, 0.01) for role in shape.parameters} for std in (0.1, 0.2)]
    each.append({role: Settings(0.1, 0.02) for role in shape.parameters})
    model = build(shape, each[0], SEEDS)
    groups = replica_optimizer(model, each, "adamw").param_groups
    assert [(g["lr"], len(g["params"])) for g in groups] == [(0.01, 6), (0.02, 3)]
    by_map = replica_optimizer(model, each, "muon-kimi").param_groups
    assert [len(g["params"]) for g in by_map] == [2 * 6, 6, 4, 2]


def test_optimizers_update_the_model_s_own_storage():
    model = build(SHAPE, settings(0.1), SEEDS)
    groups = replica_optimizer(model, settings(0.1), "adamw").param_groups
    storages = {p.untyped_storage().data_ptr() for g in groups for p in g["params"]}
    assert storages == {p.untyped_storage().data_ptr() for p in model.parameters()}


def test_evaluate_is_the_mean_over_all_samples():
    model = build(SHAPE, settings(0.1), SEEDS)
    logits = model(DATA.test_x)
    expected = torch.stack([F.cross_entropy(each, DATA.test_y) for each in logits])
    torch.testing.assert_close(evaluate(model, DATA.test_x, DATA.test_y, chunk=77), expected)


@pytest.mark.parametrize(("wish", "shown"), [("1", True), ("0", False), (None, False)])
def test_bars_ask_the_environment_and_the_terminal(monkeypatch, wish, shown):
    if wish is None:
        monkeypatch.delenv("SPECMUP_PROGRESS", raising=False)  # pytest's stderr is no terminal
    else:
        monkeypatch.setenv("SPECMUP_PROGRESS", wish)
    with progress_bar(total=1) as bar:
        assert bar.disable is not shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "adam"}, "unknown optimizer 'adam': choose one of sgd, adamw, lion"),
        ({"settings": [settings(0.1)] * 2}, "2 settings for 3 replicas"),
        (
            {"settings": {"hidden": Settings(1, 1)}},
            "no settings for hidden_bias, input, input_bias",
        ),
        ({"companion": {"betas": (0.9, 0.9)}}, "adamw trains every parameter"),
    ],
)
def test_bad_optimizer_arguments_are_refused(arguments, message):
    model = build(SHAPE, settings(0.1), SEEDS)
    with pytest.raises(ValueError, match=message):
        replica_optimizer(
            **{"model": model, "settings": settings(0.1), "name": "adamw"} | arguments
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"batch_size": 2000}, "batch size 2000 of 1437 samples"),
        ({"seeds": [1]}, "1 seeds for 3 replicas"),
    ],
)
def test_bad_training_arguments_are_refused(arguments, message):
    model = build(SHAPE, settings(0.1), SEEDS)
    optimizer = replica_optimizer(model, settings(0.1), "sgd")
    fine = {"steps": 1, "batch_size": 8, "seeds": SEEDS}
    with pytest.raises(ValueError, match=message):
        train(model, optimizer, DATA, **fine | arguments)
