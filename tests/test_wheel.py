"""What ``pip install`` gives: plans with the core alone, every command with the laboratory."""

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
from sweep_file import FILE, TEXT

from specmup import __version__
from specmup.__main__ import COMMANDS
from specmup.extras import LAB

ROOT = Path(__file__).resolve().parents[1]
OF_THE_BOOK = ("experiments", "diagrams")
OF_OTHER_EXTRAS = ("tokenizers", "transformers", "datasets", "tiktoken")
# Rooms that cannot be imported without the laboratory.
LABORATORY = ("runs", "data", "training", "probes", "analysis", "figures", "sweeps")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

MINE = """
from specmup import make_plan
from specmup.models.gpt import GPT, GPTShape

def build(width, depth):
    return GPT(GPTShape(16, 8, width, depth, head_dimension=4))

def trained(width, depth):
    model = build(width, depth)
    plan = make_plan(model, base=lambda: build(8, 1), optimizer="adamw", learning_rate=0.01)
    plan.initialise(model, seed=width * depth)
    return model, plan.optimizer(model)
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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy: a build leaves files beside its sources."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(ROOT / "specmup", source / "specmup")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", "-w", folder, source], check=True)
    (built,) = folder.glob("*.whl")
    return built


def installed(wheel: Path, folder: Path, requirements: list[str]) -> Path:
    """A virtual environment that holds the wheel and these requirements; its ``bin``."""
    venv.create(folder / "venv", symlinks=True)
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    for name in closure(requirements):
        link(name, packages)
    programs = folder / "venv" / "bin"
    pip = [sys.executable, "-m", "pip", "--python", programs / "python", "install", "--quiet"]
    # Or pip would take a checkout on the path for what it is to install.
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True, env=variables)
    return programs


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """The core and the laboratory; its ``bin``."""
    folder = tmp_path_factory.mktemp("laboratory")
    lab = PROJECT["optional-dependencies"]["lab"]
    return installed(wheel, folder, [*PROJECT["dependencies"], *lab])


@pytest.fixture(scope="module")
def core(wheel, tmp_path_factory):
    """The declared dependencies and no more; its ``bin``."""
    return installed(wheel, tmp_path_factory.mktemp("core"), PROJECT["dependencies"])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model, a sweep and token files of the user's own."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "mine.py").write_text(MINE)
    (folder / "tiny.toml").write_text(FILE)
    built_in = 'source = "king-james"\nvocabulary = 300'
    (folder / "bible.toml").write_text(FILE.replace(TEXT, built_in))
    tokens = (np.arange(3000) % 16).astype("<u2")
    tokens[:2000].tofile(folder / "train.bin")
    tokens[2000:].tofile(folder / "val.bin")
    return folder


def caller(programs: Path, place: Path):
    """Calls a program of an environment as a user would, in a folder of the user's own."""
    ours = ("PYTHONPATH", "PYTHONHOME", "SPECMUP_RESULTS", "MPLBACKEND")
    variables = {k: v for k, v in os.environ.items() if k not in ours}
    variables |= {"SPECMUP_CACHE": str(place / "cache"), "OMP_NUM_THREADS": "1"}

    def run(program: str, *arguments: str) -> subprocess.CompletedProcess:
        command = [programs / program, *arguments]
        return subprocess.run(command, cwd=place, env=variables, capture_output=True, text=True)

    return run


@pytest.fixture(scope="module")
def call(environment, place):
    return caller(environment, place)


@pytest.fixture(scope="module")
def call_core(core, place):
    return caller(core, place)


def found(call, names) -> dict[str, bool]:
    """Which of these packages an environment can import."""
    code = f"from importlib.util import find_spec; print([bool(find_spec(n)) for n in {names!r}])"
    return dict(zip(names, json.loads(call("python", "-c", code).stdout.lower()), strict=True))


def test_the_environments_hold_what_is_declared_and_not_this_checkout(call, call_core, environment):
    absent = (*OF_OTHER_EXTRAS, *OF_THE_BOOK)
    assert not any(found(call, absent).values()) and all(found(call, LAB).values())
    assert not any(found(call_core, (*absent, *LAB)).values())
    where = call("python", "-c", "import specmup; print(specmup.__file__)").stdout
    assert Path(where).is_relative_to(environment.parent)
    assert (Path(where.strip()).parent / "py.typed").exists()


IMPORT_ALL = """
import importlib, json, pkgutil, specmup
modules = pkgutil.walk_packages(specmup.__path__, "specmup.", onerror=lambda name: None)
missed, names = {}, [module.name for module in modules]
for name in names:
    try:
        name.endswith("__main__") or importlib.import_module(name)
    except ImportError as problem:
        missed[name] = str(problem)
print(json.dumps([len(names), missed]))
"""


def test_every_module_can_be_imported(call):
    done = call("python", "-c", IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    count, missed = json.loads(done.stdout)
    assert missed == {}
    assert count + 1 == len(list((ROOT / "specmup").rglob("*.py")))  # all but itself


def test_the_core_alone_lacks_the_laboratory_and_says_so(call_core):
    done = call_core("python", "-c", IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    _, missed = json.loads(done.stdout)
    for room in LABORATORY:
        said = f"specmup.{room} needs the package pandas: pip install 'specmup[lab]'"
        assert missed.pop(f"specmup.{room}") == said
    assert missed == {}


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
    "audit mine:trained --widths 8,16,32 --depths 1,2,4": "the rule k ≥ 2",
    f"check {MODEL} {BRIEFLY} --figure check.svg": "figure: check.svg",
    "text check . --vocabulary 16 --context 8": "2,000 tokens to train on",
    "sweep run tiny.toml --dry-run": "no run is finished here yet",
    "sweep run bible.toml --dry-run": "no run is finished here yet",
    "sweep run tiny.toml --text-folder . --workers 1": "6 of 6",
    "sweep status tiny.toml": "6 of 6",
    "sweep slurm tiny.toml --tasks 2": "#SBATCH --array=0-1",
    "sweep gather tiny.toml": "0 runs were gathered, 6 were there",
    "sweep verify tiny.toml --text-folder . --runs 1": "now: agrees",
    "sweep collect tiny.toml --results results": "results/tiny.csv",
    "sweep plot tiny.toml": "tiny.svg",
}
# What cannot be done here, and what its message must hold.
REFUSED = {
    "plan --model hf:gpt2 --base n_embd=64 --target n_embd=128": "'specmup[hugging-face]'",
    "check --model hf:gpt2 --base n_embd=64,n_layer=2": "'specmup[hugging-face]'",
    "sweep run bible.toml": "'specmup[text]'",
    "sweep run tiny.toml --text-folder . --engine ray": "'specmup[ray]'",
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


def told(call, place: Path, lines: list[str]) -> dict:
    """Status, output and errors of every line."""
    (place / "lines.json").write_text(json.dumps(lines))
    (place / "call_each.py").write_text(CALL_EACH)
    done = call("python", "call_each.py")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def answers(call, place):
    return told(call, place, [*(f"{command} --help" for command in HELPS), *USES, *REFUSED])


@pytest.fixture(scope="module")
def answers_of_core(call_core, place):
    return told(call_core, place, [*(f"{command} --help" for command in HELPS), *USES])


CORE = ("rules", "plan", "audit")


@pytest.mark.parametrize("line", USES)
def test_a_use_with_the_core_alone(answers_of_core, line):
    told = answers_of_core[line]
    if line.startswith(CORE):
        assert told["status"] == 0, told["err"]
        assert USES[line] in " ".join(told["out"].split())
        return
    assert (told["status"], told["out"], told["err"].count("\n")) == (2, "", 1), told["err"]
    assert "needs the package pandas: pip install 'specmup[lab]'" in told["err"]


@pytest.mark.parametrize("command", HELPS)
def test_help_with_the_core_alone(answers_of_core, answers, command):
    assert answers_of_core[f"{command} --help"] == answers[f"{command} --help"]


def test_the_version(call):
    assert call("specmup", "--version").stdout == f"specmup {__version__}\n"


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
