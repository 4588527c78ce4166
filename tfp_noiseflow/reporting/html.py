"""A report in Markdown as one file that a browser opens: pictures within, long tables folded."""

from __future__ import annotations

import base64
import os
import re

# Sections of many tables: folded, so that what says more comes first.
FOLDED = ("By camera and ISO", "Structure by camera and ISO")

STYLE = """
:root { color-scheme: light dark; --line: #8886; --back: #fff; --text: #1a1a1a; --mark: #c33; }
@media (prefers-color-scheme: dark) { :root { --back: #16181c; --text: #e6e6e6; --mark: #f77; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
  background: var(--back); color: var(--text); }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .6rem; text-align: left;
  white-space: nowrap; }
td.worst { color: var(--mark); font-weight: 600; }
img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
summary { cursor: pointer; font-size: 1.3rem; font-weight: 600; margin-top: 1.6rem; }
code { background: var(--line); padding: 0 .25em; border-radius: 3px; }
"""


def html(text: str, folder: str | os.PathLike) -> str:
    """A page of a report.

    Args:
      text: of the report, in Markdown.
      folder: where its pictures are.

    Returns:
      HTML that needs no other file.

    Raises:
      ImportError: without the package markdown, of the extra `report`.
    """
    try:
        import markdown
    except ImportError as error:
        raise ImportError(
            "expected the package markdown for report.html: pip install tfp_noiseflow[report]."
        ) from error
    body = markdown.markdown(text, extensions=["tables"], output_format="html")
    body = re.sub(r'src="([^":]+\.png)"', lambda match: _picture(match[1], folder), body)
    body = body.replace("<table>", '<div class="scroll"><table>')
    body = body.replace("</table>", "</table></div>")
    # What tables mark by a star.
    body = re.sub(r"<td>([^<]*?) \*</td>", r'<td class="worst">\1 *</td>', body)
    title = re.search(r"<h1>(.*?)</h1>", body)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title[1] if title else 'Report'}</title><style>{STYLE}</style></head>\n"
        f"<body>\n{_folded(body)}\n</body></html>\n"
    )


def _picture(name: str, folder: str | os.PathLike) -> str:
    with open(os.path.join(folder, name), "rb") as file:
        return f'src="data:image/png;base64,{base64.b64encode(file.read()).decode()}"'


def _folded(body: str) -> str:
    """The body, whose sections of many tables open at a click."""
    sections = re.split(r"(?=<h2>)", body)
    return "".join(
        re.sub(r"<h2>(.*?)</h2>", r"<details><summary>\1</summary>", section) + "</details>"
        if section.startswith(tuple(f"<h2>{title}" for title in FOLDED))
        else section
        for section in sections
    )
