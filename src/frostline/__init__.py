"""Frostline: sweeps that say which pretrained backbone to take and how deep to freeze it.

From a shell `frostline train`, from Python:

    import frostline

    swept = frostline.sweep(data="photos", backbone=["resnet50", "vgg16"], freeze=[0, 2, 4])
    swept.table()
    model = frostline.load("best:ID")
    model("new_photos/")
    frostline.runs()
"""

from typing import Any

_FROM_PYTHON = ("Model", "Sweep", "load", "runs", "sweep")


def __getattr__(name: str) -> Any:
    """Import what Python code asks for when it asks: commands start faster without."""
    if name not in _FROM_PYTHON:
        raise AttributeError(f"module 'frostline' has no attribute {name!r}")
    from frostline import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_FROM_PYTHON])
