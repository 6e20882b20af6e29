"""What ``pip install`` gives: every command, with the declared dependencies and no more."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from specmup.__main__ import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
OF_THE_BOOK = ("experiments",)
OF_EXTRAS = ("tokenizers", "transformers", "datasets", "tiktoken")

MINE = """
from specmup.models.gpt import GPT, GPTShape

def build(width, depth):
    return GPT(GPTShape(16, 8, width, depth, head_dimension=4))
"""
SWEEP = """
name = "tiny"
scale = "quick"
text = { source = "counting", vocabulary = 16 }
model = { context = 8, head_dimension = 4 }
base = { width = 8, depth = 1, std = 0.1 }
training = { steps = 4, batch_size = 4, validation_windows = 8 }

[[grid]]
rules = ["k2"]
optimizers = ["adamw"]
widths = [8, 16]
log2_lr = [-8.0, -6.0, -4.0]
seeds = [0]
"""


def closure(requirements: list[str]) -> set[str]:
    """Names of the distributions that the requirements bring, extras left out."""
    found, waiting = set(), [Requirement(line) for line in requirements]
    while waiting:
        one = waiting.pop()
        if canonicalize_name(one.name) in found or (
            one.marker is not None and not one.marker.evaluate({"extra": ""})
        ):
            continue
        found.add(canonicalize_name(one.name))
        waiting += map(Requirement, distribution(one.name).requires or ())
    return found


def link(name: str, folder: Path) -> None:
    """Make a distribution that is installed here importable from another folder."""
    files = distribution(name).files
    for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
        if not (folder / top).exists():
            (folder / top).symlink_to(distribution(name).locate_file(top))


def wheel(folder: Path) -> Path:
    """The wheel, built from a copy: a build leaves files beside its sources."""
    source = folder / "source"
    shutil.copytree(ROOT / "specmup", source / "specmup")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", "-w", folder, source], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A virtual environment that holds the wheel and its declared dependencies; its ``bin``."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", symlinks=True)
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name in closure(project["dependencies"]):
        link(name, packages)
    programs = folder / "venv" / "bin"
    pip = [sys.executable, "-m", "pip", "--python", programs / "python", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", wheel(folder)], check=True)
    return programs


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model, a sweep and token files of the user's own."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "mine.py").write_text(MINE)
    (folder / "tiny.toml").write_text(SWEEP)
    (folder / "bible.toml").write_text(
        SWEEP.replace('"counting", vocabulary = 16', '"king-james", vocabulary = 300')
    )
    tokens = (np.arange(3000) % 16).astype("<u2")
    tokens[:2000].tofile(folder / "train.bin")
    tokens[2000:].tofile(folder / "val.bin")
    return folder


@pytest.fixture(scope="module")
def call(environment, place):
    """Call a program of the environment as a user would, in a folder of the user's own."""
    ours = ("PYTHONPATH", "PYTHONHOME", "SPECMUP_RESULTS", "MPLBACKEND")
    variables = {k: v for k, v in os.environ.items() if k not in ours}
    variables |= {"SPECMUP_CACHE": str(place / "cache"), "OMP_NUM_THREADS": "1"}

    def run(program: str, *arguments: str) -> subprocess.CompletedProcess:
        command = [environment / program, *arguments]
        return subprocess.run(command, cwd=place, env=variables, capture_output=True, text=True)

    return run


def test_the_environment_has_no_extra_no_code_of_the_book_and_not_this_checkout(call, environment):
    absent = (*OF_EXTRAS, *OF_THE_BOOK)
    names = ", ".join(f"{name!r}: find_spec({name!r})" for name in absent)
    code = f"from importlib.util import find_spec; print({{{names}}})"
    assert call("python", "-c", code).stdout.count("None") == len(absent)
    where = call("python", "-c", "import specmup; print(specmup.__file__)").stdout
    assert Path(where).is_relative_to(environment.parent)


IMPORT_ALL = """
import importlib, pkgutil, specmup
names = [module.name for module in pkgutil.walk_packages(specmup.__path__, "specmup.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(len(names))
"""


def test_every_module_can_be_imported(call):
    done = call("python", "-c", IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) + 1 == len(list((ROOT / "specmup").rglob("*.py")))  # all but itself


def test_the_command_is_installed_and_its_status_is_that_of_the_call(call):
    done = call("specmup", "rules", "--optimizer", "adamw", "--block-depth", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("AdamW, k = 2")
    assert call("specmup", "rules").returncode == 2


HELPS = [
    "",
    *COMMANDS,
    *(
        f"{name} {action}"
        for name, module in COMMANDS.items()
        for action in getattr(module, "ACTIONS", ())
    ),
]
MODEL = "--model mine:build --base width=8,depth=2"
BRIEFLY = "--widths 1 2 3 --depths 1 2 --seeds 1 --steps 1 --length 8"
# In this order: a sweep is run before it is looked at.
USES = {
    "rules --optimizer adamw --block-depth 2": "hidden",
    f"plan {MODEL} --target width=16,depth=4": "width 8 → 16, depth 2 → 4; adamw",
    f"check {MODEL} {BRIEFLY} --figure check.svg": "figure: check.svg",
    "text check . --vocabulary 16 --context 8": "2,000 tokens to train on",
    "sweep run tiny.toml --dry-run": "no run is finished here yet",
    "sweep run bible.toml --dry-run": "no run is finished here yet",
    "sweep run tiny.toml --text-folder . --workers 1": "6 of 6",
    "sweep status tiny.toml": "6 of 6",
    "sweep collect tiny.toml --results results": "results/tiny.csv",
    "sweep plot tiny.toml": "tiny.svg",
}
# What cannot be done here, and what its message must hold.
REFUSED = {
    "plan --model hf:gpt2 --base n_embd=64 --target n_embd=128": "'specmup[hugging-face]'",
    "check --model hf:gpt2 --base n_embd=64,n_layer=2": "'specmup[hugging-face]'",
    "sweep run bible.toml": "'specmup[text]'",
    "text openwebtext web": "'specmup[openwebtext]'",
    "sweep collect tiny.toml": "--results",
    "sweep plot tiny.toml --figure nowhere/tiny.svg": "there is no folder nowhere",
    "text check nowhere": "no token file nowhere/train.bin",
}
# One process for all calls, or importing torch would take most of the time; each goes through the
# entry point of the installed console script.
CALL_EACH = """
import contextlib, io, json, sys, traceback
from importlib.metadata import entry_points

def called(main, line):
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["specmup", *line.split()]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main()
        except SystemExit as stop:
            status = stop.code or 0
        except BaseException:
            traceback.print_exc()
            status = "traceback"
    return {"status": status, "out": out.getvalue(), "err": err.getvalue()}

if __name__ == "__main__":
    (script,) = entry_points(group="console_scripts", name="specmup")
    print(json.dumps({line: called(script.load(), line) for line in json.load(open("lines.json"))}))
"""


@pytest.fixture(scope="module")
def answers(call, place):
    """Status, output and errors of every line."""
    lines = [*(f"{command} --help" for command in HELPS), *USES, *REFUSED]
    (place / "lines.json").write_text(json.dumps(lines))
    (place / "call_each.py").write_text(CALL_EACH)
    done = call("python", "call_each.py")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("command", HELPS)
def test_help(answers, command):
    told = answers[f"{command} --help"]
    assert (told["status"], told["err"]) == (0, "")
    assert told["out"].startswith(f"usage: specmup {command}".rstrip())


@pytest.mark.parametrize("line", USES)
def test_a_real_use(answers, line):
    told = answers[line]
    # A check of one seed and one step may find what it likes.
    assert told["status"] == 0 or (told["status"] == 1 and line.startswith("check")), told["err"]
    assert USES[line] in " ".join(told["out"].split())


@pytest.mark.parametrize("line", REFUSED)
def test_what_is_missing_is_one_sentence_with_the_remedy(answers, line):
    told = answers[line]
    assert (told["status"], told["out"], told["err"].count("\n")) == (2, "", 1), told["err"]
    assert told["err"].startswith(f"specmup {line.split()[0]}")
    assert REFUSED[line] in told["err"]


def test_every_command_has_a_real_use():
    tried = [line.split() for line in (*USES, *REFUSED)]
    assert {words[0] for words in tried} == set(COMMANDS)
    for name in ("sweep", "text"):
        assert {words[1] for words in tried if words[0] == name} == set(COMMANDS[name].ACTIONS)
