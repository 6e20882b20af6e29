"""Experiments as they are declared: their jobs, and what they take from one another."""

import hashlib
from importlib import import_module
from inspect import signature

import pandas as pd
import pytest

from experiments.__main__ import names
from experiments.declared import Constant, Experiment, sizes
from specmup.runs.job import Job

# Jobs by scale, and a hash of all their identities: if it changes, what is kept is not found.
JOBS = {
    "activation_depth": ({"quick": 4, "reference": 72}, "2b3884f26538"),
    "adding_up": ({"quick": 6, "reference": 102}, "0762d8a4bd7d"),
    "assumptions": ({"quick": 3, "reference": 142}, "27cd84511e85"),
    "atlas": ({"quick": 12, "slice": 4, "reference": 424}, "caf5dc3039b7"),
    "decay_transfer": ({"quick": 2, "reference": 336}, "3ccc01836b4a"),
    "depth_parts": ({"quick": 1, "reference": 81}, "a984fa757116"),
    "depth_rules": ({"quick": 9, "slice": 3, "reference": 324}, "60278c6e0ca8"),
    "depth_swings": ({"slice": 2, "quick": 6, "reference": 42}, "1a236abf1b35"),
    "digits_transfer": ({"quick": 6, "reference": 32}, "bddf39922527"),
    "end_rates": ({"quick": 2, "reference": 252}, "036f95254065"),
    "feature_diversity": ({"quick": 3, "reference": 28}, "c55f9bc4c293"),
    "foreign_models": ({"quick": 1, "reference": 189}, "f9d73d289749"),
    "gated_branch": ({"quick": 12, "reference": 224}, "d2383190a5a7"),
    "gpt_coordinates": ({"quick": 7, "reference": 360}, "10dab8dba79d"),
    "head_alignment": ({"quick": 2, "reference": 36}, "59a2f49e1eba"),
    "kimi_parts": ({"quick": 1, "reference": 27}, "a65e304e0bfa"),
    "longer_training": ({"quick": 2, "reference": 162}, "cbae78bfef71"),
    "mixed_blocks": ({"quick": 3, "reference": 96}, "69b90d20c7e4"),
    "one_map_depth": ({"quick": 6, "reference": 75}, "9c382a0418c5"),
    "optimizer_transfer": ({"quick": 8, "reference": 203}, "8bd6a76d72e0"),
    "phase_diagram": ({"quick": 24, "reference": 210}, "cde3fde945d8"),
    "ridge": ({"quick": 6, "reference": 72}, "e120be217c73"),
    "second_order": ({"quick": 8, "reference": 160}, "a17188f225f2"),
    "start_sizes": ({"slice": 2, "quick": 1, "reference": 12}, "bb8ae049bbe1"),
    "warm_up": ({"quick": 1, "reference": 24}, "219477092a01"),
    "width_parts": ({"quick": 1, "reference": 51}, "c071ee4e84f4"),
    "your_model": ({"quick": 5, "reference": 288}, "c1cd62e21ed1"),
}


def declared(name):
    return import_module(f"experiments.{name}").EXPERIMENT


def described(width, depth, seeds, step=1):
    return pd.DataFrame({"width": width, "depth": depth, "seed": seeds, "loss": float(step)})


def experiment(scales, **changes):
    return Experiment(described, 1, ("width", "depth", "seed"), {"quick": scales}, **changes)


def test_jobs_are_the_product_over_the_axes_in_their_order():
    axes = {"step": [1, 2], "width, depth": [(8, 2), (4, 3)], "seeds": Constant([0, 1])}
    assert experiment(axes).jobs("quick") == [
        {"step": 1, "width": 8, "depth": 2, "seeds": [0, 1]},
        {"step": 1, "width": 4, "depth": 3, "seeds": [0, 1]},
        {"step": 2, "width": 8, "depth": 2, "seeds": [0, 1]},
        {"step": 2, "width": 4, "depth": 3, "seeds": [0, 1]},
    ]


def test_cases_follow_one_another_or_come_by_size_and_none_is_made_twice():
    one = {"width": [8, 4], "depth": 2, "seeds": Constant([0])}
    cases = [one, one | {"width": 8, "depth": [1, 2]}]
    found = experiment(cases).jobs("quick")
    assert [(job["width"], job["depth"]) for job in found] == [(8, 2), (4, 2), (8, 1)]
    found = experiment(cases, smallest_first=True).jobs("quick")
    assert [(job["width"], job["depth"]) for job in found] == [(4, 2), (8, 1), (8, 2)]


def test_a_job_of_two_cases_is_one_in_whatever_order_these_name_its_options():
    cases = [{"width": [1, 2], "depth": 3}, {"depth": 3, "width": [1]}]
    assert experiment(cases).jobs("quick") == [{"width": n, "depth": 3} for n in (1, 2)]


def test_a_run_makes_the_wanted_jobs():
    some = experiment({"width": [8, 4], "depth": 2, "seeds": Constant([0, 1])})
    assert some.run("quick").frame["width"].tolist() == [8, 8, 4, 4]
    assert set(some.run("quick", wanted=lambda job: job["width"] == 4).frame["width"]) == {4}


def test_a_manifest_says_axes_and_constants():
    axes = {"width, depth": [(8, 2)], "step": 3, "seeds": Constant([0, 1])}
    assert experiment(axes).described("quick")["cases"] == [
        {"axes": {"width, depth": [(8, 2)]}, "constants": {"step": 3, "seeds": [0, 1]}}
    ]


def test_sizes_lie_on_two_lines_through_the_base():
    assert sizes((8, 2), [4, 8], [2, 3]) == [(4, 2), (8, 2), (8, 3)]


@pytest.mark.parametrize("name", names())
def test_every_experiment_has_the_jobs_that_its_kept_pieces_are_named_after(name):
    found, identities = declared(name), []
    for scale in found.scales:
        for job in found.jobs(scale):
            signature(found.point).bind(**job)  # raises TypeError, which names what does not fit
            task = f"{found.point.__module__}.{found.point.__qualname__}"
            identities.append(Job(task, 1, job).identity)
    said = hashlib.sha256(" ".join(identities).encode()).hexdigest()[:12]
    assert ({scale: len(found.jobs(scale)) for scale in found.scales}, said) == JOBS[name]


def points(found, scale):
    """Everything that is run, a tuple for each seed and learning rate."""
    for job in found.jobs(scale):
        bound = signature(found.point).bind(**job)
        bound.apply_defaults()
        options = dict(bound.arguments)
        seeds = options.pop("seeds", None)
        if isinstance(seeds, int):
            seeds = range(seeds)
        lowest, highest = options.pop("rates", (None, None))
        lowest, highest = options.pop("lowest", lowest), options.pop("highest", highest)
        rates = [lowest] if None in (lowest, highest) else range(lowest, highest + 1)
        if found.point.__name__ in ("train_and_expand", "train_and_add"):
            for length in ("steps", "moments"):
                options.pop(length, None)  # a shorter run is the start of a longer one
        for seed in [options.pop("seed")] if seeds is None else seeds:
            for rate in rates:
                yield tuple(sorted((k, repr(v)) for k, v in options.items())), seed, rate


@pytest.mark.parametrize("name", names())
def test_quick_is_a_slice_of_reference(name):
    found = declared(name)
    assert set(points(found, "quick")) <= set(points(found, "reference"))
