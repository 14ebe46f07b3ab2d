"""Build an own part: import its module, call what its `_target_` names; errors name its file.

As in Hydra, `_target_` is a class or function that is called with the other keys of the yaml file,
and with `_partial_: true` it is kept with them and called later.
"""

import importlib
import sys
import traceback
from collections.abc import Mapping
from functools import partial as bound
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from frostline.errors import DataChangedError, FrostlineError
from frostline.plugins.folders import code_folders
from frostline.plugins.source_code import Source, code_digest, files_of, source_of

_AGAIN = "put that back, or give the command that trained again: it plans for what is there now"
# Files of the own modules that this process has imported.
_imported: set[str] = set()


class PluginError(FrostlineError):
    """Own code that cannot be imported, built or used; the message names its file."""


class PluginChangedError(DataChangedError):
    """Own code that is no longer what it was when the run was planned or trained."""


class Part(Protocol):
    """What a yaml file of an own part says; see config.own_part."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def target(self) -> str:
        """`_target_`."""

    @property
    def partial(self) -> bool:
        """`_partial_`."""

    @property
    def options(self) -> Mapping[str, Any]:
        """The other keys."""

    @property
    def code(self) -> str:
        """Digest of the code that it was read with."""


def build_part(part: Part, **given: Any) -> Any:
    """Call what a part names, with its options.

    Args:
        part: The part.
        given: What Frostline gives it, such as `num_classes`.

    Raises:
        PluginError: If it cannot be imported, or raises.
        PluginChangedError: If its code has changed since the part was read.
    """
    now = code_digest(targets_of(part.target, part.options))
    if now != part.code:
        raise PluginChangedError(
            f"{part.name}: {source_of(part.target).file} (or what it imports) has changed since "
            f"the run was made: its code was {part.code}, is {now}",
            "the code that the run was made with, which it keeps among its artifacts (plugins/)",
            _AGAIN,
        )
    return _call(part.target, part.partial, dict(part.options) | given)


def targets_of(target: str, options: Any) -> list[str]:
    """A target and all that its options name, however deep."""
    inner: list[str] = []
    if isinstance(options, Mapping):
        inner = [each for value in options.values() for each in targets_of("", value)]
        inner += [str(options["_target_"])] if "_target_" in options else []
    elif isinstance(options, list | tuple):
        inner = [each for value in options for each in targets_of("", value)]
    return [target, *inner] if target else inner


def _call(target: str, partial: bool, options: Mapping[str, Any]) -> Any:
    function = named(target)
    own = {key: _built(value) for key, value in options.items()}
    if partial:
        return bound(function, **own)
    try:
        return function(**own)
    except FrostlineError:
        raise
    except Exception as error:
        raise failed(target, "cannot be made", error) from error


def _built(value: Any) -> Any:
    """A value of a yaml file, with what it names in the place of its name."""
    if isinstance(value, Mapping):
        inner = {str(key): each for key, each in value.items()}
        if "_target_" in inner:
            target, partial = str(inner.pop("_target_")), bool(inner.pop("_partial_", False))
            return _call(target, partial, inner)
        return {key: _built(each) for key, each in inner.items()}
    return [_built(each) for each in value] if isinstance(value, list | tuple) else value


def named(target: str) -> Any:
    """The class or function that a target names.

    Raises:
        PluginError: If its module raises, or has nothing of that name.
    """
    source = source_of(target)
    module = import_source(source)
    found: Any = module
    for name in target.removeprefix(f"{source.module}.").split("."):
        if not hasattr(found, name):
            raise PluginError(
                f"_target_={target}: {source.file} has no {name}",
                ", ".join(each for each in vars(module) if not each.startswith("_"))[:300],
            )
        found = getattr(found, name)
    if not callable(found):
        raise PluginError(f"_target_={target}: it is no class or function ({source.file})")
    return found


def import_source(source: Source) -> ModuleType:
    """Import a module; an own one from its own file, whatever else has its name.

    Raises:
        PluginError: If it raises, or its name is that of something installed.
    """
    if source.is_own:
        _check_free(source)
        _imported.update(str(file) for file in files_of(source).values())
        if str(source.root) not in sys.path:
            sys.path.append(str(source.root))  # last: nothing installed is hidden
    else:
        _imported.add(str(source.file))
    try:
        module = importlib.import_module(source.module)
    except Exception as error:
        raise failed(source.module, "raised when it was imported", error, source) from error
    if source.is_own and Path(module.__file__ or "").resolve() != source.file.resolve():
        raise _taken(source, str(module.__file__))
    return module


def _check_free(source: Source) -> None:
    """Refuse an own module with the name of an installed one: Python would take either."""
    top = source.module.partition(".")[0]
    own = {str(folder) for folder in code_folders()} | {""}
    installed = PathFinder.find_spec(top, [place for place in sys.path if place not in own])
    loaded = getattr(sys.modules.get(source.module), "__file__", None)
    other = "Python itself" if top in sys.stdlib_module_names else None
    if installed is not None and installed.origin:
        other = installed.origin
    elif loaded is not None and Path(loaded).resolve() != source.file.resolve():
        other = loaded
    if other is not None:
        raise _taken(source, other)


def _taken(source: Source, other: str) -> PluginError:
    top = source.module.partition(".")[0]
    return PluginError(
        f"{source.file}: the name {top} is taken by {other}",
        todo=f"rename the file, and name it so in _target_: my_{top}.py, my_{top}.NAME",
    )


def failed(target: str, what: str, error: Exception, source: Source | None = None) -> PluginError:
    """The error for own code that raised, with its file and line."""
    file = (source or source_of(target)).file
    line = own_line(error)
    text = str(error).strip() or "no message"
    return PluginError(f"{line or file}: {target} {what}: {type(error).__name__}: {text}")


def own_line(error: BaseException) -> str:
    """FILE:LINE of the last own code that an error went through; empty if it went through none."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename in _imported]
    if isinstance(error, SyntaxError) and error.filename in _imported:
        return f"{error.filename}:{error.lineno}"
    return f"{own[-1].filename}:{own[-1].lineno}" if own else ""
