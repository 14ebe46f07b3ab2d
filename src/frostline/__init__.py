"""Frostline: sweeps that say which pretrained backbone to take and how deep to freeze it.

From a shell `frostline train`, from Python:

    import frostline

    swept = frostline.sweep(data="photos", backbone=["resnet50", "vgg16"], freeze=[0, 2, 4])
    swept.table()
    model = frostline.load("best:ID")
    model("new_photos/")
    frostline.runs()
"""

from types import ModuleType
from typing import Any

import frostline.sweep as _room

_FROM_PYTHON = ("Model", "Sweep", "load", "runs")


class _CallableRoom(ModuleType):
    """The package frostline.sweep, which users call as `frostline.sweep(...)`."""

    def __call__(self, *overrides: str, **settings: Any) -> Any:
        """`frostline.api.sweep`."""
        from frostline.api import sweep

        return sweep(*overrides, **settings)


_room.__class__ = _CallableRoom


def __getattr__(name: str) -> Any:
    """Import what Python code asks for when it asks: commands start faster without."""
    if name not in _FROM_PYTHON:
        raise AttributeError(f"module 'frostline' has no attribute {name!r}")
    from frostline import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_FROM_PYTHON])
