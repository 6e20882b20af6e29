"""Pages are executed side by side, each when it must be, and a failure says where and what."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from execute_chapters import EXECUTED, longest_last
from outcomes import in_words, statement_at
from pages import Page
from records import Records

TOOLS = Path(__file__).resolve().parents[2] / "tools"

# Says that it is there, then waits for the other page to say so.
MEET = """>
import time
from pathlib import Path

Path("{here}").touch()
start = time.monotonic()
while not Path("{there}").exists():
    assert time.monotonic() - start < 60, "nobody came"
    time.sleep(0.05)
"""
EDIT = "> from pathlib import Path\nPath('../specmup/value.py').write_text('second')"


def test_two_pages_run_at_the_same_time(small_book):
    small_book.add_page("chapters/01-one", "# One", MEET.format(here="a", there="b"))
    small_book.add_page("chapters/02-two", "# Two", MEET.format(here="b", there="a"))
    assert [o.failure for o in small_book.execute(workers=2)] == [None, None]


def test_the_longest_page_is_taken_first_and_an_unknown_one_before_it():
    texts = {"a": "x", "b": "xx", "c": "x", "d": "x"}
    pages = [Page(name, Path(name), text, None) for name, text in texts.items()]
    order = longest_last(pages, {"c": 5.0, "d": 7.0})
    assert [page.name for page in reversed(order)] == ["b", "a", "d", "c"]


def test_only_what_changed_runs_again(small_book):
    small_book.add_page("chapters/01-one", "# One", small_book.note("one"))
    small_book.add_page("chapters/02-two", "# Two", small_book.note("two"))
    assert [outcome.ran for outcome in small_book.execute()] == [True, True]
    assert [outcome.ran for outcome in small_book.execute()] == [False, False]
    assert sorted(small_book.runs()) == ["one", "two"]

    small_book.add_page("chapters/02-two", "# Two", small_book.note("two"), small_book.note("too"))
    assert [outcome.ran for outcome in small_book.execute()] == [False, True]
    small_book.add_page(
        "chapters/02-two", "# Other words", small_book.note("two"), small_book.note("too")
    )
    assert [outcome.ran for outcome in small_book.execute()] == [False, False]
    small_book.write("specmup/value.py", "second")
    assert [outcome.ran for outcome in small_book.execute()] == [True, True]
    assert sorted(small_book.runs()) == ["one", "one", "too", "too", "two", "two", "two"]


def test_a_kept_result_is_the_executed_one(small_book):
    small_book.add_page("chapters/01-one", "# One", "> print(6 * 7)")
    first, again = small_book.execute()[0], small_book.execute()[0]
    assert again.notebook.cells[1].outputs == first.notebook.cells[1].outputs
    assert again.notebook.cells[1].outputs[0].text == "42\n"
    assert again.seconds == first.seconds > 0


def test_a_failure_names_chapter_section_cell_line_and_claim(small_book):
    claim = "> x = 1\n\nassert x == 2, 'one is not two'"
    path = small_book.add_page(
        "chapters/01-one",
        "# One thing",
        "> x = 0",
        "## Is it so?",
        "> # why\nx",
        claim,
        small_book.note("on"),
    )
    (outcome,) = small_book.execute()
    failure = outcome.failure
    assert (failure.cell, failure.section) == (3, "Is it so?")
    assert path.read_text().splitlines()[failure.line - 1].startswith("assert x == 2")
    assert (failure.name, failure.message) == ("AssertionError", "one is not two")
    words = in_words(outcome.page, failure)
    assert words.splitlines() == [
        "Chapter “One thing”, section “Is it so?”, cell 3 "
        f"(chapters/01-one.md, line {failure.line}):",
        "    assert x == 2, 'one is not two'",
        "    AssertionError: one is not two",
    ]
    assert small_book.runs() == []
    assert not small_book.execute()[0].passed  # nothing of it was kept


def test_one_failure_does_not_stop_the_other_pages(small_book):
    small_book.add_page("chapters/01-one", "# One", "> 1 / 0")
    small_book.add_page("chapters/02-two", "# Two", small_book.note("two"))
    assert [outcome.passed for outcome in small_book.execute(workers=1)] == [False, True]
    assert small_book.runs() == ["two"]


def test_a_word_on_the_error_stream_is_a_failure(small_book):
    small_book.add_page(
        "chapters/01-one",
        "# One",
        "> import sys",
        "> print('odd', file=sys.stderr)",
        small_book.note("one"),
    )
    for _ in range(2):
        failure = small_book.execute()[0].failure
        assert (failure.cell, failure.message) == (2, "odd\n")
        assert failure.name == "wrote to the error stream"
    assert small_book.runs() == ["one", "one"]


def test_an_error_that_the_page_announces_is_none(small_book):
    small_book.add_page("chapters/01-one", "# One", "> :tags: [raises-exception]\n\n1 / 0")
    assert small_book.execute()[0].passed


def test_a_hung_cell_ends_at_the_limit(small_book):
    small_book.add_page("chapters/01-one", "# One", "> 1", "> import time\ntime.sleep(1000)")
    small_book.add_page("chapters/02-two", "# Two", small_book.note("two"))
    start = time.monotonic()
    hung, other = small_book.execute(seconds_per_cell=5)
    assert time.monotonic() - start < 500
    assert (hung.failure.cell, hung.failure.name) == (2, "hung")
    assert "within 5 s" in hung.failure.message
    assert other.passed


def test_a_kernel_that_dies_is_reported_with_the_cause(small_book):
    small_book.add_page("chapters/01-one", "# One", "> 1", "> import os\nos.abort()")
    failure = small_book.execute()[0].failure
    assert (failure.cell, failure.name) == (2, "the kernel died")
    assert "Aborted" in failure.message


def test_a_kernel_that_does_not_start_is_reported(small_book):
    path = small_book.add_page("chapters/01-one", "# One", "> 1")
    (path.parent / "ipykernel_launcher.py").write_text("raise SystemExit('no such thing')")
    outcome = small_book.execute(environment={"PYTHONPATH": str(path.parent)})[0]
    assert outcome.failure.name == "no kernel started"
    assert "no such thing" in in_words(outcome.page, outcome.failure)


def test_the_environment_reaches_the_kernels(small_book, monkeypatch):
    monkeypatch.setenv("OF_ALL", "kept")
    small_book.add_page("chapters/01-one", "# One", "> import os", "> os.environ['OF_ONE']")
    small_book.add_page("chapters/02-two", "# Two", "> import os", "> os.environ['OF_ALL']")
    outcomes = small_book.execute(environment={"OF_ONE": "given"})
    shown = [o.notebook.cells[2].outputs[0].data["text/plain"] for o in outcomes]
    assert shown == ["'given'", "'kept'"]


def test_a_result_is_not_kept_when_the_package_was_edited_meanwhile(small_book):
    small_book.add_page("chapters/01-one", "# One", EDIT)
    records = Records(small_book.root / EXECUTED, small_book.root)
    assert small_book.execute(records=records)[0].passed
    assert not records.are_current()
    (page,) = small_book.read()
    assert records.find(page) is None


def test_an_interruption_leaves_no_kernel_behind(small_book):
    where = small_book.root / "kernel.pid"
    hang = (
        f"> import os, time\nopen({str(where)!r}, 'w').write(f'{{os.getpid()}} ')\ntime.sleep(1000)"
    )
    small_book.add_page("chapters/01-one", "# One", hang, small_book.note("one"))
    small_book.add_page("chapters/02-two", "# Two", small_book.note("two"))
    # A shell that runs the tests in the background makes them, and what they start, deaf to SIGINT.
    hearing = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{hearing}; from build_book import build, Path; build(Path({str(small_book.root)!r}))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(TOOLS)}
    )
    while not (where.exists() and where.read_text().endswith(" ")):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=600) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(where.read_text()), 0)


@pytest.mark.parametrize(
    ("line", "first", "statement"),
    [
        (None, 3, "x = f(\n    1)"),
        (4, 3, "x = f(\n    1)"),
        (5, 5, "for i in x:\n    # each"),
        (7, 7, "g(i)"),
        (99, 99, ""),
    ],
)
def test_the_innermost_statement_is_shown(line: int | None, first: int, statement: str):
    source = "# first\n\nx = f(\n    1)\nfor i in x:\n    # each\n    g(i)\n"
    assert statement_at(source, line) == (first, statement)


def test_code_that_does_not_parse_is_shown_by_its_line():
    assert statement_at("x = 1\nx = = 2\n", 2) == (2, "x = = 2")
