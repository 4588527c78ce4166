"""The README and the guides as texts that tests run."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]
README, SERVING = ROOT / "README.md", ROOT / "docs" / "guides" / "serve.md"


def documents() -> list[pathlib.Path]:
    """All that users read."""
    return [README, *sorted((ROOT / "docs").rglob("*.md"))]


def examples(path: pathlib.Path) -> list[str]:
    """The Python code of a document, block by block."""
    return re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
