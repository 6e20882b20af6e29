"""A book is put in place whole and passed, or not at all."""

import shutil
import weakref
from pathlib import Path

import pytest
from build_book import beside, build, put_in_place, restore
from execute_chapters import EXECUTED
from jupyter_cache import get_cache
from records import Records

CLAIM = "> total = 2 + 2\n\nassert total == {}, 'the sum is another'"


@pytest.fixture(scope="module")
def once(begin_book, tmp_path_factory):
    """A small book that was built, and a copy of its folder as it was then."""
    folder = tmp_path_factory.mktemp("built")
    book = begin_book(folder / "a book of one's own")
    book.add_page("book/status", "# Status", "```{nb-exec-table}\n```")
    book.add_page(
        "chapters/01-one", "# One and one", book.note("one"), "## Adding", CLAIM.format(4)
    )
    book.add_page("chapters/02-two", "# Two", book.note("two"), "See {doc}`01-one`.")
    assert build(book.root) == 0
    return book, shutil.copytree(book.root, folder / "as it was")


@pytest.fixture
def built(once, capfd):
    """That book, for a test to edit and build again, with what was printed until then read away."""
    book, as_it_was = once
    capfd.readouterr()
    yield book
    shutil.rmtree(book.root)
    shutil.copytree(as_it_was, book.root)


def files(folder: Path) -> dict[Path, bytes]:
    """Every file of a built book and what it holds, less the renderer's own hash."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != ".buildinfo")
    return {path: path.read_bytes() for path in found}


def html(book) -> Path:
    return book.root / "_build" / "html"


def break_claim(book) -> None:
    book.add_page(
        "chapters/01-one", "# One and one", book.note("one"), "## Adding", CLAIM.format(5)
    )


def test_a_broken_cell_leaves_the_old_book_and_is_named_last(built, capfd):
    old = files(html(built))
    break_claim(built)
    assert build(built.root) == 1
    assert files(html(built)) == old
    *_, where, claim, said, blank, last = capfd.readouterr().out.splitlines()
    assert where.startswith("Chapter “One and one”, section “Adding”, cell 2 (chapters/01-one.md")
    assert claim.strip() == "assert total == 5, 'the sum is another'"
    assert said.strip() == "AssertionError: the sum is another"
    assert blank == ""
    assert last.startswith("Book: FAILED")
    assert last.endswith("the book that passed before stands as it was")
    built.add_page("chapters/01-one", "# One and one", "> print('mended')")
    assert build(built.root) == 0
    assert "mended" in (html(built) / "chapters" / "01-one.html").read_text()


def test_pages_are_rendered_beside_whatever_this_process_holds(small_book):
    class Owner: ...

    left = weakref.proxy(Owner())  # its owner has gone, so whoever asks for its class is refused
    small_book.add_page("chapters/01-one", "# One", small_book.note("one"))
    assert build(small_book.root) == 0
    with pytest.raises(ReferenceError):
        isinstance(left, Owner)


def test_a_first_build_that_fails_leaves_no_book(small_book, capfd):
    small_book.add_page("chapters/01-one", "# One", "> 1 / 0")
    assert build(small_book.root) == 1
    assert not html(small_book).exists()
    out = capfd.readouterr().out
    assert "ZeroDivisionError: division by zero" in out
    assert out.rstrip().endswith("there is none")


def test_a_broken_reference_leaves_the_old_book_and_fails_until_it_is_mended(built, capfd):
    """Sphinx alone would pass the second time, having no changed page to warn about."""
    old = files(html(built))
    page = built.root / "chapters" / "02-two.md"
    good = page.read_text()
    page.write_text(good.replace("{doc}`01-one`", "{numref}`nowhere`"))
    line = page.read_text().splitlines().index("See {numref}`nowhere`.") + 1
    for _ in range(2):
        assert build(built.root) == 1
        assert files(html(built)) == old
        out = capfd.readouterr().out
        assert f"chapters/02-two.md, line {line}: undefined label: 'nowhere'" in out
    page.write_text(good)
    assert build(built.root) == 0


def test_an_unchanged_book_executes_nothing_and_stays(built, capfd):
    before = files(html(built))
    assert build(built.root) == 0
    assert sorted(built.runs()) == ["one", "two"]
    assert files(html(built)) == before
    assert "nothing has changed" in capfd.readouterr().out


def test_words_alone_execute_nothing(built, capfd):
    page = built.root / "chapters" / "02-two.md"
    page.write_text(page.read_text().replace("See", "Look at"))
    assert build(built.root) == 0
    assert sorted(built.runs()) == ["one", "two"]
    assert "Look at" in (html(built) / "chapters" / "02-two.html").read_text()


@pytest.mark.parametrize(
    "name",
    ["_config.yml", "_toc.yml", "book/results/a.csv", "specmup/value.py", "tools/build_book.py"],
)
def test_an_edit_of_what_a_book_is_made_from_builds_it(built, capfd, name: str):
    path = built.root / name
    text = path.read_text() if path.exists() else ""
    built.write(name, f"{text}\n")
    assert build(built.root) == 0
    assert "nothing has changed" not in capfd.readouterr().out


def test_a_page_with_another_name_leaves_none_behind(built):
    source = built.root / "chapters" / "02-two.md"
    source.rename(source.with_name("03-two.md"))
    toc = built.root / "_toc.yml"
    toc.write_text(toc.read_text().replace("02-two", "03-two"))
    assert build(built.root) == 0
    there = sorted(page.name for page in (html(built) / "chapters").glob("*.html"))
    assert there == ["01-one.html", "03-two.html"]


def test_an_edited_page_alone_is_executed_and_shown(built, capfd):
    built.add_page("chapters/02-two", "# Two", built.note("two"), "> print('this is new')")
    assert build(built.root) == 0
    assert sorted(built.runs()) == ["one", "two", "two"]
    assert "this is new" in (html(built) / "chapters" / "02-two.html").read_text()
    assert "(1 of 1)" in capfd.readouterr().out


def test_the_renderer_finds_every_page_executed(built):
    """It would note in the kept results a page that it set out to execute itself."""
    name = Records(built.root / EXECUTED, built.root).name
    assert get_cache(built.root / EXECUTED / name).list_project_records() == []


def test_results_of_other_states_are_dropped_after_a_build_that_passed(built):
    folder = built.root / EXECUTED
    (first,) = (path.name for path in folder.iterdir() if path.is_dir())
    built.write("specmup/value.py", "second")
    break_claim(built)
    assert build(built.root) == 1
    assert (folder / first).exists()  # the edit may be taken back
    built.add_page("chapters/01-one", "# One")
    assert build(built.root) == 0
    assert not (folder / first).exists()


def test_an_edit_of_the_package_during_the_build_is_no_book(small_book, capfd):
    small_book.add_page("chapters/01-one", "# One", "> open('../specmup/value.py', 'w').close()")
    assert build(small_book.root) == 1
    assert not html(small_book).exists()
    assert "edited meanwhile" in capfd.readouterr().out


def test_no_page_names_the_folder_that_it_was_built_in(built):
    texts = [body for path, body in files(html(built)).items() if path.suffix in {".html", ".js"}]
    assert len(texts) > 5
    assert not [body for body in texts if b"staged" in body]


def test_the_status_page_says_passed_in_words(built):
    status = (html(built) / "book" / "status.html").read_text()
    table = status.split("<table")[1].split("</table")[0]
    assert table.count("<p>passed</p>") == 3
    assert 'href="../chapters/01-one.html"' in table
    assert ">One and one<" in table
    assert not set("✅❌") & set(status)


@pytest.mark.parametrize("after", [1, 2])
def test_a_build_stopped_while_putting_the_book_in_place_leaves_a_whole_one(
    tmp_path: Path, monkeypatch, after: int
):
    book, staged = tmp_path / "html", tmp_path / "staged"
    for folder, text in ((book, "old"), (staged, "new")):
        folder.mkdir()
        for page in ("a.html", "b.html"):
            (folder / page).write_text(text)
    rename, done = Path.rename, []

    def stopped(self: Path, target: Path) -> Path:
        if len(done) == after - 1:
            raise KeyboardInterrupt
        done.append(target)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stopped)
    with pytest.raises(KeyboardInterrupt):
        put_in_place(staged, book)
    monkeypatch.undo()
    restore(book)
    assert {path.read_text() for path in book.iterdir()} == {"old"}
    assert not any(path.exists() for path in beside(book))
    put_in_place(staged, book)
    assert {path.read_text() for path in book.iterdir()} == {"new"}
