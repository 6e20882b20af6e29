"""The page *Security and trust*: each of its lines is tried, and none is without a test."""

import ast
import json
import pickle
import re
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sweep_file import FILE

from specmup.__main__ import main
from specmup.data.text import _read_kept
from specmup.parametrization.planned import Plan
from specmup.runs.results import load, save
from specmup.runs.store import Store
from specmup.sweeps.record_check import check_record
from specmup.sweeps.run import Run
from specmup.training.checkpoint import Checkpoint

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "security.md").read_text(encoding="utf-8")
SIZES = ["--base", "n_embd=32,n_head=2,n_layer=2", "--target", "n_embd=64,n_head=2,n_layer=2"]
TRIED: dict[str, Callable] = {}


class Touches:
    """A pickle that makes a file where it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def tries(line: str):
    """Mark the test of a line of the page."""

    def mark(test):
        TRIED[line] = test
        return test

    return mark


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder, with a module that tells when it is imported, and no network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPECMUP_CACHE", str(tmp_path / "cache"))
    Path("stranger.py").write_text("open('ran', 'w').close()\nbuild = None\n")

    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tmp_path


def refused(capsys, *arguments) -> str:
    with pytest.raises(SystemExit) as stop:
        main(list(map(str, arguments)))
    printed = capsys.readouterr()
    assert (stop.value.code, printed.out, printed.err.count("\n")) == (2, "", 1)
    return printed.err


def ran() -> bool:
    return Path("ran").exists()


@tries("a function")
def a_function(here, capsys):
    assert "is NoneType, no function" in refused(
        capsys, "plan", "--model", "stranger:build", *SIZES
    )
    assert ran()  # by its import alone


@tries("a type of model")
def a_type_of_model(here, capsys):
    pytest.importorskip("transformers")
    assert main(["plan", "--model", "hf:gpt2", *SIZES]) == 0
    capsys.readouterr()
    for name in ("owner/name", "../stranger", "stranger", str(here)):
        assert "has no configuration" in refused(capsys, "plan", "--model", f"hf:{name}", *SIZES)
    assert not ran()


@tries("a sweep's file")
def a_sweep(here, capsys):
    for value in ("stranger:build", "!!python/object:stranger", "__import__('stranger')"):
        for old in ('source = "counting"', 'rules = ["k2"]', 'optimizers = ["adamw"]'):
            key, bracket = old.split(" = ")[0], old.endswith("]")
            new = f'{key} = ["{value}"]' if bracket else f'{key} = "{value}"'
            Path("odd.toml").write_text(FILE.replace(old, new))
            refused(capsys, "sweep", "run", "odd.toml", "--dry-run")
    assert not ran()


@tries("a plan")
def a_plan(here, capsys):
    odd = ["", "null", "[]", "{}", "[" * 5000, '{"parameters": 1}', '{"parameters": {"x": {}}}']
    for text in odd:
        with pytest.raises(ValueError, match="the text is no plan") as said:
            Plan.from_json(text)
        assert "\n" not in str(said.value)


@tries("a checkpoint")
def a_checkpoint(here, capsys):
    for name, keep in (("torch", torch.save), ("pickle", pickle.dump)):
        with open(name, "wb") as file:
            keep({"run": {}, "state": Touches(here / "ran")}, file)
        with pytest.warns(UserWarning, match="cannot be read"):
            assert Checkpoint(Path(name), 1).read({}) is None
        assert not ran()


@tries("a record")
def a_record(here, capsys):
    store = Store(here / "store", Run, check_record)
    store.runs.mkdir(parents=True)
    for number, text in enumerate(["null", "1", '"x"', "[]", "{}", "[" * 5000, "\xff", ""]):
        (store.runs / f"{number}.json").write_text(text, encoding="latin-1")
    assert (len(store.read().records), len(store.read().corrupt)) == (0, 8)


@tries("results")
def results(here, capsys):
    frame = pd.DataFrame({"x": [1, 2]})
    save(frame, "runs", scale="quick", configuration={}, wall_seconds=1, folder=here)
    good = json.loads(Path("runs.json").read_text())
    odd = [1, "x", [], {}, None, [[]], {"a": {"b": []}}, 10**400]
    for key in good:
        for value in odd:
            Path("runs.json").write_text(json.dumps(good | {key: value}))
            try:
                load("runs", here)
            except ValueError as problem:
                assert "\n" not in str(problem)


@tries("kept tokens")
def kept_tokens(here, capsys):
    objects = np.array([Touches(here / "ran")], dtype=object)
    np.savez("kept.npz", train=objects, val=objects, sha256="x")
    assert _read_kept(Path("kept.npz"), 16) is None
    assert not ran()


@tries("our own code")
def our_own_code(here, capsys):
    network = {"urllib", "requests", "http", "httpx", "aiohttp", "ftplib"}
    reads = {"pickle", "marshal", "shelve", "dill", "yaml", "cloudpickle", "joblib"}
    uses: dict[str, set[str]] = {}
    for path in (ROOT / "specmup").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [one.name.partition(".")[0] for one in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [(node.module or "").partition(".")[0]]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                names = [f"{node.func.id}()"]
            elif isinstance(node, ast.keyword):
                names = [f"{node.arg}="]
            for name in names:
                uses.setdefault(name, set()).add(path.relative_to(ROOT / "specmup").as_posix())
    assert not {*network, "eval()", "exec()", "compile()", "shell=", "trust_remote_code="} & {*uses}
    assert {name: uses[name] for name in reads & {*uses}} == {"pickle": {"runs/pool.py"}}
    assert uses["socket"] == {"runs/ray_pool.py"}
    assert uses["subprocess"] == {"runs/manifest.py"}


@tries("writes")
def writes(here, capsys):
    before = set(here.rglob("*"))
    main(["rules", "--optimizer", "sgd", "--block-depth", "2"])
    pytest.importorskip("transformers")
    main(["plan", "--model", "hf:gpt2", *SIZES])
    Path("tiny.toml").write_text(FILE)
    main(["sweep", "status", "tiny.toml"])
    assert set(here.rglob("*")) == before | {here / "tiny.toml"}


@tries("a name")
def a_name(here, capsys):
    for name in ("../x", "/tmp/x", "a/b", "..", ".", "a\\b", "a.b", "~", "a\x00"):
        with pytest.raises(ValueError, match="results name"):
            load(name, here)
        told = json.dumps(name)
        Path("odd.toml").write_text(FILE.replace('name = "tiny"', f"name = {told}"))
        for action in ("run", "status", "collect", "plot"):
            refused(capsys, "sweep", action, "odd.toml")


@tries("a link")
def a_link(here, capsys):
    """Under every name: tests/runs/test_files.py."""
    Path("elsewhere").mkdir()
    Path("tiny.toml").write_text(FILE)
    Path("_build/sweeps/tiny").mkdir(parents=True)
    Path("_build/sweeps/tiny/runs").symlink_to(here / "elsewhere")
    assert "is a link" in refused(capsys, "sweep", "status", "tiny.toml")


@tries("words")
def words(here, capsys):
    """In every form: tests/test_foreign.py."""
    assert "\x1b" not in refused(capsys, "plan", "--model", "\x1b[31m", *SIZES)


@tries("an error")
def an_error(here, capsys):
    for model in ("", ":", "a:", ":b", "a..b:c", "..a:b", "hf:", "no_such:thing", "os:no_such"):
        refused(capsys, "plan", "--model", model, *SIZES)
    Path("pipe").mkdir()
    refused(capsys, "sweep", "status", "pipe")
    refused(capsys, "text", "check", here, "--context", -1)


def test_the_page_and_the_tests_list_the_same():
    assert re.findall(r"^- \*\*(.+?)\*\*:", PAGE, re.MULTILINE) == list(TRIED)


@pytest.mark.parametrize("line", TRIED)
def test_a_line_of_the_page_holds(line, here, capsys):
    TRIED[line](here, capsys)
