"""A planned training survives what is done to models and optimizers in practice."""

import copy
import inspect
import io
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
import sharded_training
import torch
from torch.nn import functional as F
from torch.optim import lr_scheduler, swa_utils

from specmup.models.gpt import GPT, GPTShape
from specmup.optimizers import muon
from specmup.parametrization.plan import make_plan
from specmup.theory.tables import ROLES
from specmup.theory.update import LAWS, update_law

OPTIMIZERS = sorted(LAWS)
DECAY = dict.fromkeys(ROLES, 0.1)


def gpt(width=16, depth=3):
    torch.manual_seed(0)
    return GPT(GPTShape(12, 8, width, depth, head_dimension=8, bias=True))


def planned(model, optimizer="adamw", **values):
    given = {"learning_rate": 0.01, "std": 0.1, "weight_decay": DECAY} | values
    return make_plan(model, base=gpt(8, 1), optimizer=optimizer, **given)


def started(optimizer_name="adamw", **options):
    """A model at the plan's start and its optimizer."""
    model = gpt()
    plan = planned(model, optimizer_name)
    plan.initialise(model, seed=0)
    return model, plan.optimizer(model, **options)


def train(model, optimizer, steps, first=0):
    """Train on steps ``first`` to ``first + steps``; the losses."""
    losses = []
    for step in range(first, first + steps):
        x, y = torch.randint(12, (2, 4, 8), generator=torch.Generator().manual_seed(step))
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def same(model, other):
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    return all(torch.equal(p, q) for p, q in pairs)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_deep_copy_trains_as_the_original(optimizer):
    model, trainer = started(optimizer)
    train(model, trainer, 2)
    twin, twin_trainer = copy.deepcopy((model, trainer))
    later = train(twin, twin_trainer, 3, first=2)
    assert not same(model, twin)  # the copy shares nothing with it
    assert later == train(model, trainer, 3, first=2)
    assert same(model, twin)


def test_the_plan_fits_a_copy_of_its_model_and_pickles():
    model = gpt()
    plan = planned(model)
    twin, plan_again = copy.deepcopy(model), copy.deepcopy(plan)
    assert plan_again == plan
    for one, other in zip(plan.groups(model), plan_again.groups(twin), strict=True):
        assert {k: v for k, v in one.items() if k != "params"} == {
            k: v for k, v in other.items() if k != "params"
        }
        shapes = ([p.shape for p in group["params"]] for group in (one, other))
        assert next(shapes) == next(shapes)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_resumes_exactly_from_a_checkpoint(optimizer):
    model, trainer = started(optimizer)
    train(model, trainer, 3)
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": trainer.state_dict()}, file)
    expected = train(model, trainer, 3, first=3)

    file.seek(0)
    saved = torch.load(file, weights_only=True)
    resumed, resumed_trainer = started(optimizer)
    resumed.load_state_dict(saved["model"])
    resumed_trainer.load_state_dict(saved["optimizer"])
    assert train(resumed, resumed_trainer, 3, first=3) == expected
    assert same(model, resumed)


@pytest.mark.parametrize("optimizer", ["adamw", "muon-kimi"])
def test_a_compiled_model_is_planned_and_trained_as_the_plain_one(optimizer):
    model, trainer = started(optimizer)
    twin = gpt()
    compiled = torch.compile(twin, backend="aot_eager")
    plan = planned(compiled, optimizer)  # the wrapper's prefix in the names does not matter
    assert plan.entries == planned(twin, optimizer).entries
    plan.initialise(compiled, seed=0)
    assert train(compiled, plan.optimizer(compiled), 3) == pytest.approx(train(model, trainer, 3))


@pytest.fixture(scope="module")
def sharded(tmp_path_factory):
    """Losses of each rank, two processes forked from one that has imported what they need."""
    store = str(tmp_path_factory.mktemp("fsdp") / "store")
    forked = multiprocessing.get_context("forkserver")
    forked.set_forkserver_preload(
        [
            "torch.distributed.fsdp",
            "torch._dynamo",
            "specmup.parametrization.plan",
            "specmup.optimizers.registry",
        ]
    )
    with ProcessPoolExecutor(sharded_training.WORLD, forked) as pool:
        ranks = [
            pool.submit(sharded_training.train, rank, store, ("adamw", "sgd", "muon-kimi"))
            for rank in range(sharded_training.WORLD)
        ]
        return [rank.result() for rank in ranks]


@pytest.mark.parametrize(
    ("optimizer", "tolerance"),
    [("adamw", 1e-5), ("sgd", 1e-5), ("muon-kimi", 1e-3)],  # Muon's iteration rounds to bfloat16
)
def test_sharded_parameters_train_to_the_same_losses(sharded, optimizer, tolerance):
    for rank in sharded:
        losses = rank[optimizer]
        assert losses["sharded"] == pytest.approx(losses["whole"], rel=tolerance)
        assert losses["sharded"][1:] != losses["sharded"][:-1]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_planning_and_initialising_twice_is_doing_it_once(optimizer):
    model = gpt()
    plan = planned(model, optimizer)
    for seed in (0, None):  # drawn anew; rescaled
        once = copy.deepcopy(plan.initialise(model, seed))
        assert same(plan.initialise(model, seed), once)
    assert planned(model, optimizer) == plan
    first, second = plan.groups(model), plan.groups(model)
    assert str(first) == str(second)


def at_base(optimizer, **values):
    """A model as large as its base, and a copy to be trained by hand."""
    model = gpt(8, 1)
    twin = copy.deepcopy(model)
    plan = planned(model, optimizer, std=None, **values)
    assert same(plan.initialise(model), twin)  # its own start is kept
    return model, twin, plan


@pytest.mark.parametrize(
    ("name", "plain", "options"),
    [
        ("adamw", torch.optim.AdamW, {"betas": (0.9, 0.95)}),
        ("sgd", torch.optim.SGD, {"momentum": 0.9}),
    ],
)
def test_at_the_base_size_it_is_the_plain_optimizer(name, plain, options):
    model, twin, plan = at_base(name)
    assert len(plan.groups(model)) == 1
    by_hand = plain(twin.parameters(), lr=0.01, weight_decay=0.1, fused=True, **options)
    assert train(model, plan.optimizer(model, **options), 5) == train(twin, by_hand, 5)
    assert same(model, twin)


def test_at_the_base_size_a_hybrid_is_its_two_plain_optimizers(monkeypatch):
    monkeypatch.setattr(muon, "product_type", lambda device: torch.bfloat16)  # as the library does
    model, twin, plan = at_base("muon-kimi")
    values = {"lr": 0.01, "weight_decay": 0.1}
    hidden = [p for name, p in twin.named_parameters() if name.startswith("blocks") and p.ndim == 2]
    rest = [p for p in twin.parameters() if not any(p is h for h in hidden)]
    of_matrices = torch.optim.Muon(hidden, adjust_lr_fn="match_rms_adamw", **values)
    adamw = torch.optim.AdamW(rest, fused=True, **values)

    class Both:
        @staticmethod
        def zero_grad():
            twin.zero_grad()

        @staticmethod
        def step():
            of_matrices.step()
            adamw.step()

    assert train(model, plan.optimizer(model), 5) == train(twin, Both, 5)
    assert same(model, twin)


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


# Schedulers that set rates instead of multiplying them take a list, one a group.
SCHEDULERS = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + step)),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda step: 0.9),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 2),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [1, 3]),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o, total_iters=2),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, total_iters=4),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda o: lr_scheduler.PolynomialLR(o, total_iters=9),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 9),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(
        o, [r / 10 for r in rates(o)], rates(o), step_size_up=2, cycle_momentum=False
    ),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(
        o, rates(o), total_steps=9, cycle_momentum=False
    ),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o,
        [lr_scheduler.LinearLR(o, total_iters=2), lr_scheduler.ExponentialLR(o, 0.9)],
        milestones=[2],
    ),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, total_iters=2), lr_scheduler.ExponentialLR(o, 0.9)], o
    ),
    "SWALR": lambda o: swa_utils.SWALR(o, [r / 10 for r in rates(o)], anneal_epochs=3),
}


def test_no_scheduler_of_torch_is_forgotten():
    known = {
        name
        for name, kind in inspect.getmembers(lr_scheduler, inspect.isclass)
        if issubclass(kind, lr_scheduler.LRScheduler) and not name.startswith(("_", "LRS"))
    }
    assert known == set(SCHEDULERS) - {"SWALR"}


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("optimizer", ["adamw", "muon-kimi"])
def test_every_scheduler_keeps_the_ratios_between_groups(name, optimizer):
    model, trainer = started(optimizer)
    before = rates(trainer)
    assert len(set(before)) > 1
    scheduler, seen = SCHEDULERS[name](trainer), []
    for step in range(6):
        train(model, trainer, 1, first=step)
        scheduler.step(*((1.0,) if name == "ReduceLROnPlateau" else ()))
        now = rates(trainer)
        assert [r / now[0] for r in now] == pytest.approx([r / before[0] for r in before])
        seen.append(now[0])
    assert len(set(seen)) > 1


def test_a_rate_of_zero_stops_the_part_that_it_belongs_to():
    """The groups that a scheduler changes are those that are trained with, in a hybrid too."""
    model, trainer = started("muon-kimi")
    twin = copy.deepcopy(model)
    for group in trainer.param_groups:
        group["lr"] = 0.0
    train(model, trainer, 2)
    assert same(model, twin)


def test_every_optimizer_of_matrices_has_its_companion_in_one_object():
    for name in OPTIMIZERS:
        if update_law(name).matrices_only:
            _, trainer = started(name)
            trained = [p for group in trainer.param_groups for p in group["params"]]
            assert isinstance(trainer, torch.optim.Optimizer)
            assert len(trained) == len(list(gpt().parameters()))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lion", "muon-kimi", "shampoo"])
def test_defaults_hold_the_bases_numbers(optimizer):
    """Schedules read there what every group's rate is relative to."""
    model = gpt()
    trainer = planned(model, optimizer, weight_decay=0.25).optimizer(model)
    assert trainer.defaults["lr"] == pytest.approx(0.01)
    assert trainer.defaults["weight_decay"] == pytest.approx(0.25)
    own = planned(model, optimizer, learning_rate={"hidden": 0.03, "*": 0.01}).optimizer(model)
    assert own.defaults["lr"] == pytest.approx(0.03)


@pytest.mark.parametrize("optimizer", ["adamw", "muon-kimi"])
@pytest.mark.parametrize(
    ("schedule", "options"),
    [("polynomial", {"lr_end": 0.001}), ("cosine_with_min_lr", {"min_lr": 0.001})],
)
def test_a_floor_is_a_share_of_every_groups_own_rate(optimizer, schedule, options):
    transformers = pytest.importorskip("transformers")
    model = gpt()
    trainer = planned(model, optimizer).optimizer(model)  # base rate 0.01: the floor is a tenth
    before = [group["lr"] for group in trainer.param_groups]
    scheduler = transformers.get_scheduler(
        schedule, trainer, 0, 4, scheduler_specific_kwargs=options
    )
    for _ in range(4):
        trainer.step()
        scheduler.step()
    after = [group["lr"] for group in trainer.param_groups]
    assert len(set(before)) > 1
    assert after == pytest.approx([rate / 10 for rate in before])
