"""Where a user's own yaml files and their code are looked for.

Own conf folders are `conf/` where the command was called, those of `--config-dir` and
`hydra.searchpath`, and those of installed packages with an entry point `frostline.plugins`. The
code that a yaml file names by `_target_` is in such a folder, beside it, or installed.
"""

import os
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path

from frostline.errors import ConfigError

GROUP = "frostline.plugins"
# Processes that a command starts inherit it, so that all of them find the same.
VARIABLE = "FROSTLINE_PLUGINS"
# What only the package's own conf/train.yaml says, in whichever checkout.
_OWN_SWEEPER = "hydra/sweeper: frostline"


def conf_folders() -> list[Path]:
    """Folders of a user's own yaml files, the nearest first; each once."""
    named = [Path(each) for each in os.environ.get(VARIABLE, "").split(os.pathsep) if each]
    here = Path.cwd() / "conf"
    found = [*named, *([here] if is_own(here) else []), *_packaged()]
    return list(dict.fromkeys(folder.absolute() for folder in found))


def is_own(folder: Path) -> bool:
    """Whether a folder may hold a user's own yaml files: it is there, and no conf/ of Frostline."""
    top = folder / "train.yaml"
    if not folder.is_dir():
        return False
    return not top.is_file() or _OWN_SWEEPER not in top.read_text(encoding="utf-8", errors="ignore")


def remember(folders: Iterable[str | Path]) -> None:
    """Look into these folders too, in this process and in those that it starts."""
    new = [str(Path(each).absolute()) for each in folders if is_own(Path(each))]
    known = [each for each in os.environ.get(VARIABLE, "").split(os.pathsep) if each]
    os.environ[VARIABLE] = os.pathsep.join(dict.fromkeys([*known, *new]))


def config_folders(arguments: Sequence[str]) -> list[str]:
    """What a command line gives as `--config-dir DIR`, `--config-dir=DIR` or `-cd DIR`."""
    found = [
        following
        for word, following in pairwise(arguments)
        if word in {"--config-dir", "-cd"} and not following.startswith("-")
    ]
    return found + [
        word.removeprefix("--config-dir=") for word in arguments if word.startswith("--config-dir=")
    ]


def check_conf_folders() -> None:
    """Refuse a folder `backbone/`, which Hydra would take for a group in the place of the key.

    Raises:
        ConfigError: If there is one.
    """
    for folder in conf_folders():
        if any((folder / "backbone").glob("*.yaml")):
            raise ConfigError(
                f"{folder / 'backbone'}: to Hydra this is a group, and `backbone` is a key",
                todo="name the folder backbones/",
            )


def code_folders() -> list[Path]:
    """Folders in which a user's own modules are: the conf folders, those around them, this one."""
    conf = [folder for folder in conf_folders() if folder not in _packaged()]
    around = [folder.parent for folder in conf]
    return list(dict.fromkeys([*conf, *around, Path.cwd()]))


@cache
def _packaged() -> tuple[Path, ...]:
    """The conf/ of each installed package that names itself by an entry point."""
    folders = []
    for point in entry_points(group=GROUP):
        # Only the package is located; it is imported once a yaml file of it is used.
        spec = PathFinder.find_spec(point.module.partition(".")[0])
        for place in (spec.submodule_search_locations or ()) if spec else ():
            folders += [inner for inner in [Path(place) / "conf"] if inner.is_dir()]
    return tuple(folders)
