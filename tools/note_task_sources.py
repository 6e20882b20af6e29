"""Note the present code of every task, once its version is raised or its rows cannot differ.

``python tools/note_task_sources.py`` writes ``tests/runs/task_sources.json``: the versions of all
tasks, and a hash of every module that one of them rests on. A test compares it with the code. A
stored result is known by its task's version alone, so whoever changes code that decides rows has to
raise the versions of the tasks that rest on it; the test says which these are.
"""

from __future__ import annotations

import ast
import hashlib
import json
import tomllib
from collections.abc import Mapping
from typing import Any

import modules
from modules import MODULES, ROOT, imported

NOTED = ROOT / "tests" / "runs" / "task_sources.json"
HOW = "python tools/note_task_sources.py"
# They keep, draw and call what tasks give, and decide none of it.
LEFT_OUT = ("specmup.runs", "specmup.figures", "specmup.cli", "experiments.declared")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# Where a task's version stands, and the module that does its work, by its name.
TASKS = {name: (name, name) for name in MODULES if "experiments.declared" in imported(name)}
TASKS["language-model"] = "specmup.sweeps.run", "specmup.sweeps.work"


# What a module reads its numbers from; the grids of a sweep are not among them.
SWEEPS = ROOT / "book" / "sweeps"
READ = {
    "experiments.small_gpt": SWEEPS / "small.toml",
    "experiments.brief_gpt": SWEEPS / "optimizers.toml",
}


def rests_on(module: str) -> set[str]:
    """Our modules whose code decides what a module gives: itself, what it imports, and so on."""
    return modules.rests_on([module], LEFT_OUT)


def digest(source: str) -> str:
    """A hash of a module's code that comments, docstrings and the layout leave as it is."""
    return hashlib.sha256(repr(_plain(ast.parse(source))).encode()).hexdigest()[:16]


def _plain(node: Any) -> Any:
    """A syntax tree in lists; fields that are empty are left out, for Pythons differ in these."""
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if not isinstance(node, ast.AST):
        return node
    told = {key: value for key, value in ast.iter_fields(node) if value not in (None, [])}
    if isinstance(node, DOCUMENTED) and ast.get_docstring(node):
        told["body"] = told["body"][1:]
    return [type(node).__name__, *((key, _plain(value)) for key, value in told.items())]


def present() -> dict[str, dict[str, Any]]:
    """Versions by task and hashes by module, as they are now."""
    needed = set().union(*(rests_on(work) for _, work in TASKS.values()))
    return {
        "versions": {task: _version(stated) for task, (stated, _) in sorted(TASKS.items())},
        "sources": {name: digest(_source(name)) for name in sorted(needed)},
    }


def differences(noted: Mapping[str, Mapping], now: Mapping[str, Mapping]) -> list[str]:
    """What has been changed since it was noted, a sentence a task, with what to do."""
    found = []
    for task, (stated, work) in TASKS.items():
        before, version = noted["versions"].get(task), now["versions"][task]
        changed = [
            m for m in sorted(rests_on(work)) if noted["sources"].get(m) != now["sources"][m]
        ]
        where = MODULES[stated].relative_to(ROOT).as_posix()
        if before is not None and version < before:
            found.append(f"{task} had the version {before}, and has {version}: give a higher one")
        elif version != before:
            found.append(f"{task} has the new version {version}: note it by {HOW}")
        elif changed:
            found.append(
                f"{task}, version {version}, rests on code that was changed: {', '.join(changed)}. "
                f"If its rows can differ, raise it in {where}. Then, or if they cannot, {HOW}"
            )
    return found


def _version(module: str) -> int:
    """What ``VERSION = …`` says, or ``EXPERIMENT = Experiment(version=…)``."""
    for node in ast.parse(_source(module)).body:
        name = getattr(node.targets[0], "id", "") if isinstance(node, ast.Assign) else ""
        if name == "VERSION":
            return ast.literal_eval(node.value)
        if name == "EXPERIMENT":
            return next(
                ast.literal_eval(k.value) for k in node.value.keywords if k.arg == "version"
            )
    raise ValueError(f"{module} has no version: give it one, EXPERIMENT = Experiment(version=1, …)")


def _source(module: str) -> str:
    """The text of a module, and beneath it what it reads from a file."""
    text = MODULES[module].read_text(encoding="utf-8")
    if module in READ:
        told = tomllib.loads(READ[module].read_text(encoding="utf-8"))
        text += repr({table: told[table] for table in sorted(told) if table != "grid"})
    return text


def main() -> None:
    """Write what is there now, and say for which tasks that changes something.

    Raises:
        SystemExit: If a version is lower than it was.
    """
    noted = json.loads(NOTED.read_text()) if NOTED.exists() else {"versions": {}, "sources": {}}
    now = present()
    for task, version in now["versions"].items():
        if version < (before := noted["versions"].get(task, version)):
            raise SystemExit(f"{task} had the version {before}, and has {version}: raise it")
    for line in differences(noted, now):
        print(line)
    NOTED.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
