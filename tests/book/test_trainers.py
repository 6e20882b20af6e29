"""The recipes of *In your trainer*, as the page has them: right rates and weights, by name."""

import contextlib
import io
import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pages import Settings, read_page
from torch.utils.data import DataLoader

from specmup.inspection.names import parameters_by_name

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "book" / "trainers.md"
NEAR = 1e-5  # of weights that moved by hundredths: other orders of sums


@pytest.fixture(scope="module")
def page():
    """What each section leaves behind and prints, by its heading; the page is executed once."""
    found, names = {}, {"__name__": "page"}
    for place in read_page(PAGE, ROOT, Settings.of(ROOT)).places.values():
        section = found.setdefault(place.section, SimpleNamespace(printed=""))
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(place.source, f"{PAGE.name}, {place.section}", "exec"), names)
        section.printed += out.getvalue()
        vars(section).update({k: v for k, v in names.items() if not k.startswith("_")})
    return found


@pytest.fixture(scope="module")
def by_hand(page):
    """Weights by name after the six steps, with groups, schedule and clipping written out."""
    own = page["In your trainer"]
    model = own.plan.initialise(own.build(64, 4), seed=0)
    entries = {name: own.plan[name] for name in parameters_by_name(model)}
    trainer = torch.optim.AdamW(
        [
            {
                "params": [parameter],
                "lr": entries[name].learning_rate,
                "weight_decay": entries[name].weight_decay,
                "eps": entries[name].epsilon,
            }
            for name, parameter in parameters_by_name(model).items()
        ],
        betas=(0.9, 0.95),
    )
    planned = [group["lr"] for group in trainer.param_groups]
    for step, batch in enumerate(own.texts.split(8)):
        for group, rate in zip(trainer.param_groups, planned, strict=True):
            group["lr"] = rate * factor_at(step)
        trainer.zero_grad()
        model(batch, labels=batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), own.CLIP)
        trainer.step()
    start = parameters_by_name(own.start()[0])
    weights = parameters_by_name(model)
    assert max((weights[name] - start[name]).abs().max() for name in start) > 1000 * NEAR
    return weights


def factor_at(step):
    """Two steps of warm-up, then half a cosine down to a tenth at step 6."""
    if step < 2:
        return step / 2
    return 0.1 + 0.9 * (1 + math.cos(math.pi * (step - 2) / 4)) / 2


def rates_by_name(model, optimizer):
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    return {name: rates[id(p)] for name, p in parameters_by_name(model).items()}


# Section, model and what trains it.
TRAINED = [
    ("Plain PyTorch", lambda names: (names.model, names.optimizer)),
    ("Hugging Face's Trainer", lambda names: (names.trainer.model, names.trainer.optimizer)),
    ("Hugging Face's Trainer", lambda names: (names.planned.model, names.planned.optimizer)),
    ("Accelerate, and gradient accumulation", lambda names: (names.model, names.optimizer)),
    ("Lightning", lambda names: (names.module, *names.trainer.optimizers)),
    ("torch.compile", lambda names: (names.model, names.optimizer)),
    ("FSDP2", lambda names: (names.model, names.optimizer)),
    ("Resuming", lambda names: (names.resumed, names.its_optimizer)),
]


@pytest.mark.parametrize(("section", "trained_in"), TRAINED)
def test_a_recipe_trains_to_the_weights_of_a_loop_by_hand(page, by_hand, section, trained_in):
    plan = page["In your trainer"].plan
    model, optimizer = trained_in(page[section])
    rates = rates_by_name(model, optimizer)
    trained = {name.removeprefix("model."): p for name, p in parameters_by_name(model).items()}
    assert trained.keys() == by_hand.keys()
    assert len(set(rates.values())) > 1
    for name, rate in rates.items():
        assert rate == pytest.approx(plan[name].learning_rate * factor_at(6))
    for name, parameter in trained.items():
        whole = parameter.full_tensor() if hasattr(parameter, "full_tensor") else parameter
        torch.testing.assert_close(whole, by_hand[name], rtol=0, atol=NEAR)


def test_the_trainer_left_alone_has_one_rate(page):
    """The factor by which each parameter is then too fast is the one that the page speaks of."""
    plan, alone = page["In your trainer"].plan, page["Hugging Face's Trainer"].alone
    rates = rates_by_name(alone.model, alone.optimizer)
    assert list(rates.values()) == pytest.approx([2**-7 * factor_at(6)] * len(rates))
    hidden = {name: rate for name, rate in rates.items() if plan[name].role == "hidden"}
    assert len(hidden) == 16
    for name, rate in hidden.items():
        too_fast = 4 * 2 if "c_proj" in name else 4  # r_n, and r_L where branches end
        assert rate == pytest.approx(too_fast * plan[name].learning_rate * factor_at(6))
    assert "not one factor" in page["Hugging Face's Trainer"].printed


def test_the_trainers_loss_counts_a_token_that_is_not_predicted(page):
    assert page["Hugging Face's Trainer"].share == pytest.approx(15 / 16, rel=1e-3)


def test_a_schedule_by_epochs_moves_nothing(page):
    assert "moved: False" in page["Lightning"].printed


def test_an_optimizer_from_before_the_sharding_is_refused(page):
    assert "does not hold transformer.wte.weight" in page["FSDP2"].printed


def test_schedules_of_one_rate_are_refused_and_lists_are_not(page):
    printed = page["Schedules"].printed
    for schedule in ("one rate", "one floor"):
        assert re.search(rf"^{schedule}: +the rates are not one factor", printed, re.MULTILINE)
    for schedule in ("a list", "a share"):
        assert re.search(rf"^{schedule}: +0\.\d+ times the plan's$", printed, re.MULTILINE)


def test_a_resumed_run_is_the_uninterrupted_one(page):
    section = page["Resuming"]
    assert len(section.later) == 3 and section.later == page["Plain PyTorch"].losses[3:]
    new = section.faster.schedule_factor(section.model, section.optimizer)
    assert new == pytest.approx(0.1)
    assert "0.05" in section.printed


def test_the_vocabulary_changes_no_number(page):
    section = page["A base with another vocabulary"]
    assert section.of_base(64) == section.of_base(256)
    assert section.printed == "True\n"


def test_optax_trains_to_the_weights_that_torch_finds(page):
    section = page["JAX with Optax"]
    jax, optax = section.jax, section.optax
    start = dict(section.small.initialise(section.Residual(64, 4), seed=0).named_parameters())
    trained = {name: p.detach().numpy() for name, p in section.torch_model.named_parameters()}
    params = {name: p.detach().numpy() for name, p in start.items()}
    one_rate = optax.adamw(lambda step: 2**-7 * section.warm_up(step), 0.9, 0.95)
    state = one_rate.init(params)
    gradient_at = jax.jit(jax.grad(section.loss))
    for _ in range(3):
        gradient = gradient_at(params, section.x.numpy(), section.y.numpy())
        updates, state = one_rate.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
    for name, due in trained.items():
        assert abs(section.params[name] - due).max() < NEAR
        if section.small[name].role == "hidden":  # one rate for all would be seen
            assert abs(params[name] - due).max() > 1000 * NEAR


def test_the_trainer_of_hugging_face_resumes_a_planned_run(page, by_hand, tmp_path):
    section = page["Hugging Face's Trainer"]
    arguments = {"output_dir": str(tmp_path), "save_strategy": "steps", "save_steps": 3}
    arguments = replace(section.arguments, **arguments)

    def trainer():
        model, optimizer = page["In your trainer"].start()
        return section.transformers.Trainer(
            model, arguments, train_dataset=section.data, optimizers=(optimizer, None)
        )

    trainer().train()
    resumed = trainer()
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert resumed.state.global_step == 6
    for name, parameter in parameters_by_name(resumed.model).items():
        torch.testing.assert_close(parameter, by_hand[name], rtol=0, atol=NEAR)


def test_lightning_resumes_a_planned_run(page, by_hand, tmp_path):
    section = page["Lightning"]
    texts = page["In your trainer"].texts  # two epochs of three batches: Lightning resumes epochs

    def trainer(epochs):
        return section.lightning.Trainer(
            max_epochs=epochs,
            gradient_clip_val=0.1,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )

    first = trainer(1)
    first.fit(section.Planned(), DataLoader(texts[:24], batch_size=8))
    first.save_checkpoint(tmp_path / "three")
    resumed = section.Planned()
    later = DataLoader(texts[24:], batch_size=8)
    trainer(2).fit(resumed, later, ckpt_path=tmp_path / "three")
    for name, parameter in parameters_by_name(resumed.model).items():
        torch.testing.assert_close(parameter, by_hand[name], rtol=0, atol=NEAR)


def test_two_optimizers_in_one_train_in_every_trainer(page):
    """A companion beside an optimizer of matrices: wrapped, given closures, its state reloaded."""
    own, trainers = page["In your trainer"], page["Hugging Face's Trainer"]
    sizes = {"base": lambda: own.build(16, 2), "learning_rate": own.RATE}
    plan = own.make_plan(lambda: own.build(64, 4), optimizer="muon-kimi", **sizes)

    def start():
        model = plan.initialise(own.build(64, 4), seed=0)
        return model, plan.optimizer(model)

    def by_loop(model, optimizer, schedule):
        page["Plain PyTorch"].train(model, optimizer, schedule, own.texts, [])
        return model, optimizer

    def by_hugging_face():
        model, optimizer = start()
        told = {"train_dataset": trainers.data, "optimizers": (optimizer, None)}
        trainer = trainers.transformers.Trainer(model, trainers.arguments, **told)
        trainer.train()
        return model, trainer.optimizer

    def by_lightning():
        section = page["Lightning"]

        class Other(section.Planned):
            def configure_optimizers(self):
                optimizer = plan.optimizer(self)
                schedule = {"scheduler": own.scheduled(optimizer), "interval": "step"}
                return {"optimizer": optimizer, "lr_scheduler": schedule}

        module = Other()
        plan.initialise(module, seed=0)
        return module, *section.fit(module).optimizers

    model, optimizer = start()
    plain, _ = by_loop(model, optimizer, own.scheduled(optimizer))
    model, optimizer = start()
    accelerator = page["Accelerate, and gradient accumulation"].Accelerator(cpu=True)
    wrapped = accelerator.prepare(model, optimizer, own.scheduled(optimizer))
    for model, optimizer in (by_loop(*wrapped), by_hugging_face(), by_lightning()):
        assert plan.schedule_factor(model, optimizer) == pytest.approx(factor_at(6))
        for found, due in zip(model.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(
                found, due, rtol=0, atol=100 * NEAR
            )  # Muon magnifies rounding
