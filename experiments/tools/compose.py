"""The jobs of a study as its command composes them, each with the name of its cell."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from frostline.config.composed import settings_of
from frostline.config.identity import config_digest
from frostline.config.location import CONF
from frostline.config.schema import Settings
from frostline.config.study_scale import STUDIES, spell_out_scale
from frostline.data.load import data_name
from frostline.errors import ConfigError
from frostline.sweep.compose import study_cells, words_of
from frostline.sweep.sweeper import split_sweep


@dataclass(frozen=True)
class StudyJob:
    """One run that a study asks for.

    Attributes:
        label: Its cell's name, with whatever else is swept but the seed.
        settings: What it composes to.
    """

    label: str
    settings: Settings

    @property
    def key(self) -> tuple[str, str]:
        """What a recorded run of it is found by: digest of the config, name of the data set."""
        return config_digest(self.settings), data_name(self.settings.data)


@dataclass(frozen=True)
class Study:
    """What a study asks for.

    Attributes:
        name: Its name.
        words: What was typed behind it, such as `scale=full`.
        jobs: Its jobs, cell by cell, seed by seed.
        table: What its table shows beside the runs.
    """

    name: str
    words: tuple[str, ...]
    jobs: tuple[StudyJob, ...]
    table: Mapping[str, Any]

    @property
    def command(self) -> str:
        """The line that runs it."""
        return " ".join(["python -m src.train -m", f"+experiments={self.name}", *self.words])

    @property
    def scale(self) -> str:
        """Which of its sizes."""
        named = [word.partition("=")[2] for word in self.words if word.startswith("scale=")]
        return named[-1] if named else "small"

    @property
    def labels(self) -> list[str]:
        """Names of the cells, in order."""
        return list(dict.fromkeys(job.label for job in self.jobs))


def compose_study(name: str, words: Sequence[str]) -> Study:
    """Compose all jobs of a study.

    Args:
        name: The study.
        words: Further overrides, such as `scale=full data.path=DIR`.

    Raises:
        ConfigError: If there is no such study, or a job cannot be composed.
    """
    if not (STUDIES / f"{name}.yaml").is_file():
        known = ", ".join(sorted(file.stem for file in STUDIES.glob("*.yaml")))
        raise ConfigError(f"{name}: there is no such study", known)
    typed = spell_out_scale([f"+experiments={name}", *words])
    with _hydra() as parser:
        plain = [word for word in parser.parse_overrides(typed) if not word.is_sweep_override()]
        master = compose(
            "train", [str(word.input_line) for word in plain], return_hydra_config=True
        )
        sweeper: dict[str, Any] = OmegaConf.to_container(master.hydra.sweeper)  # type: ignore[assignment]
        found = []
        for cell in study_cells(sweeper.get("cells"), sweeper.get("axes")):
            asked = words_of(cell, sweeper.get("params") or {}, typed, parser)
            swept = _swept_keys(asked, parser)
            for job in split_sweep(asked, parser):
                own = [_short(word) for word in job if word.partition("=")[0] in swept]
                found.append((", ".join([*cell.names, *own]), settings_of(compose("train", job))))
    jobs = tuple(StudyJob(label, settings) for label, settings in found)
    return Study(name, tuple(words), jobs, sweeper.get("table") or {})


def _swept_keys(words: Sequence[str], parser: OverridesParser) -> set[str]:
    """Keys with several values, which name a cell; seeds repeat it."""
    overrides = parser.parse_overrides(list(words))
    return {str(o.key_or_group) for o in overrides if o.is_sweep_override()} - {"seed"}


def _short(word: str) -> str:
    """An override as a name: of a path its last part."""
    key, _, value = word.partition("=")
    return Path(value).name if key == "data.path" else word


@contextmanager
def _hydra() -> Iterator[OverridesParser]:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
