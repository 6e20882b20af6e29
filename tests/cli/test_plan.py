"""``specmup plan``, as a user calls it."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from specmup.__main__ import main

SIZES = ["--base", "n_embd=64,n_layer=2", "--target", "n_embd=128,n_layer=4"]
OWN = ["--base", "width=16,depth=2", "--target", "width=32,depth=4"]


@pytest.fixture
def own_model(tmp_path, monkeypatch):
    """A module of the user's own, with a factory of a network that no family knows."""
    (tmp_path / "mine.py").write_text(
        """
from torch import nn

def build(width, depth):
    blocks = nn.ModuleList(
        nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        for _ in range(depth)
    )
    return nn.ModuleDict({"stem": nn.Linear(3, width), "blocks": blocks})
"""
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield ["plan", "--model", "mine:build", *OWN]
    sys.modules.pop("mine", None)


def test_a_hugging_face_model_as_a_table(capsys):
    pytest.importorskip("transformers")
    assert main(["plan", "--model", "hf:gpt2", *SIZES, "--optimizer", "muon-kimi"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("GPT-2: width 64 → 128, depth 2 → 4; muon-kimi, k = 2, folded gauge")
    assert "heads keep their dimension of 64" in out
    assert "transformer.wte.weight = lm_head.weight" in out


def test_ones_own_model_as_json(own_model, capsys):
    more = ["--block-depth", "2", "--branch-ends", "blocks.*.2", "--format", "json"]
    values = ["--learning-rate", "hidden=0.2,*=0.1", "--std", "0.1", "--weight-decay", "0.5"]
    assert main([*own_model, *more, *values]) == 0
    told = json.loads(capsys.readouterr().out)
    last = told["parameters"]["blocks.3.2.weight"]
    assert last["learning_rate"] == pytest.approx(0.2 / 2 / 2)  # 1/r_n, and 1/r_L folded in
    assert last["weight_decay"] == pytest.approx(0.5 * 4)
    assert told["parameters"]["stem.weight"]["learning_rate"] == 0.1


def test_a_declaration_is_suggested_and_can_be_pasted(own_model, capsys):
    assert main([*own_model, "--suggest"]) == 0
    options, arguments, *reasons = capsys.readouterr().out.splitlines()
    assert arguments == "branch_ends=['blocks.*.2'], block_depth=2"
    assert any("end a branch" in reason for reason in reasons)
    pasted = shlex.split(options)
    assert main([*own_model, *pasted]) == 0
    assert "declared architecture: width 16 → 32" in capsys.readouterr().out
    assert main([*own_model, *pasted, "--suggest"]) == 0
    assert capsys.readouterr().out == "nothing needs to be declared\n"


def test_places_on_the_command_line(own_model, capsys):
    main([*own_model, "--block-depth", "2", "--places", "blocks.*.2=branch_end"])
    assert "declared architecture: width 16 → 32" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "gpt2", *SIZES], "write hf:gpt2"),
        (["--model", "hf:gpt9", *SIZES], "for the model type 'gpt9'"),
        (["--model", "hf:t5", *SIZES], "has no size 'n_embd'"),
        (
            ["--model", "hf:vit", "--base", "depth=2", "--target", "depth=4"],
            "no language model hf:vit",
        ),
        (["--model", "nowhere:build", *SIZES], "cannot be found"),
        (["--model", "json:dumps", *SIZES], "does not take the sizes"),
        (["--model", "hf:gpt2", "--base", "64", *SIZES[2:]], "write name=integer"),
        (["--model", "hf:gpt2", *SIZES, "--optimizer", "adam"], "choose one of sgd"),
        (["--model", "hf:gpt2", *SIZES, "--learning-rate", "fast"], "neither a number nor"),
        (["--model", "hf:gpt2", *SIZES, "--format", "xml"], "markdown"),
        (["--model", "hf:gpt2", "--base", "n_embd=65", "--target", "n_layer=2"], "multiple of 64"),
        (["--model", "hf:gpt2"], "--base"),
    ],
)
def test_bad_input_exits_2_with_one_line(arguments, says, capsys):
    pytest.importorskip("transformers")
    with pytest.raises(SystemExit) as stop:
        main(["plan", *arguments])
    printed = capsys.readouterr()
    assert stop.value.code == 2
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert says in printed.err


THEIRS = """
def refuses(width, depth):
    assert width % 7 == 0, "the width\\nmust be a multiple of 7"

def breaks(width, depth):
    raise RuntimeError("boom")
"""
# A command by what it says of sizes at which a function fails.
ASKED = {
    "makes no model of width=50, depth=2 (": ["plan", "--target", "width=50,depth=2"],
    "makes no model of width=10, depth=2 (": ["check"],
    "fails at width 10 and depth 2 (": ["audit", "--widths", "10,20,30", "--depths", "2"],
}


@pytest.mark.parametrize("where", ASKED)
@pytest.mark.parametrize(
    ("function", "code", "says"),
    [
        ("theirs:refuses", THEIRS, "(AssertionError: the width must be a multiple of 7)"),
        ("theirs:breaks", THEIRS, "(RuntimeError: boom)"),
        ("theirs:nothing", THEIRS, "theirs:nothing cannot be found (module 'theirs' has no"),
        ("theirs:f", "def f(:", "theirs cannot be imported (SyntaxError: invalid syntax"),
        ("theirs:f", "import nowhere", "theirs cannot be imported (ModuleNotFoundError: No mod"),
        ("theirs:f", "import json; json.f", "theirs cannot be imported (AttributeError: module"),
    ],
)
def test_what_fails_in_code_of_theirs_is_told_in_one_line(
    where, function, code, says, tmp_path, monkeypatch, capsys
):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "theirs", raising=False)
    (tmp_path / "theirs.py").write_text(code)
    command, *options = ASKED[where]
    named = [function] if command == "audit" else ["--model", function, "--base=width=10,depth=2"]
    with pytest.raises(SystemExit) as stop:
        main([command, *named, *options])
    printed = capsys.readouterr()
    assert (stop.value.code, printed.out, printed.err.count("\n")) == (2, "", 1)
    assert says in printed.err
    assert (f"{function} {where}" in printed.err) == (
        function in ("theirs:refuses", "theirs:breaks")
    )


def test_a_function_that_makes_no_model_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "forgetful.py").write_text("def build(width):\n    pass\n")
    with pytest.raises(SystemExit):
        main(["plan", "--model", "forgetful:build", "--base", "width=8", "--target", "width=16"])
    said = "forgetful:build made a NoneType: it must return a module"
    assert said in capsys.readouterr().err


def test_without_transformers_the_error_says_so(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(SystemExit) as stop:
        main(["plan", "--model", "hf:gpt2", *SIZES])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "pip install 'specmup[hugging-face]'" in error and error.count("\n") == 1


def test_the_installed_command_finds_a_model_in_the_current_folder(own_model, monkeypatch, capsys):
    folder = next(path for path in sys.path if (Path(path) / "mine.py").exists())
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", folder)])
    more = ["--block-depth", "2", "--branch-ends", "blocks.*.2"]
    with pytest.raises(SystemExit):
        main([*own_model, *more])
    assert "PYTHONPATH" in capsys.readouterr().err
    monkeypatch.chdir(folder)
    assert main([*own_model, *more]) == 0
