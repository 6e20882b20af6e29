"""A listing gives each line an address, and names lead to the lines that hold their text."""

from pathlib import Path

import pytest
from one_page import built
from source_lines import line_of

SOURCE = "def first():\n    return 1\n\n\ndef second():\n    return 2\n"
PAGE = """\
# Page

See {{ref}}`the second <code-second>`.

```{{source-lines}} package/module.py
code-second: {text}
```
"""


def build(folder: Path, text: str) -> tuple[str, str]:
    """The page's HTML, and what the builder complained of."""
    (folder / "package").mkdir()
    (folder / "package" / "module.py").write_text(SOURCE)
    return built(folder, "source_lines", PAGE.format(text=text))


def test_a_name_leads_to_its_line(tmp_path: Path):
    page, complaints = build(tmp_path, "def second(")
    assert 'href="#module-5"' in page
    line = page.split('id="module-5"')[1].split('id="module-6"')[0]
    assert ">second</span>" in line
    assert page.count('href="#module-') == 1  # the name's: a number of a line is no tab stop
    assert complaints == ""


def test_text_that_no_line_holds_is_a_warning_of_the_build(tmp_path: Path):
    _, complaints = build(tmp_path, "def third(")
    assert "'def third(' is on 0 lines" in complaints


@pytest.mark.parametrize(("text", "count"), [("third", 0), ("return", 2)])
def test_one_line_is_wanted(text: str, count: int):
    with pytest.raises(ValueError, match=f"{text!r} is on {count} lines"):
        line_of(text, SOURCE.splitlines())


def test_lines_are_counted_from_one():
    assert line_of("def second", SOURCE.splitlines()) == 5
