"""The pages of the API name all that is public, each where it is defined."""

import importlib
import importlib.util
import re

import tfp_noiseflow as nf
from tests.documents import ROOT


def api():
    path = ROOT / "docs" / "hooks" / "api.py"
    spec = importlib.util.spec_from_file_location("api_hook", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_have_all_public_names_and_lead_to_their_objects():
    shown = {}
    for text in api().pages().values():
        for place, heading in re.findall(r"::: (\S+)\n    options:\n      heading: (\S+)", text):
            module, _, name = place.rpartition(".")
            shown[heading] = getattr(importlib.import_module(module), name)
    expected = {f"nf.{name}": getattr(nf, name) for name in nf.__all__}
    # Its names stand on a page of their own; a version needs none.
    del expected["nf.__version__"], expected["nf.bijectors"]
    expected |= {
        f"nf.bijectors.{name}": getattr(nf.bijectors, name) for name in nf.bijectors.__all__
    }
    assert shown.keys() == expected.keys()
    assert all(shown[name] is expected[name] for name in expected)


def test_index_links_every_name():
    index = api().pages()["api/index.md"]
    for name in set(nf.__all__) - {"__version__", "bijectors"}:
        assert f"[`{name}`](" in index, name
