"""Notebooks are run, and shown with what they print and draw.

A page is kept in the folder that DOCS_CACHE names (none: in the system's temporary files) under a
checksum of the notebook and of the library, so that a build runs what has changed.
"""

import base64
import hashlib
import json
import os
import pathlib
import re
import tempfile

import jupytext
import nbclient
import nbconvert
from mkdocs.structure.files import File
from traitlets.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "docs" / "notebooks").glob("[0-9]*.py"))

# In seconds, for a cell: a whole notebook takes a minute where nothing runs beside it.
PATIENCE = 900

ABOUT = "*This page is a program: `python docs/notebooks/{name}.py`.*\n"


def on_config(config):
    pages = [f"notebooks/{path.stem}.md" for path in SOURCES]
    next(entry for entry in config.nav if "Notebooks" in entry)["Notebooks"] = pages
    return config


def on_page_markdown(markdown, **_):
    # In the checkout a link leads to the program, on the site to its page.
    return re.sub(r"\]\(((?:\.\./)?(?:notebooks/)?\d_\w+).py\)", r"](\1.md)", markdown)


def on_files(files, config):
    for path in SOURCES:
        for name, content in _rendered(path).items():
            files.append(File.generated(config, f"notebooks/{name}", content=content))
    return files


def _rendered(path):
    """Name to content: the page and its pictures."""
    folder = pathlib.Path(os.environ.get("DOCS_CACHE") or tempfile.gettempdir())
    kept = folder / f"notebook-{path.stem}-{_checksum(path)}.json"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        beside = kept.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(_run(path)))
        beside.rename(kept)
    files = json.loads(kept.read_text())
    return {
        name: base64.b64decode(content) if name.endswith(".png") else content
        for name, content in files.items()
    }


def _checksum(path):
    checksum = hashlib.sha256()
    sources = [path, pathlib.Path(__file__), ROOT / "requirements.txt"]
    for source in [*sources, *sorted((ROOT / "tfp_noiseflow").rglob("*.py"))]:
        checksum.update(source.read_bytes())
    return checksum.hexdigest()[:16]


def _run(path):
    notebook = jupytext.read(path)
    notebook.metadata.language_info = {"name": "python"}
    # The kernel's folder is the checkout's root, as that of the command is.
    client = nbclient.NotebookClient(
        notebook,
        timeout=PATIENCE,
        kernel_name="python3",
        resources={"metadata": {"path": ROOT}},
        # Without a port that others on the machine could reach.
        config=Config({"KernelManager": {"transport": "ipc"}}),
    )
    client.execute()
    for cell in notebook.cells:
        # What libraries log is of the machine, not of the page.
        outputs = cell.get("outputs", [])
        cell["outputs"] = [o for o in outputs if o.get("name") != "stderr"]
    exporter = nbconvert.MarkdownExporter()
    text, resources = exporter.from_notebook_node(
        notebook, resources={"unique_key": path.stem, "output_files_dir": f"{path.stem}_files"}
    )
    title, _, rest = text.lstrip().partition("\n")
    files = {f"{path.stem}.md": f"{title}\n\n{ABOUT.format(name=path.stem)}{_outputs(rest)}"}
    for name, picture in resources["outputs"].items():
        files[name] = base64.b64encode(picture).decode()
    return files


def _outputs(text):
    """Printed text, which nbconvert indents by four, becomes a block of its own kind."""
    lines, shown, is_code = [], [], False

    def close():
        while shown and not shown[-1].strip():
            shown.pop()
        if shown:
            lines.extend(["``` { .text .output }", *(line[4:] for line in shown), "```", ""])
        shown.clear()

    for line in text.split("\n"):
        if re.match("```", line) and not shown:
            is_code = not is_code
        if not is_code and (line.startswith("    ") or (shown and not line.strip())):
            shown.append(line)
            continue
        close()
        lines.append(line)
    close()
    return "\n".join(lines)
