"""python -m experiments: what it offers, and what it says when something is missing."""

import sys

import pytest

from experiments.__main__ import main, names
from specmup import extras


def call(capsys, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["experiments", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code, *capsys.readouterr()


def test_the_help_names_every_experiment(capsys, monkeypatch):
    status, out, err = call(capsys, monkeypatch, "--help")
    assert (status, err) == (0, "")
    assert all(name in out for name in names()) and "second_order" in names()
    assert not {"again", "settings", "reading", "instruments"} & set(names())


def test_a_missing_extra_is_one_sentence(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("SPECMUP_CACHE", str(tmp_path))  # or the text would be found there

    def absent(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(extras, "import_module", absent)
    monkeypatch.chdir(tmp_path)
    arguments = ("gpt_coordinates", "--scale", "quick", "--workers", "1")
    status, _, err = call(capsys, monkeypatch, *arguments)
    assert status == 2
    assert err.endswith("pip install 'specmup[text]'\n")


def test_a_scale_that_an_experiment_lacks(capsys, monkeypatch):
    status, _, err = call(capsys, monkeypatch, "digits_transfer", "--scale", "gpu")
    assert status == 2 and "digits_transfer has the scales" in err
