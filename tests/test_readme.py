"""What README.md shows is what happens."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

import specmup
from specmup.__main__ import main

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def test_the_code_prints_what_is_shown():
    (shown,) = blocks("text")
    printed, names = io.StringIO(), {}
    with contextlib.redirect_stdout(printed):
        for code in blocks("python"):
            exec(compile(code, "README.md", "exec"), names)
    assert printed.getvalue() == shown


def test_what_is_declared_would_be_asked_for():
    names = {"specmup": specmup}
    exec(compile(blocks("python")[1], "README.md", "exec"), names)
    sizes = (names["Encoder"](*size) for size in ((128, 2), (64, 1)))
    with pytest.raises(ValueError) as asked:
        specmup.make_plan(next(sizes), base=next(sizes))
    for told in ("out_proj", "linear2", "block_depth=2", "places={'token': 'embedding'}"):
        assert told in str(asked.value).splitlines()[0]
    assert not any("dimension of a head" in note for note in names["plan"].notes)


# Enough to see that a command runs.
BRIEFLY = {
    "check": ["--seeds", "1", "--steps", "1", "--widths", "1", "2", "3", "--depths", "1", "2"],
    "sweep": ["--dry-run"],
    "audit": ["--widths", "16,32,64"],
}
# Training code as a reader may have it.
MYTRAIN = """
import specmup
from specmup.models.gpt import GPT, GPTShape


def gpt(width, depth):
    return GPT(GPTShape(32, 8, width, depth, head_dimension=8))


def build(width, depth):
    model, base = gpt(width, depth), lambda: gpt(16, 2)
    plan = specmup.make_plan(model, base=base, learning_rate=0.01, std=0.02)
    return plan.initialise(model, seed=0), plan.optimizer(model)
"""
# What a command prints, or the file that it writes.
SHOWN = {
    "plan": "hidden",
    "rules": "hidden",
    "check": "check.svg",
    "sweep": "hours",
    "audit": "the rule k ≥ 2",
}


def test_the_commands_exist(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book").symlink_to(ROOT / "book")
    (tmp_path / "mytrain.py").write_text(MYTRAIN)
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    lines = "".join(blocks("console")).splitlines()
    assert {line.split()[1] for line in lines if line.startswith("make ")} <= targets
    for line in lines:
        if re.match(r"(\.venv/bin/)?specmup ", line):
            command, *options = shlex.split(line)[1:]
            assert main([command, *options, *BRIEFLY.get(command, [])]) == 0
            shown = SHOWN[command]
            assert shown in capsys.readouterr().out or (tmp_path / shown).exists()


def test_the_files_exist():
    for name in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / name).exists()
