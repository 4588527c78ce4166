"""Trained models that stand beside the one of a command: --compare=NAME=MODEL_DIR."""

from __future__ import annotations

from collections.abc import Sequence

import tfp_noiseflow as nf


def named_models(texts: Sequence[str]) -> dict[str, nf.NoiseModel]:
    """The models of NAME=MODEL_DIR by name.

    Raises:
      ValueError: a text of another form, or a name twice; as `nf.load_model`.
    """
    models = {}
    for text in texts:
        name, _, path = text.partition("=")
        if not name or not path or name in models:
            raise ValueError(
                f"expected --compare=NAME=MODEL_DIR, each of another NAME, received {text!r}."
            )
        models[name] = nf.load_model(path)
    return models
