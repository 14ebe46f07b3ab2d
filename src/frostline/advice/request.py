"""Read the request to `src.advise`: overrides as for src.train, with several backbones at once."""

import shlex
import sys
from collections.abc import Sequence

from frostline.backbones.names import check_backbone_name
from frostline.config.conf_files import CONF
from frostline.config.foreign_letters import quoted_words
from frostline.config.renamed_backbones import rename_note
from frostline.config.schema import Settings
from frostline.data.early_check import check_path
from frostline.data.source_words import with_source
from frostline.errors import ConfigError
from frostline.invocation import as_called

# The other keys configure training, which is what advice is about; they belong to src.train.
ALLOWED = ("data", "backbone", "weights", "weights_key", "weights_partial", "image_size", "seed")


def read_request(overrides: Sequence[str]) -> list[Settings]:
    """Compose the settings for each backbone that was named.

    Args:
        overrides: Such as `data.path=DIR` and `backbone=a,b`.

    Raises:
        ConfigError: If a key is unknown or has no effect on advice, or a path is missing.
        BackboneError: If there is no such backbone.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from frostline.config.hydra_errors import explain_hydra_error
    from frostline.config.read import settings_of

    backbones, others = [""], []
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or key.split(".")[0] not in ALLOWED:
            raise ConfigError(
                f"{override}: src.advise does not take it",
                f"{', '.join(f'{name}=...' for name in ALLOWED)} and data.KEY=...",
                f"python -m src.advise data.path={'DIR' if equals else override}",
            )
        if key == "backbone":
            backbones = [name for name in value.split(",") if name]
        else:
            others.append(override)
    if not backbones:
        raise ConfigError("backbone=: no name is given", "backbone=NAME or backbone=NAME,NAME")
    others = quoted_words(with_source(others))
    jobs = []
    with initialize_config_dir(str(CONF), version_base="1.3", job_name="advise"):
        for backbone in dict.fromkeys(backbones):
            named = [f"backbone={backbone}"] if backbone else []
            try:
                settings = settings_of(compose("train", overrides=[*others, *named]))
            except (HydraException, OmegaConfBaseException) as error:
                raise explain_hydra_error(error) from None
            if note := rename_note(backbone or settings.backbone, settings.backbone):
                print(note, file=sys.stderr)
            check_backbone_name(settings.backbone)
            check_path(settings.data)
            jobs.append(settings)
    return jobs


def sweep_command(
    overrides: Sequence[str], backbones: Sequence[str], depths: Sequence[str], seeds: Sequence[int]
) -> str:
    """Return the sweep over backbones and depths, on the same data.

    Args:
        overrides: What the user gave.
        backbones: Names.
        depths: Values of `freeze`.
        seeds: Of the runs.
    """
    parts = [
        *with_source([text for text in overrides if text.partition("=")[0] != "backbone"]),
        f"backbone={','.join(backbones)}",
        f"freeze={','.join(depths)}",
        f"seed={','.join(map(str, seeds))}",
    ]
    return as_called("python -m src.train -m ") + " ".join(shlex.quote(part) for part in parts)


def with_path(words: Sequence[str]) -> list[str]:
    """Overrides of which one may be a plain path: `photos` for `data.path=photos`.

    Raises:
        ConfigError: If there are two paths.
    """
    paths = [word for word in words if "=" not in word]
    if len(paths) > 1:
        raise ConfigError(
            f"{' '.join(paths)}: advice is about one data set",
            "one path, and KEY=VALUE",
            f"python -m src.advise {shlex.quote(paths[0])}",
        )
    return [
        word if "=" in word else "data=leaves" if word == "leaves" else f"data.path={word}"
        for word in words
    ]


def next_command(overrides: Sequence[str], backbones: Sequence[str], strategies: str) -> str:
    """Return the sweep to start with, on the same data.

    Args:
        overrides: What the user gave.
        backbones: Those worth comparing.
        strategies: Joined by commas.
    """
    own = [text for text in overrides if text.partition("=")[0] not in {"backbone", "seed"}]
    parts = [
        *with_source(own),
        f"backbone={','.join(backbones)}",
        f"strategy={strategies}",
        "seed=0,1,2",
    ]
    return as_called("python -m src.train -m ") + " ".join(shlex.quote(part) for part in parts)
