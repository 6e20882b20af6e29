"""The loop for language models: schedule, clipping, resume, divergence, precision, norms."""

import math
from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from specmup.data.text import Text
from specmup.models.gpt import GPT, GPTShape
from specmup.parametrization.plan import make_plan
from specmup.runs.files import replacing
from specmup.theory.update import LAWS
from specmup.training.checkpoint import Checkpoint
from specmup.training.language import LOOK_EVERY, train_language_model, validation_loss
from specmup.training.recipe import Recipe

CONTEXT, V = 8, 16
RECIPE = Recipe(steps=24, batch_size=4, warm_up=4, validation_windows=10)


class Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def text():
    """Counting in steps of one or two: a bit of entropy a token, so the loss can fall to ln 2."""
    steps = np.random.default_rng(0).integers(1, 3, size=6000)
    tokens = (np.cumsum(steps) % V).astype(np.uint16)
    return Text("counting", tokens[:5000], tokens[5000:], V)


def small(optimizer="adamw", learning_rate=2.0**-6, seed=0, **plan):
    model = GPT(GPTShape(V, CONTEXT, 16, 2, head_dimension=8))
    base = GPT(GPTShape(V, CONTEXT, 8, 1, head_dimension=8))
    numbers = {"learning_rate": learning_rate, "std": 0.1} | plan
    made = make_plan(model, base=base, optimizer=optimizer, **numbers)
    made.initialise(model, seed)
    return model, made.optimizer(model)


def trained(text, recipe=RECIPE, *, of=None, seed=0, **options):
    model, optimizer = small() if of is None else of
    options = {"context": CONTEXT, "seed": seed, "progress": False} | options
    return train_language_model(model, optimizer, text, recipe, **options)


def test_the_loss_falls_towards_the_entropy_of_the_text(text):
    history = trained(text, Recipe(steps=150, batch_size=16, warm_up=10))
    assert history.losses[0] > 2.5
    assert math.log(2) < history.loss < 1.0
    assert history.diverged_at is None


def test_the_same_seed_gives_the_same_run(text):
    first, again, other = (trained(text, seed=seed) for seed in (3, 3, 4))
    torch.testing.assert_close(first.losses, again.losses, rtol=0, atol=0)
    assert first.loss == again.loss
    assert (first.losses[0] - other.losses[0]).abs() > 1e-4  # one start, other windows


@pytest.mark.parametrize("optimizer", LAWS)
def test_a_run_that_was_stopped_goes_on_exactly(text, tmp_path, optimizer):
    whole = trained(text, of=small(optimizer, 2.0**-8))
    kept = Checkpoint(tmp_path / "run.pt", every=5)

    def stop(step, model):
        if step == 13:
            raise Stopped

    with pytest.raises(Stopped):
        trained(text, of=small(optimizer, 2.0**-8), checkpoint=kept, on_step=stop)
    called = []
    resumed = trained(
        text,
        of=small(optimizer, 2.0**-8, seed=7),  # what is drawn now must not matter
        checkpoint=kept,
        on_step=lambda step, model: called.append(step),
    )
    assert called == list(range(10, RECIPE.steps))
    torch.testing.assert_close(resumed.losses, whole.losses, rtol=0, atol=0)
    assert resumed.validation == whole.validation


def test_a_checkpoint_of_another_run_is_refused(text, tmp_path):
    kept = Checkpoint(tmp_path / "run.pt", every=5)
    trained(text, checkpoint=kept)
    for change in ({"seed": 1}, {"of": small(learning_rate=2.0**-5)}):
        with pytest.raises(ValueError, match=r"is of another run: its (seed|peaks) is"):
            trained(text, checkpoint=kept, **change)


def test_a_checkpoint_of_another_text_of_that_name_is_refused(text, tmp_path):
    kept = Checkpoint(tmp_path / "run.pt", every=5)
    trained(text, checkpoint=kept)
    other = Text(text.name, text.train[::-1].copy(), text.val, V)
    with pytest.raises(ValueError, match="is of another run: its content is"):
        trained(other, checkpoint=kept)


@pytest.mark.parametrize("optimizer", LAWS)
def test_what_an_optimizer_remembers_follows_its_parameters(text, tmp_path, optimizer):
    model, trainer = small(optimizer, 2.0**-8)
    trained(text, Recipe(steps=3, batch_size=4), of=(model, trainer))
    torch.save(trainer.state_dict(), tmp_path / "state.pt")  # as a checkpoint keeps it
    state = torch.load(tmp_path / "state.pt", map_location="cpu", weights_only=True)
    with torch.device("meta"):  # a device that every machine has beside the CPU
        elsewhere = GPT(model.shape)
    base = GPT(GPTShape(V, CONTEXT, 8, 1, head_dimension=8))
    numbers = {"learning_rate": 2.0**-8, "std": 0.1}
    plan = make_plan(GPT(model.shape), base=base, optimizer=optimizer, **numbers)
    resumed = plan.optimizer(plan.set_constants(elsewhere))
    resumed.load_state_dict(state)
    seen = 0
    for parameter, kept in resumed.state.items():
        for name, value in _tensors(kept):
            assert name == "step" or value.device == parameter.device, name
            seen += value.numel() > 1
    assert bool(seen) == (optimizer != "sgd")  # which, without momentum, remembers nothing


def _tensors(kept, name=""):
    """Tensors in what an optimizer keeps of a parameter, however deep, with their names."""
    if isinstance(kept, torch.Tensor):
        yield name, kept
    elif isinstance(kept, dict):
        for key, value in kept.items():
            yield from _tensors(value, key)
    elif isinstance(kept, list | tuple):
        for value in kept:
            yield from _tensors(value, name)
    elif hasattr(kept, "__dict__"):
        yield from _tensors(vars(kept), name)


def test_a_damaged_checkpoint_is_set_aside(text, tmp_path):
    kept = Checkpoint(tmp_path / "run.pt", every=5)
    whole = trained(text, checkpoint=kept)
    kept.path.write_bytes(kept.path.read_bytes()[:-200])
    with pytest.warns(UserWarning, match=r"kept as run\.pt\.damaged"):
        again = trained(text, checkpoint=kept)
    assert again.loss == whole.loss
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.pt", "run.pt.damaged"]


def test_a_checkpoint_that_cannot_be_read_now_is_not_taken_for_damaged(tmp_path, monkeypatch):
    kept = Checkpoint(tmp_path / "run.pt", every=1)
    kept.write({"step": 1}, {"seed": 0})

    def failing(*_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as now, pytest.raises(OSError, match=r"output error: '.*run\.pt'"):
        now.setattr("specmup.training.checkpoint.opened", failing)
        kept.read({"seed": 0})
    assert kept.read({"seed": 0}) == {"step": 1}


def test_a_full_disk_leaves_the_last_checkpoint_whole(tmp_path, monkeypatch):
    kept = Checkpoint(tmp_path / "run.pt", every=1)
    kept.write({"step": 1}, {"seed": 0})

    def full(state, file):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        kept.write({"step": 2}, {"seed": 0})
    assert kept.read({"seed": 0}) == {"step": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["run.pt"]


@pytest.mark.parametrize("what", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("at", range(6))  # of torch's writes
def test_what_interrupts_a_checkpoint_s_writing_is_told_as_it_is(tmp_path, what, at, monkeypatch):
    kept = Checkpoint(tmp_path / "run.pt", every=1)
    kept.write({"step": 1}, {"seed": 0})

    @contextmanager
    def interrupted(path):
        with replacing(path) as file:
            written = count()

            def write(content):
                if next(written) == at:
                    raise what
                return file.write(content)

            yield SimpleNamespace(write=write, flush=file.flush)

    monkeypatch.setattr("specmup.training.checkpoint.replacing", interrupted)
    with pytest.raises(type(what)) as told:
        kept.write({"step": 2, "weights": torch.zeros(5000)}, {"seed": 0})
    assert told.value is what
    assert kept.read({"seed": 0}) == {"step": 1}


def test_a_batch_in_parts_is_the_same_batch(text):
    whole = trained(text, Recipe(steps=10, batch_size=8))
    parts = trained(text, Recipe(steps=10, batch_size=8, accumulation=4))
    torch.testing.assert_close(parts.losses, whole.losses, rtol=1e-4, atol=0)


def test_the_schedule_warms_up_and_falls_to_its_floor(text):
    recipe = Recipe(steps=100, batch_size=2, warm_up=10, floor=0.1)
    assert recipe.factor(0) == pytest.approx(0.1)
    assert recipe.factor(9) == recipe.factor(10) == 1.0
    assert recipe.factor(55) == pytest.approx(0.55)
    assert recipe.factor(99) == pytest.approx(0.1, abs=1e-3)
    seen, (model, optimizer) = [], small(learning_rate=2.0**-6)
    peaks = [group["lr"] for group in optimizer.param_groups]
    assert len(set(peaks)) > 1  # a plan gives each role its own

    def look(step, model):
        seen.append([group["lr"] for group in optimizer.param_groups])

    trained(text, of=(model, optimizer), on_step=look)
    expected = [[peak * RECIPE.factor(step) for peak in peaks] for step in range(RECIPE.steps)]
    assert seen == expected


def test_the_gradient_is_clipped(text):
    norms = {None: [], 0.1: []}
    for clip, found in norms.items():

        def look(step, model, found=found):
            squares = [p.grad.square().sum() for p in model.parameters()]
            found.append(float(torch.stack(squares).sum().sqrt()))

        trained(text, Recipe(steps=5, batch_size=4, clip=clip), on_step=look)
    assert max(norms[0.1]) <= 0.1 * (1 + 1e-5)
    assert min(norms[None]) > 0.1


def test_divergence_ends_a_run_early_and_is_recorded(text):
    calls = []
    history = trained(
        text,
        Recipe(steps=200, batch_size=4, clip=None),
        of=small("sgd", 1e30),
        on_step=lambda step, model: calls.append(step),
    )
    assert history.loss == math.inf
    assert 0 < history.diverged_at < 5
    assert len(calls) <= 2 * LOOK_EVERY
    assert history.losses[: history.diverged_at].isfinite().all()
    assert history.losses[history.diverged_at :].isinf().all()
    assert len(history.losses) == 200


def test_a_last_step_that_ruins_the_model_is_a_divergence(text):
    history = trained(text, Recipe(steps=1, batch_size=4, clip=None), of=small("sgd", 1e38))
    assert history.losses.isfinite().all()
    assert history.diverged_at == 1
    assert history.loss == math.inf


def test_validation_windows_are_fixed_and_cover_each_window_once(text):
    model, _ = small()
    losses = {
        batch: validation_loss(model, text, Recipe(1, batch, validation_windows=10), context=8)
        for batch in (1, 4, 10)
    }
    assert losses[4] == pytest.approx(losses[1], rel=1e-6)
    assert losses[10] == pytest.approx(losses[1], rel=1e-6)
    history = trained(text, Recipe(steps=6, batch_size=4, validate_every=2))
    assert list(history.validation) == [2, 4, 6]


def test_autocast_is_close_to_full_precision_but_not_equal(text):
    whole = trained(text)
    half = trained(text, Recipe(24, 4, warm_up=4, validation_windows=10, autocast=True))
    assert half.loss == pytest.approx(whole.loss, rel=0.02)
    assert half.loss != whole.loss


def test_blocks_are_compiled_once_however_many_they_are(text, monkeypatch):
    graphs, compiled = [], torch.nn.Module.compile

    def counting(graph, inputs):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda module: compiled(module, backend=counting)
    )
    counts, base = [], GPT(GPTShape(V, CONTEXT, 8, 1, head_dimension=8))
    for depth in (1, 3):
        torch.compiler.reset()
        graphs.clear()
        losses = []
        for compile in (False, True):
            model = GPT(GPTShape(V, CONTEXT, 8, depth, head_dimension=8))
            plan = make_plan(model, base=base, learning_rate=2.0**-8, std=0.1)
            names = list(plan.initialise(model, 0).state_dict())
            recipe = Recipe(3, 4, validation_windows=4, compile=compile)
            losses.append(trained(text, recipe, of=(model, plan.optimizer(model))))
            assert list(model.state_dict()) == names
        torch.testing.assert_close(losses[0].losses, losses[1].losses, rtol=0, atol=0)
        assert losses[0].loss == losses[1].loss
        counts.append(len(graphs))
    assert counts[0] == counts[1] >= 2  # one to train and one to validate


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"accumulation": 3}, "does not split into accumulation 3"),
        ({"warm_up": 25}, "warm_up is 25: give 0 to steps = 24"),
        ({"floor": 1.5}, "floor is 1.5"),
        ({"clip": 0.0}, "clip is 0.0"),
    ],
)
def test_recipes_that_cannot_be_run(change, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**{"steps": 24, "batch_size": 4} | change)
