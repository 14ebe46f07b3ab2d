"""`scale=small|full` of a study, as overrides of Hydra.

The sizes of a study are files beside it: experiments/NAME/small.yaml, full.yaml. To Hydra
that is the group `experiments/NAME`, whose long name is replaced by `scale`:

    +experiments=NAME scale=full    is    +experiments=NAME experiments/NAME@_global_=full
"""

from collections.abc import Sequence
from pathlib import Path

from frostline.config.conf_files import STUDIES
from frostline.errors import ConfigError
from frostline.plugins.folders import conf_folders


def spell_out_scale(arguments: Sequence[str], studies: Path | None = None) -> list[str]:
    """Replace `scale=NAME` by Hydra's override for it.

    Args:
        arguments: Of the command line.
        studies: Where the studies are; None for the user's own folder if it has the named one,
            else ours.

    Returns:
        The arguments in the same order; unchanged where no scale is given.

    Raises:
        ConfigError: If no study is named, or it has no such scale.
    """
    studies = studies or _folder_of(study_named(arguments))
    return [
        _choice(argument, arguments, studies)
        if argument.lstrip("+").startswith("scale=")
        else argument
        for argument in arguments
    ]


def _folder_of(study: str | None) -> Path:
    """Where a study is: ours, or a user's own."""
    folders = [STUDIES, *(folder / STUDIES.name for folder in conf_folders())]
    return next((each for each in folders if (each / f"{study}.yaml").is_file()), STUDIES)


def study_named(arguments: Sequence[str]) -> str | None:
    """The study that a command line names; None without one, the last of several."""
    named = [each.partition("=")[2] for each in arguments if each.startswith("+experiments=")]
    return named[-1] if named else None


def scales_of(study: str, studies: Path = STUDIES) -> list[str]:
    """Names of a study's scales, the smallest first; empty if it has one size only."""
    scales = sorted(file.stem for file in (studies / study).glob("*.yaml"))
    return sorted(scales, key=lambda name: name != "small")


def _choice(argument: str, arguments: Sequence[str], studies: Path) -> str:
    study, wanted = study_named(arguments), argument.partition("=")[2]
    if study is None:
        scaled = sorted(
            file.stem for file in studies.glob("*.yaml") if scales_of(file.stem, studies)
        )
        raise ConfigError(
            f"{argument}: a scale belongs to a study, and none is named",
            f"studies with scales: {', '.join(scaled)}",
            f"python -m src.train -m +experiments=NAME scale={wanted}",
        )
    allowed = scales_of(study, studies)
    unknown = [scale for scale in wanted.split(",") if scale not in allowed]
    if (studies / f"{study}.yaml").is_file() and unknown:
        if not allowed:
            raise ConfigError(
                f"{argument}: the study {study} has one size only", todo="leave `scale` out"
            )
        raise ConfigError(f"{argument}: the study {study} has no such scale", ", ".join(allowed))
    return f"experiments/{study}@_global_={wanted}"
