"""What the page *Whose rules are these?* shows is what its code prints."""

import contextlib
import io
import re
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "book" / "audit.md"
PIECES = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)


def printed(codes):
    """What each piece of code prints, one after the other in one room."""
    names: dict = {}
    for code in codes:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, str(PAGE), "exec"), names)
        yield out.getvalue()


def test_the_code_prints_what_is_shown():
    pieces = PIECES.findall(PAGE.read_text())
    assert len(pieces) == 3
    assert list(printed(code for code, _ in pieces)) == [shown for _, shown in pieces]


if __name__ == "__main__":  # write what is printed into the page
    page = PAGE.read_text()
    new = iter(list(printed(code for code, _ in PIECES.findall(page))))
    fill = PIECES.sub(lambda m: f"```python\n{m[1]}```\n\n```text\n{next(new)}```", page)
    sys.exit(0 if PAGE.write_text(fill) else 1)
