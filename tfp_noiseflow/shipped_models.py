"""The trained models that come with the library, by name."""

from __future__ import annotations

import os

# Their folders in saved_models/, which tells more of them.
SHIPPED_MODELS = {"phones": "sensor_noise_model", "phones_paper": "noise_flow_model"}

_HERE = os.path.dirname(os.path.abspath(__file__))
# Installed, they are inside of the library; in a checkout beside it.
_FOLDERS = (os.path.join(_HERE, "saved_models"), os.path.join(_HERE, "..", "saved_models"))


def model_directory(model: str | os.PathLike) -> str:
    """The folder of a model that is given as a folder or, where there is none, by a shipped name.

    Args:
      model: a model directory, or a key of `SHIPPED_MODELS`.

    >>> os.path.basename(model_directory("phones"))
    'sensor_noise_model'
    >>> model_directory("my_models/night")
    'my_models/night'
    """
    path = os.fspath(model)
    if path in SHIPPED_MODELS and not os.path.isdir(path):
        for folder in _FOLDERS:
            shipped = os.path.normpath(os.path.join(folder, SHIPPED_MODELS[path]))
            if os.path.isdir(shipped):
                return shipped
    return path
