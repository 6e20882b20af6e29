"""python -m experiments: what it offers, and what it says when something is missing."""

import signal
import sys
from types import SimpleNamespace

import pytest

from experiments import ridge, small_gpt
from experiments.__main__ import main, names
from specmup import extras
from specmup.data.text import king_james
from specmup.runs.store import RunError


def call(capsys, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["experiments", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code, *capsys.readouterr()


def test_the_help_names_every_experiment(capsys, monkeypatch):
    status, out, err = call(capsys, monkeypatch, "--help")
    assert (status, err) == (0, "")
    assert all(name in out for name in names()) and "second_order" in names()
    assert not {"declared", "small_gpt", "brief_gpt"} & set(names())
    assert not {"again", "settings", "reading", "instruments"} & set(names())


def test_a_missing_extra_is_one_sentence(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("SPECMUP_CACHE", str(tmp_path))  # or the text would be found there
    monkeypatch.setattr(small_gpt, "king_james", king_james.__wrapped__)  # or in this process

    def absent(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(extras, "import_module", absent)
    monkeypatch.chdir(tmp_path)
    arguments = ("gpt_coordinates", "--scale", "quick", "--workers", "1")
    status, _, err = call(capsys, monkeypatch, *arguments)
    assert status == 2
    assert err.endswith("pip install 'specmup[text]'\n")


@pytest.mark.parametrize(
    ("problem", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "stopped: finished pieces are kept, the same command goes on"),
        (signal.SIGTERM, 143, "stopped: finished pieces are kept, the same command goes on"),
        (RunError("the folder is in use"), 2, "python -m experiments: the folder is in use"),
    ],
)
def test_what_stops_an_experiment_is_one_line(capsys, monkeypatch, problem, status, said):
    def stopped(scale, folder, workers, cluster):
        assert (scale, folder.name, workers) == ("quick", "ridge", 3)
        if problem is signal.SIGTERM:
            signal.raise_signal(problem)
        raise problem

    monkeypatch.setattr(ridge, "EXPERIMENT", SimpleNamespace(scales=["quick"], run=stopped))
    code, _, err = call(capsys, monkeypatch, "ridge", "--scale", "quick", "--workers", "3")
    assert (code, err) == (status, f"{said}\n")


def test_a_scale_that_an_experiment_lacks(capsys, monkeypatch):
    status, _, err = call(capsys, monkeypatch, "digits_transfer", "--scale", "gpu")
    assert status == 2 and "digits_transfer has the scales" in err
