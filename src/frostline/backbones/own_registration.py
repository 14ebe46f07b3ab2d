"""Make timm know a user's own backbones, each when it is asked for."""

import warnings

import timm

from frostline.plugins.own_backbones import target_of
from frostline.plugins.part import PluginError, import_source
from frostline.plugins.source_code import source_of


def register_own(name: str) -> None:
    """Import an own backbone, which registers itself with timm; nothing for one of timm.

    Raises:
        PluginError: If its module raises, or does not register it.
    """
    target = target_of(name)
    if target is None:
        return
    source = source_of(target)
    with warnings.catch_warnings():
        # A second process of a fork server may import it again.
        warnings.filterwarnings("ignore", message="Overwriting .* in registry")
        import_source(source)
    if not timm.is_model(name):
        raise PluginError(
            f"backbone={name}: {source.file} registers no model of that name with timm",
            f"a function {name}(pretrained=False, **kwargs) under @register_model",
        )


def where_defined(name: str) -> str:
    """` (FILE)` for an own backbone, for messages; empty for one of timm."""
    target = target_of(name)
    return "" if target is None else f" ({source_of(target).file})"
