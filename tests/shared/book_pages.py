"""The pages of the book, and the windows in which tests open them."""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PHONE, DESK = 390, 1280  # pixels


def documents() -> list[str]:
    """The page of every file that ``_toc.yml`` lists, in its order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [toc["root"]] + [page["file"] for part in toc["parts"] for page in part["chapters"]]
