"""Draw the image that previews of links show: the book's question and its first diagram.

``python tools/draw_preview.py`` writes ``book/_static/preview.png``. It needs Chromium.
"""

from __future__ import annotations

from pathlib import Path

from browsers import running_browser

ROOT = Path(__file__).resolve().parent.parent
SIZE = {"width": 1200, "height": 630}  # pixels, which is what the sites that show it ask for
PAGE = """<html data-theme="light"><style>
body {{ align-items: center; background: #fff; display: flex; font: 38px/1.35 sans-serif; gap: 40px;
        height: 630px; margin: 0; padding: 0 60px; box-sizing: border-box; color: #1d2733; }}
b {{ color: #25619b; }} small {{ color: #5a6572; display: block; font-size: 27px; }}
svg {{ flex: none; height: auto; width: 560px; }}
</style><body><div><b>μP and hyperparameter transfer</b><br>When a network grows, what must change
with it?<small>A book that is executed: specmup</small></div>{diagram}</body></html>"""


def main() -> None:
    """Draw it."""
    static = ROOT / "book" / "_static"
    diagram = (static / "diagrams" / "learning-rate-travels.svg").read_text(encoding="utf-8")
    with running_browser() as browser:
        page = browser.new_page(viewport=SIZE)
        page.set_content(PAGE.format(diagram=diagram))
        page.screenshot(path=static / "preview.png")


if __name__ == "__main__":
    main()
