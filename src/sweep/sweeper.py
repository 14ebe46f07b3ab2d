"""The sweep as Hydra starts it: compose all, check all, run what is needed, say how it ended."""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from src.config import Settings, read_settings
from src.errors import ConfigError, FrostlineError


class SweepEndedError(Exception):
    """A sweep that has already told the person how it ended, with the exit code to leave with."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


@dataclass(frozen=True)
class ComposedJob:
    """A job as the command asks for it: what Hydra composes it from, and what that gives."""

    overrides: tuple[str, ...]
    settings: Settings


class PlannedSweeper(Sweeper):
    """Expands the command into jobs like Hydra's own sweeper, and checks them all first.

    Args:
        max_batch_size: Jobs handed to the launcher at once; None for all.
        params: The grid of a study: key to sweep values; the command line wins over it.
    """

    def __init__(self, max_batch_size: int | None, params: dict[str, Any] | None) -> None:
        self.max_batch_size = max_batch_size
        self.params = params or {}

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra gives; the launcher is made only when there is something to launch."""
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep.

        Raises:
            ConfigError: If any job cannot be composed or asks for something impossible.
            SweepEndedError: If jobs failed; the table has been printed.
        """
        from src.sweep.session import run_sweep

        jobs = self._compose(self._expand(arguments))
        sweep_id = uuid.uuid4().hex[:12]
        folder = Path(f"{self.config.hydra.sweep.dir}-{sweep_id[:6]}").absolute()
        folder.mkdir(parents=True)
        self.config.hydra.sweep.dir = str(folder)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        return run_sweep(jobs, sweep_id=sweep_id, folder=folder, make_launcher=self._launcher)

    def _launcher(self) -> Launcher:
        return Plugins.instance().instantiate_launcher(
            hydra_context=self.hydra_context,
            task_function=self.task_function,
            config=self.config,
        )

    def _expand(self, arguments: list[str]) -> list[list[str]]:
        """The product of all swept values, one list of overrides a job."""
        grid = [f"{key}={value}" for key, value in self.params.items()]
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides(grid + arguments)
        (batch,) = BasicSweeper.split_arguments(overrides, max_batch_size=None)
        return batch

    def _compose(self, batch: Sequence[Sequence[str]]) -> list[ComposedJob]:
        jobs: list[ComposedJob] = []
        problems: dict[str, FrostlineError] = {}
        for overrides in batch:
            composed = self.hydra_context.config_loader.load_sweep_config(
                self.config, list(overrides)
            )
            try:
                jobs.append(ComposedJob(tuple(overrides), settings_of(composed)))
            except FrostlineError as error:
                problems.setdefault(str(error), error)
        raise_together(list(problems.values()))
        return jobs


def settings_of(config: DictConfig) -> Settings:
    """The checked settings of a composed config, with or without its `hydra` node.

    Raises:
        ConfigError: As `read_settings`.
    """
    own = OmegaConf.masked_copy(config, [key for key in config if key != "hydra"])
    missing = sorted(OmegaConf.missing_keys(own))
    if missing:
        raise ConfigError(
            "; ".join(f"{key}=???: a value is missing" for key in missing),
            todo=" ".join(f"{key}=VALUE" for key in missing),
        )
    values = OmegaConf.to_container(own, resolve=True)
    assert isinstance(values, dict)
    return read_settings({str(key): value for key, value in values.items()})


def raise_together(problems: list[FrostlineError]) -> None:
    """Raise one error for all problems; do nothing if there is none."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        text = "\n".join(str(problem) for problem in problems)
        raise ConfigError(re.sub(r"\n+", "\n", text))
