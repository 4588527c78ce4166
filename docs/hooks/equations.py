"""Equations as MathML, which browsers draw themselves: no script and no fonts to load."""

import html
import re

from latex2mathml.converter import convert

# As the extension arithmatex leaves them.
EQUATION = re.compile(
    r'<(?P<tag>div|span) class="arithmatex">\\[\[(](?P<latex>.*?)\\[\])]</(?P=tag)>', re.DOTALL
)


def on_page_content(content, **_):
    return EQUATION.sub(_drawn, content)


def _drawn(match):
    display = "block" if match["tag"] == "div" else "inline"
    return convert(html.unescape(match["latex"]).strip(), display=display)
