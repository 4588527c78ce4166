"""Pages load nothing from elsewhere: what the theme would is beside them, else the build ends."""

import re

from mkdocs.exceptions import PluginError
from mkdocs.utils import get_relative_url

# The search of pages that are opened without a server.
SHIM, OWN_SHIM = "https://unpkg.com/iframe-worker/shim", "assets/iframe-worker.js"

LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?https?:[^>]*|"
    r"<link\b[^>]*\brel=[\"']?(?:stylesheet|preload)[^>]*\bhref=[\"']?https?:[^>]*"
)


def on_post_page(output, page, **_):
    return _offline(output, page.url)


def on_post_template(output_content, template_name, **_):
    return _offline(output_content, template_name)


def _offline(text, url):
    text = text.replace(SHIM, get_relative_url(OWN_SHIM, url))
    if match := LOADED.search(text):
        raise PluginError(f"{url}: expected a page that loads nothing, received {match[0]}")
    return text
