"""The colours of drawn diagrams, for light and for dark pages.

A diagram stands within its page, so it follows the page's theme; opened by itself it follows the
system's. Each colour is an ink and the pale ground of boxes in that colour. Every ink has a
contrast of at least 4.5:1 against the page and against every ground of its theme.
"""

from __future__ import annotations

# As the theme paints its pages.
PAGE = {"light": "#ffffff", "dark": "#121212"}
INKS = {
    "light": {
        "ink": "#1f2933",
        "quiet": "#55606b",
        "blue": "#0b5c9c",
        "orange": "#a84300",
        "green": "#006a4a",
        "purple": "#8e3a72",
    },
    "dark": {
        "ink": "#e6e9ed",
        "quiet": "#b0bac5",
        "blue": "#8cc0ee",
        "orange": "#f5a873",
        "green": "#6bd3ac",
        "purple": "#e5a9cf",
    },
}
GROUNDS = {
    "light": {
        "ink": "#eef1f4",
        "quiet": "#f6f7f9",
        "blue": "#e2eefa",
        "orange": "#fdebdd",
        "green": "#dff3ea",
        "purple": "#f8e7f2",
    },
    "dark": {
        "ink": "#272e37",
        "quiet": "#1b2027",
        "blue": "#17324a",
        "orange": "#46290f",
        "green": "#10392b",
        "purple": "#43253a",
    },
}
NAMES = tuple(INKS["light"])
SANS = '-apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'  # as the pages
SERIF = '"STIX Two Text", Cambria, "Times New Roman", serif'


def style_sheet() -> str:
    """The style that a diagram's file carries: shapes by their class, colours by the theme."""
    light, dark = _variables("light"), _variables("dark")
    return "\n".join(
        [
            f"svg.diagram{{{light}}}",
            f"@media(prefers-color-scheme:dark){{svg.diagram{{{dark}}}}}",
            # Within a page its theme decides, which a reader may have chosen against the system's.
            f"html[data-theme=light] svg.diagram{{{light}}}",
            f"html[data-theme=dark] svg.diagram{{{dark}}}",
            f"svg.diagram text{{font-family:{SANS};stroke:none}}",
            f"svg.diagram .i{{font-family:{SERIF};font-style:italic}}",
            *(_shapes(name) for name in NAMES),
        ]
    )


def _variables(theme: str) -> str:
    """Custom properties with the colours of one theme."""
    inks = (f"--{name}:{value}" for name, value in INKS[theme].items())
    grounds = (f"--{name}-ground:{value}" for name, value in GROUNDS[theme].items())
    return ";".join((*inks, *grounds))


def _shapes(name: str) -> str:
    """What is written, drawn as a line, filled, or a box in one colour."""
    return (
        f"svg.diagram text.{name},svg.diagram .full.{name}{{fill:var(--{name})}}"
        f"svg.diagram .line.{name}{{fill:none;stroke:var(--{name})}}"
        f"svg.diagram .box.{name}{{fill:var(--{name}-ground);stroke:var(--{name})}}"
    )
