"""``make bench`` says how far it is, and which promise was missed."""

import importlib
import sys
from types import SimpleNamespace

import pytest

from benchmarks import __main__ as command
from benchmarks.harness import Row


@pytest.fixture
def two_parts(monkeypatch):
    rows = [Row("quick", "a : b", 3.0, target=2.0)], [Row("slow", "a : b", 1.9, target=2.0)]
    parts = {title: (lambda row=row: row) for title, row in zip("xy", rows, strict=True)}
    monkeypatch.setitem(sys.modules, "benchmarks.two", SimpleNamespace(PARTS=parts))
    monkeypatch.setattr(command, "MODULES", ["two"])
    monkeypatch.setattr(sys, "argv", ["benchmarks"])


def test_each_part_is_announced_and_every_promise_judged(two_parts, capsys):
    command.main()
    printed = capsys.readouterr()
    assert printed.err == "two 1 of 2: x (0 s)\ntwo 2 of 2: y (0 s)\n"
    table = printed.out.splitlines()
    assert "≥ 2× met" in table[-2] and "≥ 2× MISSED" in table[-1]


def test_an_unknown_name_is_refused(two_parts, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "three"])
    with pytest.raises(SystemExit):
        command.main()
    assert "no benchmark named three: there are two" in capsys.readouterr().err


@pytest.mark.parametrize("name", command.MODULES)
def test_every_benchmark_has_parts(name):
    assert importlib.import_module(f"benchmarks.{name}").PARTS
