"""Which code a `_target_` is: its file, and a digest of it with all own files that it imports.

The digest is part of the identity of a run. It is made of the files themselves, not of a version
that their author states: nobody has to think of raising it, and an edited augmentation is never
taken for the one before. The price is that an edited comment counts as well.
"""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.metadata import version
from pathlib import Path

from frostline.errors import ConfigError
from frostline.plugins.folders import code_folders

# Libraries whose versions are in every digest already: see config.versions.installed_libraries.
_COUNTED_BY_VERSION = {"torch", "torchvision", "timm", "PIL"}
# Large libraries of which the version stands for the files.
_BY_VERSION = {"pytorch_lightning": "pytorch-lightning"}


@dataclass(frozen=True)
class Source:
    """Where a module is.

    Attributes:
        module: Its dotted name.
        file: Its file.
        root: The folder from which its first name is imported.
        is_own: Whether it is in a user's folder, not among what is installed.
    """

    module: str
    file: Path
    root: Path
    is_own: bool


def source_of(target: str) -> Source:
    """Find the module of a `_target_` such as `noise.Noise`, without importing anything.

    Raises:
        ConfigError: If there is none.
    """
    names = target.split(".")
    folders = code_folders()
    for folder in folders:
        if found := _longest(folder, names):
            return Source(*found, folder, is_own=True)
    spec = PathFinder.find_spec(names[0]) if len(names) > 1 else None
    origin = None if spec is None else spec.origin
    if origin is not None:
        root = Path(origin).parents[1 if spec and spec.submodule_search_locations else 0]
        if found := _longest(root, names):
            return Source(*found, root, is_own=False)
    raise ConfigError(
        f"_target_={target}: there is no module {'.'.join(names[:-1]) or target}",
        "MODULE.NAME, with the module installed or a file in one of: "
        + ", ".join(map(str, folders)),
        "name the file and the class or function in it: noise.Noise for class Noise in noise.py; "
        "or name the folder of your yaml files in the environment: FROSTLINE_PLUGINS=DIR",
    )


def _longest(root: Path, names: list[str]) -> tuple[str, Path] | None:
    """The module that the most of these names lead to, and its file; the last is no module."""
    for count in range(len(names) - 1, 0, -1):
        place = root.joinpath(*names[:count])
        for file in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if file.is_file():
                return ".".join(names[:count]), file
    return None


def code_digest(targets: list[str]) -> str:
    """A digest of the code of some targets, 16 hex digits.

    It covers the files of the modules and those of the same folder or package that they import,
    however far. What is imported by other means, and data that the code reads, is not seen.

    Raises:
        ConfigError: If a target has no module, or a file cannot be read as Python.
    """
    parts: list[str] = []
    for target in sorted(set(targets)):
        source = source_of(target)
        parts.append(target)
        if source.module.partition(".")[0] in _COUNTED_BY_VERSION and not source.is_own:
            continue
        if (library := _BY_VERSION.get(source.module.partition(".")[0])) and not source.is_own:
            parts.append(f"{library} {version(library)}")
            continue
        parts += [
            f"{name} {hashlib.sha256(_text(file).encode()).hexdigest()}"
            for name, file in sorted(files_of(source).items())
        ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def files_of(source: Source) -> dict[str, Path]:
    """The module's file and those of the same folder or package that it imports, by module."""
    found: dict[str, Path] = {}
    waiting = [(source.module, source.file)]
    top = source.module.partition(".")[0]
    while waiting:
        module, file = waiting.pop()
        if module in found:
            continue
        found[module] = file
        for name in imported_by(_text(file), module, is_package=file.name == "__init__.py"):
            if (source.is_own or name.partition(".")[0] == top) and (
                inner := _longest(source.root, [*name.split("."), ""])
            ):
                waiting.append(inner)
    return found


@lru_cache(maxsize=256)
def imported_by(text: str, module: str, *, is_package: bool) -> tuple[str, ...]:
    """The modules that a module's text may import, by their dotted names; () if it is no Python.

    Args:
        text: Of the module.
        module: Its dotted name, which relative imports start from.
        is_package: Whether it is a package's `__init__`.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return ()  # importing it says what is wrong, and where
    return tuple(dict.fromkeys(_names(tree, module, is_package)))


def _names(tree: ast.Module, module: str, is_package: bool) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            up = node.level - is_package
            base = parts[: len(parts) - up] if node.level else []
            start = [*base, *(node.module.split(".") if node.module else [])]
            yield ".".join(start)
            yield from (".".join([*start, alias.name]) for alias in node.names)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}", "a file of Python in UTF-8") from None
