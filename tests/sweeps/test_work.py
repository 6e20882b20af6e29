"""A run's plan leaves the forward pass alone: looking at models of ours would change nothing."""

from dataclasses import replace

import pytest
import torch

from specmup.models.language import model_of
from specmup.parametrization.plan import make_plan
from specmup.sweeps import work
from specmup.sweeps.growth import requested_runs
from specmup.sweeps.run import RULES

MODELS = {
    "gpt": {},
    "gpt without normalisation": {"normalisation": "none"},
    "gpt with biases": {"bias": True},
    "gpt, tied": {"tied": True},
    "gpt, queries and keys normed": {"qk_norm": True},
    "gpt, 1/d": {"attention_scale": "1/d"},
    "llama": {"kind": "llama"},
}


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_looking_changes_no_number_and_no_start(sweeps, monkeypatch, model, rule, optimizer):
    asked = {}

    def seen(*models, **words):
        asked.update(words)
        return make_plan(*models, **{**words, "verify": True})

    (run, *_) = requested_runs(sweeps.make(), {})
    changed = {"model": {**run.model, **model}, "rule": rule, "optimizer": optimizer}
    run = replace(run, width=32, depth=3, options={}, **changed)
    plain = work.plan_of(run)
    monkeypatch.setattr(work, "make_plan", seen)
    looked = work.plan_of(run)
    assert asked["verify"] is False and looked.multipliers == plain.multipliers
    for one, other in zip(plain.values(), looked.values(), strict=True):
        assert one == replace(other, start=one.start)
    models = [plan.initialise(model_of(run.shape), 3) for plan in (plain, looked)]
    pairs = zip(*(m.parameters() for m in models), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)
