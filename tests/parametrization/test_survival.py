"""A planned training survives what is done to models and optimizers in practice."""

import copy
import io
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
import sharded_training
import torch
from planned_training import gpt, planned, same, started, train
from torch.distributed.checkpoint import state_dict as by_names

from specmup.optimizers import muon
from specmup.theory.update import LAWS, update_law

OPTIMIZERS = sorted(LAWS)


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
    plan.initialise(model, seed=0)
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


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_resumes_exactly_from_a_checkpoint_by_names(optimizer):
    """As ``torch.distributed.checkpoint`` keeps it, whatever the number of processes."""
    model, trainer = started(optimizer)
    train(model, trainer, 3)
    saved = copy.deepcopy(by_names.get_state_dict(model, trainer))
    expected = train(model, trainer, 3, first=3)

    resumed, resumed_trainer = started(optimizer)
    weights, states = saved
    by_names.set_state_dict(
        resumed, resumed_trainer, model_state_dict=weights, optim_state_dict=states
    )
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
    [("adamw", 1e-5), ("sgd", 1e-5), ("muon-kimi", 1e-4)],  # Muon's iteration rounds to bfloat16
)
def test_sharded_parameters_train_to_the_same_losses(sharded, optimizer, tolerance):
    for rank in sharded:
        (losses, factor), (whole, _) = rank[optimizer]["sharded"], rank[optimizer]["whole"]
        assert losses == pytest.approx(whole, rel=tolerance)
        assert losses[1:] != losses[:-1]
        assert factor == pytest.approx(1 / (1 + sharded_training.STEPS))  # of every rate, by name


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
