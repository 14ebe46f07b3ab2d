"""What a person asks `src.advise`: overrides as for src.train, several backbones at once."""

from collections.abc import Sequence
from pathlib import Path

from frostline.config.location import CONF
from frostline.config.schema import Settings
from frostline.errors import ConfigError

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
# Other keys say how to train, which advice is about; they are given to src.train.
ALLOWED = ("data", "backbone", "weights", "image_size", "seed")


def read_request(overrides: Sequence[str]) -> list[Settings]:
    """The settings for each backbone that was named.

    Args:
        overrides: Such as `data.path=DIR` and `backbone=a,b`.

    Raises:
        ConfigError: If a key is unknown or not one that advice depends on, or a path is missing.
        BackboneError: If there is no such backbone.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from frostline.config.messages import explain
    from frostline.sweep.sweeper import settings_of

    backbones, others = [""], []
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or key.split(".")[0] not in ALLOWED:
            raise ConfigError(
                f"{text}: src.advise does not take it",
                f"{', '.join(f'{name}=...' for name in ALLOWED)} and data.KEY=...",
                "python -m src.advise data.path=DIR",
            )
        if key == "backbone":
            backbones = [name for name in value.split(",") if name]
        else:
            others.append(text)
    if not backbones:
        raise ConfigError("backbone=: no name is given", "backbone=NAME or backbone=NAME,NAME")
    if not any(text.startswith("data=") for text in others):
        others = [f"data={source_of(others)}", *others]
    found = []
    with initialize_config_dir(str(CONF), version_base="1.3", job_name="advise"):
        for backbone in dict.fromkeys(backbones):
            named = [f"backbone={backbone}"] if backbone else []
            try:
                found.append(settings_of(compose("train", overrides=[*others, *named])))
            except (HydraException, OmegaConfBaseException) as error:
                raise explain(error) from None
    return found


def source_of(overrides: Sequence[str]) -> str:
    """The member of the `data` group for the path that is given; `leaves` without one."""
    given = [text.partition("=")[2] for text in overrides if text.startswith("data.path=")]
    if not given:
        return "leaves"
    place = Path(given[-1].strip("'\"")).expanduser()
    if place.suffix.lower() in {".csv", ".tsv"}:
        return "csv"
    if place.name.lower().endswith(ARCHIVES):
        return "archive"
    saved = any((place / name).exists() for name in ("state.json", "dataset_dict.json"))
    return "hub" if saved else "folder"


def next_command(overrides: Sequence[str], backbones: Sequence[str], strategies: str) -> str:
    """The sweep to start with, on the same data.

    Args:
        overrides: What the person gave.
        backbones: Those worth a try.
        strategies: Joined by commas.
    """
    import shlex

    own = [text for text in overrides if text.partition("=")[0] not in {"backbone", "seed"}]
    if not any(text.startswith("data=") for text in own):
        own = [f"data={source_of(own)}", *own]
    parts = [*own, f"backbone={','.join(backbones)}", f"strategy={strategies}", "seed=0,1,2"]
    return "python -m src.train -m " + " ".join(shlex.quote(part) for part in parts)
