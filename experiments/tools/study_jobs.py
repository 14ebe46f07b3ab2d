"""Compose the jobs of a study as its command does, each with the label of its cell."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from frostline.config.conf_files import CONF
from frostline.config.freeze_value import counted, depends_on_stages
from frostline.config.identity import config_digest
from frostline.config.read import settings_of
from frostline.config.schema import Settings
from frostline.config.study_scale import STUDIES, spell_out_scale
from frostline.data.load import data_name
from frostline.errors import ConfigError
from frostline.sweeps.compose import study_cells, words_of
from frostline.sweeps.plan import with_first_seeds
from frostline.sweeps.sweeper import split_sweep


@dataclass(frozen=True)
class StudyJob:
    """One job of a study.

    Attributes:
        label: Name of its cell, with the values of all other swept keys except the seed.
        settings: Of the job.
    """

    label: str
    settings: Settings

    @property
    def key(self) -> tuple[str, str]:
        """Key of its recorded run: digest of the config, name of the data set."""
        return config_digest(self.settings), data_name(self.settings.data)


@dataclass(frozen=True)
class Study:
    """A study with its jobs.

    Attributes:
        name: Its name.
        overrides: Given after the name, such as `scale=full`.
        jobs: Its jobs, by cell, then by seed.
        table: What its tables show besides the runs.
    """

    name: str
    overrides: tuple[str, ...]
    jobs: tuple[StudyJob, ...]
    table: Mapping[str, Any]

    @property
    def command(self) -> str:
        """The command that runs it."""
        return " ".join(["python -m src.train -m", f"+experiments={self.name}", *self.overrides])

    @property
    def scale(self) -> str:
        """The size that was chosen."""
        scales = [
            override.partition("=")[2]
            for override in self.overrides
            if override.startswith("scale=")
        ]
        return scales[-1] if scales else "small"

    @property
    def labels(self) -> list[str]:
        """Labels of the cells, in order."""
        return list(dict.fromkeys(job.label for job in self.jobs))


def compose_study(name: str, overrides: Sequence[str]) -> Study:
    """Compose all jobs of a study.

    Args:
        name: The study.
        overrides: Further ones, such as `scale=full data.path=DIR`.

    Raises:
        ConfigError: If there is no such study, or a job cannot be composed.
    """
    if not (STUDIES / f"{name}.yaml").is_file():
        names = ", ".join(sorted(file.stem for file in STUDIES.glob("*.yaml")))
        raise ConfigError(f"{name}: there is no such study", names)
    typed = spell_out_scale([f"+experiments={name}", *overrides])
    with _hydra() as parser:
        single = [one for one in parser.parse_overrides(typed) if not one.is_sweep_override()]
        master = compose("train", [str(one.input_line) for one in single], return_hydra_config=True)
        sweeper: dict[str, Any] = OmegaConf.to_container(master.hydra.sweeper)  # type: ignore[assignment]
        jobs = []
        for cell in study_cells(sweeper.get("cells"), sweeper.get("axes")):
            overrides_of_cell = words_of(cell, sweeper.get("params") or {}, typed, parser)
            swept = _swept_keys(overrides_of_cell, parser)
            for job in split_sweep(overrides_of_cell, parser):
                values = [
                    _short(override) for override in job if override.partition("=")[0] in swept
                ]
                label = ", ".join([*cell.names, *values])
                composed = compose("train", job, return_hydra_config=True)
                jobs.append(StudyJob(label, settings_of(composed)))
    # As the command does: a cell that tunes chooses on its first seed, which is part of its config.
    ready = [_with_counted_depth(one) for one in with_first_seeds([j.settings for j in jobs])]
    return Study(
        name,
        tuple(overrides),
        tuple(StudyJob(job.label, own) for job, own in zip(jobs, ready, strict=True)),
        sweeper.get("table") or {},
    )


def _with_counted_depth(settings: Settings) -> Settings:
    """`freeze=-1` and `middle` as the stages that they are, which is what a run records."""
    if not depends_on_stages(settings.freeze):
        return settings
    from frostline.backbones.build import check_freeze  # imports timm

    depth = check_freeze(settings.backbone, settings.freeze, settings.image_size, settings.in_chans)
    freeze = counted(settings.freeze, depth.num_stages)
    return settings.model_copy(update={"freeze": freeze})


def _swept_keys(overrides: Sequence[str], parser: OverridesParser) -> set[str]:
    """Keys with several values, which are part of a label; seeds repeat a cell."""
    parsed = parser.parse_overrides(list(overrides))
    return {str(one.key_or_group) for one in parsed if one.is_sweep_override()} - {"seed"}


def _short(override: str) -> str:
    """An override as a label; of a path only the last part."""
    key, _, value = override.partition("=")
    return Path(value).name if key == "data.path" else override


@contextmanager
def _hydra() -> Iterator[OverridesParser]:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
