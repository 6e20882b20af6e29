"""What :mod:`fuzz_formats` reads: sound documents of every format, changed, and what reads each."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from torch import nn

from specmup.__main__ import main as command
from specmup.data.token_files import token_files
from specmup.parametrization.plan import make_plan
from specmup.parametrization.planned import Plan
from specmup.runs.job import Record
from specmup.runs.results import load, save
from specmup.runs.store import Store
from specmup.sweeps.collect import finished_and_missing, frame_of
from specmup.sweeps.configuration import read_sweep, sweep_from
from specmup.sweeps.growth import requested_runs
from specmup.sweeps.record_check import check_record
from specmup.sweeps.run import Run

Format = tuple[st.SearchStrategy, Callable[[Any], object]]  # documents to try, and what reads one

SWEEP = {
    "name": "tiny",
    "scale": "quick",
    "text": {"source": "counting", "vocabulary": 16},
    "model": {"context": 8, "head_dimension": 4},
    "base": {"width": 8, "depth": 1, "std": 0.1},
    "training": {"steps": 4, "batch_size": 4, "warm_up": 2, "floor": 0.1},
    "optimizers": {"adamw": {"betas": [0.9, 0.95]}, "muon": {"momentum": 0.9}},
    "grid": [
        {
            "rules": ["k2"],
            "optimizers": ["adamw"],
            "widths": [8, 16],
            "log2_lr": [-8.0, -6.0, -4.0],
            "seeds": [0],
        }
    ],
}
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([0, -1, 2**63, 10**400, 1e308]))
WORDS = st.one_of(
    st.text(max_size=8), st.sampled_from(["", "nan", "\x1b[0m", "a\nb", "../x", "k2"])
)
PLAIN = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
OPTIONS = [
    *("rules", "plan", "check", "audit", "sweep", "text", "run", "status", "collect", "plot"),
    *("--optimizer", "--block-depth", "--format", "--model", "--base", "--target", "--figure"),
    *("--folder", "--places", "--std", "--results", "openwebtex", "--widths", "--context", "--on"),
    *(
        "sgd",
        "adamw",
        "2",
        "json",
        "hf:nothing",
        "a:b",
        "a=1",
        "a=1,b=2",
        "x.svg",
        "no/x.svg",
        "*=1",
    ),
]


def places(document: Any) -> list[tuple]:
    """The path to every value in a document of tables and lists, itself first."""
    found: list[tuple] = [()]
    items = document.items() if isinstance(document, dict) else ()
    items = enumerate(document) if isinstance(document, list) else items
    for key, value in items:
        found += [(key, *rest) for rest in places(value)]
    return found


def with_another(document: Any) -> st.SearchStrategy:
    """The document with a value or two replaced, taken out or renamed."""

    def change(changes: list) -> Any:
        changed = deepcopy(document)
        for path, what, value in changes:
            at, inner = changed, path
            try:
                while len(inner) > 1:
                    at, inner = at[inner[0]], inner[1:]
                if not inner:
                    changed = deepcopy(value)
                elif what == "replaced":
                    at[inner[0]] = deepcopy(value)
                else:
                    taken = at.pop(inner[0])
                    if what == "renamed" and isinstance(at, dict):
                        at[str(value)] = taken
            except (LookupError, TypeError, AttributeError):
                continue  # a change before took that place away
        return changed

    kinds = st.sampled_from(["replaced", "replaced", "taken out", "renamed"])
    one = st.tuples(st.sampled_from(places(document)), kinds, VALUES)
    return st.lists(one, min_size=1, max_size=2).map(change)


def with_other_bytes(content: bytes) -> st.SearchStrategy[bytes]:
    """The content with some of its bytes replaced by others, fewer or more."""

    def change(changes: list) -> bytes:
        changed = content
        for start, length, others in changes:
            changed = changed[:start] + others + changed[start + length :]
        return changed

    one = st.tuples(st.integers(0, len(content)), st.integers(0, 40), st.binary(max_size=12))
    return st.lists(one, min_size=1, max_size=4).map(change) | st.binary(max_size=200)


def written(value: Any) -> str:
    """JSON, also of integers that Python does not print."""
    try:
        return json.dumps(value)
    except ValueError:
        return "1" * 5000


def formats(folder: Path) -> Mapping[str, Format]:
    """By name of the format: documents to try, and what reads one.

    Args:
        folder: An empty one to write in, the working folder meanwhile.
    """
    lines = st.lists(st.sampled_from(OPTIONS) | WORDS.filter(lambda w: "\x00" not in w), max_size=6)
    return {
        **_sweeps(folder),
        "records": _records(folder / "store"),
        **_results(folder),
        "token files": _token_files(folder),
        **_plans(),
        "command lines": (lines, one_line),
    }


def _sweeps(folder: Path) -> Mapping[str, Format]:
    """Configurations of sweeps, as values and as the bytes of a file."""
    toml = (Path(__file__).parents[1] / "book" / "sweeps" / "small.toml").read_bytes()

    def from_bytes(content: bytes) -> None:
        (folder / "odd.toml").write_bytes(content)
        read_sweep(folder / "odd.toml")

    return {
        "TOML, values": (with_another(SWEEP), sweep_from),
        "TOML, bytes": (with_other_bytes(toml), from_bytes),
    }


def _records(folder: Path) -> Format:
    """One finished run of a sweep, as it lies in its store."""
    sweep = sweep_from(SWEEP)
    run = requested_runs(sweep, {})[0]
    store = Store(folder, Run, check_record)
    result = {"loss": 1.0, "train_loss": 1.0, "diverged_at": -1, "seconds": 1.0}
    with store.locked():
        store.write(Record(run, result, {"device": "cpu", "text": "x"}))
    path = store.runs / f"{run.identity}.json"

    def read(content: Any) -> None:
        if isinstance(content, dict):  # as one who wants it believed would sign it
            content.pop("sha256", None)
            digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
            content = {**content, "sha256": digest}
        path.write_text(written(content))
        done, _ = finished_and_missing(sweep, store.read())
        if done:
            frame_of(done)

    return with_another(json.loads(path.read_text())), read


def _results(folder: Path) -> Mapping[str, Format]:
    """A stored result: its manifest, and its table."""
    frame = pd.DataFrame({"width": [8, 16], "loss": [0.5, 0.25], "rule": ["sp", "k2"]})
    save(frame, "runs", scale="quick", configuration={"cases": []}, wall_seconds=1, folder=folder)
    table = (folder / "runs.csv").read_bytes()
    manifest = json.loads((folder / "runs.json").read_text())

    def read_manifest(content: Any) -> None:
        (folder / "runs.csv").write_bytes(table)
        (folder / "runs.json").write_text(written(content))
        load("runs", folder)

    def read_table(content: bytes) -> None:
        (folder / "runs.csv").write_bytes(content)
        signed = {**manifest, "sha256": hashlib.sha256(content).hexdigest()}
        (folder / "runs.json").write_text(json.dumps(signed))
        load("runs", folder)

    return {
        "manifests": (with_another(manifest), read_manifest),
        "tables": (with_other_bytes(table), read_table),
    }


def _token_files(folder: Path) -> Format:
    """Tokens in a file, with a head and without."""
    tokens = np.arange(64, dtype="<u2").tobytes()
    head = np.zeros(256, "<i4")
    head[:3] = 20240520, 1, 64

    def read(content: bytes) -> None:
        (folder / "train.bin").write_bytes(content)
        token_files(folder / "train.bin", folder / "train.bin", vocabulary=64, context=8)

    return with_other_bytes(tokens) | with_other_bytes(head.tobytes() + tokens), read


def _plans() -> Mapping[str, Format]:
    """A plan as JSON, as values and as bytes."""
    net = lambda n: nn.Sequential(nn.Linear(3, n), nn.Linear(n, n), nn.Linear(n, 2))  # noqa: E731
    plan = json.loads(make_plan(net(32), base=net(16), learning_rate=0.1).to_json())

    def read(content: Any) -> None:
        found = Plan.from_json(written(content))
        repr(found), str(found), found.report().markdown(), found.report().html(), found.to_json()

    as_bytes = with_other_bytes(json.dumps(plan).encode())
    return {
        "plans": (with_another(plan), read),
        "plans, bytes": (as_bytes, lambda b: Plan.from_json(b.decode("latin-1"))),
    }


def one_line(arguments: list[str]) -> None:
    """Call the command; whatever it refuses, it does in one line and with status 2."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = command(arguments)
        except SystemExit as stop:
            status = stop.code
    if status == 2:
        assert err.getvalue().count("\n") == 1, err.getvalue()
