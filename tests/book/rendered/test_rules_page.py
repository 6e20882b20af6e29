"""Every entry of the rules page leads to the lines of code that make it."""

import ast
import html as entities
import re
from pathlib import Path

import pytest

from specmup.theory import condition, layer, rules, update
from specmup.theory.rules import solved_layers
from specmup.theory.tables import COLUMNS, ROLES
from specmup.theory.update import LAWS

CODE = "code-of-the-rules.html"
# All the ways in which the registry calls a maker.
OPTIONS = ({}, {"clamped": True}, {"scale": "original"}, {"scale": "kimi"})


@pytest.fixture(scope="module")
def listing(html: Path) -> dict[str, str]:
    """Each line shown, by its address on the page."""
    page = (html / "book" / CODE).read_text()
    pieces = re.split(r'<a id="(\w+-\d+)" name="\1"></a>', page)
    lines = {}
    for address, rest in zip(pieces[1::2], pieces[2::2], strict=True):
        shown = rest.split("</pre>")[0]
        code = re.sub(r'<span class="linenos">[^<]*</span>', "", shown)
        lines[address] = entities.unescape(re.sub(r"<[^>]+>", "", code)).removesuffix("\n")
    return lines


@pytest.fixture(scope="module")
def links(html: Path) -> dict[str, set[str]]:
    """Addresses on the code page by the words that lead there, from the rules page."""
    page = (html / "book" / "rules.html").read_text()
    found: dict[str, set[str]] = {}
    for address, words in re.findall(rf'<a [^>]*href="{CODE}#([\w-]+)"[^>]*>(.*?)</a>', page):
        text = entities.unescape(re.sub(r"<[^>]+>", "", words))
        found.setdefault(text, set()).add(address)
    return found


def code_from(listing: dict[str, str], address: str) -> str:
    """The shown lines from an address on, up to the end of the function that begins there."""
    stem, first = address.rsplit("-", 1)
    file = [line for place, line in listing.items() if place.startswith(f"{stem}-")]
    shown = file[int(first) - 1 :]
    outside = (n for n, line in enumerate(shown) if n and line[:1] not in ("", " ", ")"))
    return "\n".join(shown[: next(outside, len(shown))])


def makes(code: str, name: str) -> bool:
    """Whether this code is a function that makes the law ``name``, run as it is shown."""
    namespace = dict(vars(update))
    (function,) = ast.parse(code).body
    exec(compile(code, CODE, "exec"), namespace)
    for options in OPTIONS:
        try:
            law = namespace[function.name](**options)
        except TypeError:  # this maker has no such option
            continue
        steps = [(law.step(s.layer), LAWS[name].step(s.layer)) for s in solved_layers(2).values()]
        if law.name == name and all(mine == its for mine, its in steps):
            return True
    return False


@pytest.mark.parametrize("name", LAWS)
def test_every_optimizer_leads_to_the_code_of_its_law(links, listing, name):
    (address,) = links[LAWS[name].title]
    assert makes(code_from(listing, address), name)


def test_a_link_to_another_optimizer_is_found_out(links, listing):
    (address,) = links["Lion"]
    assert not makes(code_from(listing, address), "adamw")


@pytest.mark.parametrize("role", ROLES)
def test_every_role_leads_to_the_line_that_solves_it(links, listing, role):
    (address,) = links[role.replace("_", " ")]
    assert f'solve_layer("{role}"' in listing[address]


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_leads_to_the_line_that_fills_it(links, listing, column):
    (address,) = links[COLUMNS[column]]
    assert listing[address].strip().startswith(f"{column}=")


@pytest.mark.parametrize("module", [update, layer, rules, condition], ids=lambda m: m.__name__)
def test_what_is_shown_is_the_file(listing, module):
    stem = module.__name__.rsplit(".", 1)[1]
    lines = Path(module.__file__).read_text().splitlines()
    assert [listing.get(f"{stem}-{n}") for n in range(1, len(lines) + 1)] == lines
