"""The command line, as a user calls it."""

import json
import subprocess
import sys

import pytest

from specmup.__main__ import main


def test_rules_as_json(capsys):
    assert main(["rules", "--optimizer", "adamw", "--block-depth", "2", "--format", "json"]) == 0
    hidden = json.loads(capsys.readouterr().out)[1]
    assert hidden["role"] == "hidden"
    assert hidden["multiplier"] == {"n": "0", "L": "-1"}
    assert hidden["learning_rate"] == {"n": "-1", "L": "0"}


def test_rules_as_a_table(capsys):
    main(["rules", "--optimizer", "sgd", "--block-depth", "1"])
    out = capsys.readouterr().out
    assert out.startswith("SGD, k = 1\nrole")
    assert "hidden       r_L^-1/2" in out


@pytest.mark.parametrize(
    ("arguments", "lists"),
    [
        (["rules", "--optimizer", "adam", "--block-depth", "2"], "sgd, adamw, lion"),
        (["rules", "--optimizer", "sgd", "--block-depth", "0"], "1 (Depth-μP), 2 (CompleteP)"),
        (["rules", "--optimizer", "sgd", "--block-depth", "two"], "--block-depth"),
        (["rules", "--optimizer", "sgd", "--block-depth", "2", "--format", "xml"], "json"),
        (["rule"], "rules"),
    ],
)
def test_bad_input_exits_2_with_one_line_that_lists_what_exists(arguments, lists, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    printed = capsys.readouterr()
    assert stop.value.code == 2
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert lists in printed.err


def test_the_module_runs_as_a_command():
    command = [sys.executable, "-m", "specmup", "rules", "--optimizer", "sgd", "--block-depth", "2"]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout
