"""Pictures of gallery/, which lies outside of docs/, in the pages that show them."""

import pathlib

from mkdocs.structure.files import File

GALLERY = pathlib.Path(__file__).resolve().parents[2] / "gallery"


def on_files(files, config):
    for path in sorted(GALLERY.glob("*.png")):
        files.append(File.generated(config, f"gallery/{path.name}", content=path.read_bytes()))
    return files


def on_page_markdown(markdown, page, **_):
    # In the checkout the folder is one level higher than on the site.
    return markdown.replace("](../../gallery/", "](../gallery/")
