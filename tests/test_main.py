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


SMALL_CHECK = [
    *("check", "--model", "hf:gpt2", "--base", "n_embd=32,n_head=2,n_layer=2", "--std", "0.02"),
    *("--widths", "1", "2", "3", "--depths", "1", "2", "3", "--seeds", "1", "--steps", "2"),
]


def test_check_prints_slopes_a_verdict_and_writes_a_figure(capsys, tmp_path):
    figure = tmp_path / "check.svg"
    assert main([*SMALL_CHECK, "--figure", str(figure)]) in (0, 1)
    out = capsys.readouterr().out
    for rule in ("plan", "sp"):
        for feature in ("last", "logits", "attention"):
            assert f"{rule:<6}{feature:<11}width  slope" in out
    assert "width grows: n_embd 32 → 96, n_head 2 → 6\n" in out
    assert "depth grows: n_layer 2 → 6\n" in out
    assert "\nplan: " in out
    assert "\nthe base under the plan: it learns: loss 2.7" in out
    assert figure.stat().st_size > 1000


def test_a_rate_that_teaches_nothing_is_told_although_all_is_level(capsys):
    main([*SMALL_CHECK, "--learning-rate", "1e-9"])
    out = capsys.readouterr().out
    assert "the base under the plan: it does not learn: loss 2.7" in out
    assert "\n  1e-09: transformer.wte.weight, " in out


def test_check_fails_where_the_rate_makes_the_model_diverge(capsys):
    assert main([*SMALL_CHECK, "--optimizer", "sgd", "--learning-rate", "1e30"]) == 1
    assert "diverged" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["--base", "vocab_size=32"], "--width-names"),
        (["--depth-names", "n_head", "layers"], "--depth-names"),
        (["--width-names", "n_head", "--widths", "1", "2", "4"], "the width does not grow"),
        (["--seeds", "0"], "--seeds"),
        (["--widths", "1", "2", "--depths", "1", "2"], "three sizes"),
        (["--widths", "1", "2", "2", "--depths", "1"], "give three different factors"),
        (["--widths", "1", "2", "0"], "--widths is [1, 2, 0]: give factors of at least 1"),
        (["--depths", "1", "2", "-3"], "--depths is [1, 2, -3]: give factors of at least 1"),
        (["--steps", "0"], "--steps is 0: give at least 1"),
        (["--places", "wte=door"], "unknown place 'door' for wte"),
        (["--length", "2000"], "cannot learn from made-up text of"),
        (["--fixed", "vocab_size=8"], "see --vocabulary and --length"),
    ],
)
def test_a_check_of_nothing_is_refused(changes, says, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*SMALL_CHECK, *changes])
    printed = capsys.readouterr()
    assert stop.value.code == 2
    assert says in printed.err
    before_training = ("three", "at least 1")
    assert printed.out == "" or not any(word in says for word in before_training)


def test_a_reader_that_has_seen_enough_is_no_error():
    command = f"{sys.executable} -m specmup rules --optimizer sgd --block-depth 2 | true"
    done = subprocess.run(command, shell=True, capture_output=True, check=True, text=True)
    assert done.stderr == ""
