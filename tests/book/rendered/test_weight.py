"""How large the pages' own files are: half of them at most this, which is what holds and some room.

What a browser must load and build to show each page is bounded where it is opened, in
``test_browser``.
"""

from pathlib import Path
from statistics import median

from book_pages import documents

KILOBYTES = 130


def test_half_of_the_pages_are_no_larger_than_they_were(html: Path):
    sizes = {name: (html / f"{name}.html").stat().st_size / 1000 for name in documents()}
    for name, size in sizes.items():
        print(f"{name:50} {size:6.0f} kB")
    assert median(sizes.values()) <= KILOBYTES
