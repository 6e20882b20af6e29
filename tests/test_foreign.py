"""Words that others chose are shown in every form of ours, and none of them obeys one."""

import hashlib
import io
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console
from sweep_file import FILE
from torch import nn

from specmup.__main__ import main
from specmup.aligned import aligned
from specmup.figures.check_report import draw, findings, report
from specmup.foreign import code_in_markdown, in_markdown, printable, refusing
from specmup.inspection.questions import Declaration
from specmup.parametrization.plan import make_plan
from specmup.parametrization.planned import Plan
from specmup.runs.experiment import run_experiment

# What each would do where it is obeyed.
NAMES = {
    "an element of HTML": "<script>alert(1)</script>",
    "an attribute of HTML": "\"' onload=alert(1) x='",
    "an entity of HTML": "&lt;b&gt;",
    "a cell of a table": "a|b",
    "the end of code": "`<b>`",
    "the end of code, after a backslash": "\\`<b>`\\|",
    "a link": "[here](https://example.org) <https://example.org>",
    "an address": "https://example.org www.example.org",
    "an image": "![x](https://example.org/x.png)",
    "emphasis": "*a* _b_ __c__ ~~d~~",
    "a role of MyST": "{raw}`x`",
    "mathematics": "$\\frac$ $$x$$",
    "markup of rich": "[red]a[/red] [/] [link=https://example.org]x[/link] [bold",
    "an emoji of rich": ":boom:",
    "a colour of the terminal": "\x1b[31mred\x1b[0m",
    "a title of the terminal": "\x1b]0;owned\x07",
    "another line": "a\n\n# b\r\nc\u2028d",
    "another direction": "\u202eabc",
    "a command of the shell": "$(touch x); `touch x` && 'x'",
}
TAGS = {"table", "caption", "thead", "tbody", "tr", "th", "td", "ul", "li"}
TOKENS = {"text", "strong_open", "strong_close", "code_inline", "text_special"}
ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
FEW = settings(max_examples=200)
named = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)


@pytest.fixture(scope="module")
def told() -> dict:
    """A plan as JSON, in which a test puts words of its own."""
    net = lambda n: nn.Sequential(nn.Linear(3, n), nn.Linear(n, n), nn.Linear(n, 2))  # noqa: E731
    return json.loads(make_plan(net(32), base=net(16), learning_rate=0.1).to_json())


def report_of(told: dict, name: str):
    """Of a plan with the name wherever a word may stand."""
    entry = next(iter(told["parameters"].values()))
    parameters = {name: entry | {"pattern": name, "role": name, "tied": [name], "place": name}}
    changes = {"architecture": name, "gauge": name, "notes": [name], "parameters": parameters}
    return Plan.from_json(json.dumps(told | changes)).report()


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text = set(), ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add((tag, tuple(attributes)))

    def handle_data(self, data):
        self.text += data


def words_of(markdown: str) -> list[str]:
    """The text of each piece of Markdown; fails where there is anything but text and code."""
    # With all that GitHub adds: tables, struck out, addresses that become links.
    parsed = MarkdownIt("gfm-like").parse(markdown)
    pieces = [token for token in parsed if token.type == "inline"]
    assert not {token.type for token in parsed} & {"html_block", "heading_open", "fence", "hr"}
    for piece in pieces:
        assert {inner.type for inner in piece.children} <= TOKENS
    return ["".join(inner.content for inner in piece.children) for piece in pieces]


@named
def test_html_has_no_elements_but_those_of_a_table(told, name):
    found = Elements(report_of(told, name)._repr_html_())
    assert found.tags == {(tag, ()) for tag in TAGS}
    assert found.text.count(printable(name)) >= 5


@named
def test_markdown_has_text_and_code_only(told, name):
    shown = words_of(report_of(told, name).markdown())
    # One piece a cell, none cut: the title, two rows of nine, two notes.
    assert len(shown) == 1 + 2 * 9 + 2
    assert shown[-1].strip() == printable(name).strip()
    assert printable(name).strip() in shown[10]


@FEW
@given(ANY)
def test_any_word_comes_back_from_markdown(name):
    row = f"| a | b |\n| --- | --- |\n| {in_markdown(name)} | {code_in_markdown(name)} |"
    shown = words_of(row)
    assert shown[:2] == ["a", "b"] and len(shown) == 4
    assert [one.split() for one in shown[2:]] == [printable(name).split()] * 2


@named
def test_rich_takes_no_word_for_markup(told, name):
    stream = io.StringIO()
    Console(file=stream, width=1000, force_terminal=True).print(report_of(told, name))
    without = re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue())  # our own bold and colours
    assert printable(name) in without
    assert not set(without) & set("\x1b\x07\u202e")


@FEW
@given(ANY)
def test_plain_tables_keep_their_lines(name):
    lines = aligned([["head", "x"], [name, "y"]])
    assert len(lines) == 2 and all(line.isprintable() for line in lines)
    assert printable(name) in lines[1]


@named
def test_an_error_is_one_line(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["plan", "--model", name, "--base", "a=1", "--target", "a=2"])
    printed = capsys.readouterr()
    assert (stop.value.code, printed.out, printed.err.count("\n")) == (2, "", 1)
    assert printed.err.strip("\n").isprintable()


@named
def test_a_figure_holds_the_word_as_text(name, tmp_path):
    rows = [
        {"rule": name, "feature": name, "width": w, "depth": 2, "seed": s, "step": 1, "change": 1.0}
        for w in (8, 16, 32)
        for s in (0, 1)
    ]
    frame = pd.DataFrame(rows)
    found = findings(frame)
    draw(frame, found, tmp_path / "check.svg")  # mathematics that is none would raise
    tree = ElementTree.parse(tmp_path / "check.svg")
    assert not {e.tag.rpartition("}")[2] for e in tree.iter()} & {"script", "a", "image"}
    assert all(line.isprintable() for line in str(found[0]).split("\n"))
    assert printable(name) in report(found)


@named
def test_a_proposal_is_one_word_of_the_shell(name):
    import shlex

    options = Declaration(branch_ends=(name,)).as_options()
    assert shlex.split(options) == ["--branch-ends", name]


def lay_records(folder, name) -> None:
    """Files that are no records, in whose names or words somebody put a word of his."""
    folder.mkdir(parents=True)
    (folder / f"{name.replace('/', '-')}.json").write_text("null")
    (folder / f"{name.replace('/', '-')} link.json").symlink_to("nowhere")
    told = {"identity": "keyed", "job": {name: 1}, "result": {}, "origin": {}}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    (folder / "keyed.json").write_text(json.dumps({**told, "sha256": digest}))


@named
def test_a_record_s_name_is_shown_by_every_command(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(FILE)
    for store in (tmp_path / "kept", tmp_path / "kept" / "parts" / "0-of-1"):
        lay_records(store / "runs", name)
    for action in ("status", "gather"):
        assert main(["sweep", action, "tiny.toml", "--folder=kept"]) == 0
        printed = capsys.readouterr()
        lines = (printed.out + printed.err).removesuffix("\n").split("\n")
        assert all(line.isprintable() for line in lines)
        assert sum(printable(name.replace("/", "-")) in line for line in lines) >= 2


def one_row(x):
    return pd.DataFrame({"x": [x]})


@named
def test_a_record_s_name_is_shown_where_its_piece_is_made_again(name, tmp_path):
    lay_records(tmp_path / "runs", name)
    with pytest.warns(UserWarning, match="its piece was made again") as told:
        run_experiment(one_row, [{"x": 1}], 1, folder=tmp_path)
    assert len(told) == 3 and all(str(one.message).isprintable() for one in told)


def test_an_error_of_others_is_told_in_one_line_with_what_was_being_done():
    with (
        pytest.raises(ValueError, match=r"^f fails \(OSError: a\\x1b b\): mend f$") as told,
        refusing("f fails", "mend f"),
    ):
        raise OSError("a\x1b\nb")
    assert isinstance(told.value.__cause__, OSError)


def test_what_may_pass_goes_through_as_it_is():
    with pytest.raises(KeyError), refusing("f fails", passing=(KeyError,)):
        raise KeyError("a")
