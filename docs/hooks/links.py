"""Every link and picture of the finished site leads to a file and to a place in it."""

import html.parser
import pathlib
import urllib.parse

from mkdocs.exceptions import PluginError


class _Page(html.parser.HTMLParser):
    """What a page links and the places that it has."""

    def __init__(self, text):
        super().__init__()
        self.links, self.places = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.links += [given[name] for name in ("href", "src") if given.get(name)]
        self.places |= {given[name] for name in ("id", "name") if given.get(name)}


def on_post_build(config):
    site = pathlib.Path(config.site_dir).resolve()
    # That of a server for pages that are missing, whose links are from the root of any address.
    paths = [path for path in site.rglob("*.html") if path.name != "404.html"]
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in paths}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (
                (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            )
            if target.is_dir():
                target /= "index.html"
            place = urllib.parse.unquote(parts.fragment)
            has_place = not place or target not in pages or place in pages[target].places
            # The theme's own, to the top of a page.
            if not target.exists() or not (has_place or place == "__skip"):
                broken.append(f"{path.relative_to(site)}: {link}")
    if broken:
        raise PluginError("expected links that lead somewhere, received\n" + "\n".join(broken))
