"""The tools behind the Makefile: nothing is done twice, and no failure is forgotten."""

import os
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import run_checks
import setup_environment
from packaging.requirements import Requirement
from run_checks import Stage

ROOT = Path(setup_environment.__file__).resolve().parent.parent


@pytest.fixture
def stages(monkeypatch):
    passing, failing = [sys.executable, "-c", ""], [sys.executable, "-c", "raise SystemExit(3)"]
    fakes = (
        Stage("first", "passes, then fails", (passing, failing)),
        Stage("second", "passes", (passing,)),
        Stage("browser", "needs a browser", (passing,)),
    )
    monkeypatch.setattr(run_checks, "STAGES", fakes)


def test_every_stage_runs_and_the_summary_names_what_failed(stages, capfd):
    assert run_checks.main(["first", "second"]) == 1
    printed = capfd.readouterr().out
    assert "second     passed" in printed
    assert printed.rstrip().endswith("failed: first")


def test_passing_stages_pass(stages, capfd):
    assert run_checks.main(["second"]) == 0
    assert "nothing failed" in capfd.readouterr().out


def test_stages_that_leave_a_core_idle_run_side_by_side_and_are_told_apart(
    tmp_path, monkeypatch, capfd
):
    """Each waits for the file of the other, so that one after the other would never end."""
    own, awaited = str(tmp_path / "one"), str(tmp_path / "other")
    passes = """import pathlib, sys, time
own, awaited = map(pathlib.Path, sys.argv[1:])
own.touch()
print(own, flush=True)
while not awaited.exists():
    time.sleep(0.01)
"""
    fails = passes + "sys.exit('why')"
    fakes = (
        Stage("one", "fails", ([sys.executable, "-c", fails, own, awaited],), alone=False),
        Stage("other", "passes", ([sys.executable, "-c", passes, awaited, own],), alone=False),
        Stage("last", "passes", ([sys.executable, "-c", "print('last')"],)),
    )
    monkeypatch.setattr(run_checks, "STAGES", fakes)
    assert run_checks.main(["one", "other", "last"]) == 1
    said = capfd.readouterr().out
    assert re.sub(r" +\d+ s +", " s ", said.replace(f"{tmp_path}/", "")).splitlines() == [
        *("", "=== one: fails", "one", "why"),
        *("", "=== other: passes", "other"),
        *("", "=== last: passes", "last"),
        *("", "=== summary"),
        "one        FAILED s fails",
        "other      passed s passes",
        "last       passed s passes",
        "failed: one",
    ]


def test_lint_looks_at_rules_format_and_types():
    (lint,) = [stage for stage in run_checks.STAGES if stage.name == "lint"]
    assert [command[2] for command in lint.commands] == ["ruff", "ruff", "mypy", "build", "twine"]


def test_an_unknown_stage_is_refused(stages, capfd):
    assert run_checks.main(["third"]) == 2
    assert "first, second, browser" in capfd.readouterr().err


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_without_a_browser_only_ci_fails_and_everybody_is_told(
    stages, monkeypatch, capfd, ci, status
):
    monkeypatch.setattr(run_checks.shutil, "which", lambda name: None)
    monkeypatch.setenv("CI", ci)
    assert run_checks.main(["browser"]) == status
    assert "(no browser)" in capfd.readouterr().out


@pytest.fixture
def environment(tmp_path: Path, monkeypatch) -> Path:
    """A folder that looks installed."""
    venv = tmp_path / ".venv"
    monkeypatch.setattr(setup_environment, "ROOT", tmp_path)
    monkeypatch.setattr(setup_environment, "VENV", venv)
    monkeypatch.setattr(setup_environment, "STAMP", venv / "installed.sha256")
    (venv / "bin").mkdir(parents=True)
    (venv / "lib/python3/site-packages").mkdir(parents=True)
    (venv / "bin" / "python").touch()
    (tmp_path / "requirements.txt").write_text("torch==1")
    (tmp_path / "pyproject.toml").write_text("[project]")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "pyproject.toml").write_text("[project]")
    (venv / "installed.sha256").write_text(setup_environment.wanted())
    return tmp_path


def test_an_installed_environment_is_left_alone(environment: Path, monkeypatch):
    monkeypatch.setattr(setup_environment, "install", lambda: pytest.fail("installed again"))
    assert setup_environment.main() == 0


@pytest.mark.parametrize(
    "name", ["requirements.txt", "pyproject.toml", "book/pyproject.toml", ".venv/bin/python"]
)
def test_another_pin_or_a_lost_interpreter_installs_again(environment: Path, name: str):
    path = environment / name
    path.unlink()
    if name != ".venv/bin/python":
        path.write_text("edited")
    assert not setup_environment.is_installed()


def test_another_pin_without_dependencies_installs_again(environment: Path, monkeypatch):
    monkeypatch.setattr(setup_environment, "WITHOUT_DEPENDENCIES", ("mup==2",))
    assert not setup_environment.is_installed()


def test_what_would_bring_torchvision_is_installed_without_dependencies(environment, monkeypatch):
    steps = []
    monkeypatch.setattr(setup_environment, "has_other_version", lambda: False)
    monkeypatch.setattr(setup_environment, "watch", lambda step, _: steps.append([*map(str, step)]))
    monkeypatch.setattr(setup_environment.subprocess, "run", lambda *_, **__: None)
    setup_environment.install()
    (mup,) = [step for step in steps if any("mup==" in word for word in step)]
    assert "--no-deps" in mup
    assert all("--no-compile" in step for step in steps)
    assert setup_environment.is_installed()


def test_what_is_installed_is_compiled_whatever_else_lies_there(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(setup_environment, "python", lambda: Path(sys.executable))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # or each process would compile it anew
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("VALUE = 1\n")
    (package / "template.py").write_text("{{ name }} = 1 +\n")
    (package / "tests").mkdir()
    (package / "tests" / "test_one.py").write_text("VALUE = 1\n")
    setup_environment.compile_all(tmp_path)
    compiled = [path.name.split(".")[0] for path in package.glob("**/*.pyc")]
    assert compiled == ["__init__"]
    assert capfd.readouterr() == ("", "")


def test_figures_follow_neither_the_users_settings_nor_their_list_of_fonts(tmp_path):
    home = tmp_path / "matplotlib"
    home.mkdir()
    (home / "matplotlibrc").write_text("lines.linewidth: 7")
    ask = "import matplotlib as m; print(m.get_cachedir(), m.rcParams['lines.linewidth'])"
    rule = f'--eval=ask: ; @{sys.executable} -c "{ask}"'
    answer = subprocess.run(
        ["make", "--no-print-directory", "-C", ROOT, rule, "ask"],
        env={**os.environ, "MPLCONFIGDIR": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == [str((ROOT / ".venv" / "matplotlib").resolve()), "1.5"]


def test_what_the_package_needs_is_pinned_at_a_version_that_it_accepts():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pins = dict(line.split()[0].split("==") for line in lines if "==" in line.split("#")[0])
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = needed["optional-dependencies"].values()
    for requirement in map(Requirement, chain(needed["dependencies"], *extras)):
        if requirement.name == needed["name"]:  # an extra that brings another one
            continue
        assert pins[requirement.name] in requirement.specifier


def test_an_old_python_is_told_what_is_needed(environment: Path, monkeypatch, capsys):
    monkeypatch.setattr(setup_environment, "OLDEST", (99, 0))
    assert setup_environment.main() == 1
    assert "99.0 or newer is needed" in capsys.readouterr().err
