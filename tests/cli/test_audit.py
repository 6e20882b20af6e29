"""``specmup audit``: status, text, JSON, and one line where it cannot be called like that."""

import json
import sys

import pytest

from specmup.__main__ import main

CODE = """
import torch
from planted import gpt, planned

from specmup.theory.order import DEPTH

clean = planned()
slow = planned(fault=("blocks.*.mlp.up.weight", "epsilon", DEPTH))


def plain(width, depth):
    model = gpt(width, depth)
    return model, torch.optim.AdamW(model.parameters(), lr=0.01)


def no_optimizer(width, depth):
    return gpt(width, depth)
"""
SIZES = ["--widths", "16,32,64", "--depths", "2,4,8"]


@pytest.fixture(autouse=True)
def training_code(tmp_path, monkeypatch):
    (tmp_path / "their_code.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "their_code", raising=False)


def test_what_agrees_ends_with_status_0(capsys):
    assert main(["audit", "their_code:clean", *SIZES]) == 0
    assert "this is the rule k ≥ 2 for AdamW" in capsys.readouterr().out


def test_what_does_not_ends_with_status_1_and_says_where(capsys):
    assert main(["audit", "their_code:plain", *SIZES]) == 1
    out = capsys.readouterr().out
    assert "the standard parametrization" in out and "need the rule k ≥ 2" in out
    assert "η ∝ 1, the rule ∝ n^-1: ×4 at n = 64" in out


def test_a_number_that_is_accepted_does_not_fail(capsys):
    assert main(["audit", "their_code:slow", *SIZES]) == 1
    assert main(["audit", "their_code:slow", *SIZES, "--accept", "epsilon"]) == 0
    assert "ε ∝ n^-1, the rule ∝ n^-1·L^-1" in capsys.readouterr().out


def test_json(capsys):
    assert main(["audit", "their_code:plain", *SIZES, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert not told["agrees"] and told["nearest"] == {"width": "SP", "depth": "no rule"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["their_code", *SIZES], "module:function"),
        (["their_code:nothing", *SIZES], "their_code:nothing cannot be found"),
        (["their_code:no_optimizer", *SIZES], "return (model, optimizer)"),
        (["their_code:clean", "--widths", "16,x"], "write 64,128,256"),
        (["their_code:clean", "--widths", "16,32", "--depths", "2"], "give 3 or more"),
        (["their_code:clean", *SIZES, "--optimizer", "adam"], "sgd, adamw, lion"),
    ],
)
def test_bad_input_exits_2_with_one_line(arguments, says, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["audit", *arguments])
    printed = capsys.readouterr()
    assert stop.value.code == 2 and printed.out == ""
    assert printed.err.count("\n") == 1 and says in printed.err
