"""A manifest holds what a row needs beyond its grid."""

import json
from importlib import import_module

import pytest

from experiments.__main__ import names
from experiments.again import OF_SWEEPS
from experiments.settings import settings_of
from specmup.runs.results import load, results_folder

STORED = sorted(path.stem for path in results_folder().glob("*.json"))


@pytest.mark.parametrize("name", names())
def test_the_settings_of_every_experiment_can_be_written_down(name):
    settings = settings_of(import_module(f"experiments.{name}"))
    assert json.loads(json.dumps(settings, allow_nan=False)) == settings
    assert settings["about"].startswith(("Chapter", "Page"))
    assert " at 0x" not in json.dumps(settings)  # an address says nothing on another day


def test_constants_of_the_module_and_the_base_model_are_there():
    settings = settings_of(import_module("experiments.digits_transfer"))
    assert settings["constants"]["STEPS"] == 89
    assert settings["constants"]["BATCH_SIZE"] == 16
    assert settings["base"]["width"] == 64
    assert settings["base"]["settings"]["hidden"]["std"] == 0.125
    assert "EXPERIMENT" not in settings["constants"] and "_DEPTHS" not in settings["constants"]


def test_so_are_those_of_the_instruments_and_of_the_small_gpt():
    shared = settings_of(import_module("experiments.gpt_coordinates"))["shared"]
    assert shared["experiments.instruments.gpt_steps"]["STEPS"] == 10
    shared = settings_of(import_module("experiments.width_parts"))["shared"]
    assert shared["experiments.small_gpt"]["OPTIONS"]["adamw"] == {"betas": [0.9, 0.95]}
    assert shared["experiments.small_gpt"]["RECIPE"]["steps"] == 250
    shared = settings_of(import_module("experiments.longer_training"))["shared"]
    assert shared["experiments.brief_gpt"]["TRAINING"]["batch_size"] == 8


@pytest.mark.parametrize("name", STORED)
def test_every_stored_result_says_commit_streams_settings_and_rounding(name):
    manifest = load(name).manifest
    assert len(manifest["commit"].split()[0]) == 40
    assert manifest["streams"] in ("shared", "separate")
    assert name in OF_SWEEPS or manifest["configuration"]["settings"]["constants"]
    assert len(manifest["rounding"]["settings"]) >= 5
