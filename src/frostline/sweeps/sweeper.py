"""The sweep as Hydra starts it: compose all, check all, run what is needed, report the end."""

import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from frostline.advice.auto_strategy import resolve_all
from frostline.backbones.names import check_backbone_name
from frostline.backbones.shared_cache import shared_cache
from frostline.config.read import settings_of
from frostline.config.renamed_backbones import rename_note
from frostline.config.schema import Settings
from frostline.data.early_check import check_path
from frostline.errors import ConfigError, FrostlineError
from frostline.redact import redact_yaml_files
from frostline.sweeps import workers
from frostline.sweeps.answered import answer, may_be_answered, show_sweep
from frostline.sweeps.compose import Composer, study_cells, words_of
from frostline.sweeps.failures import raise_together
from frostline.sweeps.first_process import FirstProcess
from frostline.sweeps.fold_words import with_all_folds
from frostline.sweeps.fork_server import cool_down, warm_up
from frostline.sweeps.known_depth import check_known_depth
from frostline.sweeps.launcher import environment_of
from frostline.sweeps.own_launcher import made_launcher, own_launcher
from frostline.sweeps.resources import own_cores, own_gpus, share_of
from frostline.sweeps.signals import raise_on_signals
from frostline.sweeps.worker_answer import Failure
from frostline.sweeps.worker_pool import WorkerPool, check_limit

_PLUGINS_OF_HYDRA = ("hydra_plugins.", "hydra._internal.core_plugins.")
_OUR_LAUNCHER = "hydra_plugins.frostline.IsolatedLauncher"
_COMMAND_FILE = "multirun.yaml"


class PlannedSweeper(Sweeper):
    """Expands the command into jobs like Hydra's own sweeper, and checks them all first.

    Args:
        max_batch_size: Jobs handed to the launcher at once; None for all.
        params: The grid of a study: key to sweep values; the command line wins over it.
        cells: Configurations of a study that do not cross: see frostline.sweeps.compose.
        axes: Named choices of a study that do.
        table: For src.study alone.
    """

    def __init__(
        self,
        max_batch_size: int | None,
        params: dict[str, Any] | None,
        cells: dict[str, Any] | None = None,
        axes: dict[str, Any] | None = None,
        table: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        self.max_batch_size = max_batch_size
        self.params = params or {}
        self.cells = study_cells(cells, axes)

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra gives; the launcher is made only when there is something to launch."""
        self.context = hydra_context
        self.task_function = task_function
        self.master = config
        self.composer = Composer(hydra_context.config_loader, config)

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep.

        Raises:
            ConfigError: If any job cannot be composed or asks for something impossible.
        """
        begun_s = time.monotonic()
        raise_on_signals()
        self._check_launcher()
        batch = self._expand(arguments)
        # Most mistakes are in every job; they are reported before any import.
        (_, first), *_ = self._compose(batch[:1])
        if may_be_answered(first):
            composed = self._compose(batch)
            found = answer(composed, is_sweep=True)
            if found is not None:
                with self._folder(composed) as folder:
                    show_sweep(found, folder, seconds=time.monotonic() - begun_s)
                return found.outcomes
        with shared_cache():
            warm_up()
            try:
                return self._run(self._resolve_strategies(self._compose(batch)))
            finally:
                # A reader of our output waits until every process that could print has ended.
                cool_down()

    def _run(self, jobs: Sequence[tuple[tuple[str, ...], Settings]]) -> Any:
        from frostline.sweeps.session import run_sweep

        with self._folder(jobs) as folder:
            launcher = OmegaConf.to_container(self.master.hydra.launcher, resolve=False)
            assert isinstance(launcher, dict)
            own = {str(key): value for key, value in launcher.items()}
            share = share_of(own, jobs=len(jobs), cores=own_cores(), gpus=len(own_gpus()))
            with WorkerPool(own.get("jobs_per_process")) as pool:
                process = None
                if own["_target_"] == _OUR_LAUNCHER:
                    process = FirstProcess(pool, environment_of(self.master.hydra))
                return run_sweep(
                    jobs,
                    folder=folder,
                    make_launcher=self._launcher,
                    share=share,
                    process=process,
                )

    @contextmanager
    def _folder(self, jobs: Sequence[tuple[tuple[str, ...], Settings]]) -> Iterator[Path]:
        """The sweep's folder, with its command; removed at the end if nothing else is in it."""
        # Two sweeps may start within a second: https://github.com/facebookresearch/hydra/issues/1607
        folder = Path(f"{self.master.hydra.sweep.dir}-{uuid.uuid4().hex[:6]}").absolute()
        self.master.hydra.sweep.dir = str(folder)
        if not jobs[0][1].dry_run:
            _make_folder(folder)
            OmegaConf.save(self.master, folder / _COMMAND_FILE)
            redact_yaml_files(folder)
        try:
            yield folder
        finally:
            _remove_if_unused(folder)

    def _resolve_strategies(
        self, jobs: list[tuple[tuple[str, ...], Settings]]
    ) -> list[tuple[tuple[str, ...], Settings]]:
        """The jobs with a strategy in the place of `strategy=auto`, measured once a data set."""

        def recompose(overrides: list[str]) -> Settings:
            return settings_of(self.composer.composed(overrides))

        return resolve_all(jobs, recompose, _choose_in_worker)

    def _check_launcher(self) -> None:
        """Check that the launcher is installed and set correctly, before anything that takes time.

        Raises:
            ConfigError: If it is not installed, or not set correctly.
        """
        target = str(self.master.hydra.launcher._target_)
        if not target.startswith(_PLUGINS_OF_HYDRA):
            own_launcher(target)
        elif target not in Plugins.instance().class_name_to_class:
            chosen = self.master.hydra.runtime.choices.get("hydra/launcher", target)
            package = target.removeprefix("hydra_plugins.").split(".")[0].replace("_", "-")
            raise ConfigError(
                f"hydra/launcher={chosen}: it is not installed here",
                "isolated, or one of Hydra's launchers that is installed",
                f"pip install {package}",
            )
        check_limit(self.master.hydra.launcher.get("jobs_per_process"))

    def _launcher(self) -> Launcher:
        target = str(self.master.hydra.launcher._target_)
        if not target.startswith(_PLUGINS_OF_HYDRA):
            options = OmegaConf.to_container(self.master.hydra.launcher, resolve=True)
            assert isinstance(options, dict)
            return made_launcher(target, options, self.context, self.task_function, self.master)
        return Plugins.instance().instantiate_launcher(
            hydra_context=self.context,
            task_function=self.task_function,
            config=self.master,
        )

    def _expand(self, arguments: list[str]) -> list[list[str]]:
        """The product of all swept values, one list of overrides a job, cell by cell.

        A job that asks for folds is all of them: `_compose`.
        """
        parser = OverridesParser.create(config_loader=self.context.config_loader)
        return [
            words
            for cell in self.cells
            for words in split_sweep(words_of(cell, self.params, arguments, parser), parser)
        ]

    def _compose(self, batch: Sequence[Sequence[str]]) -> list[tuple[tuple[str, ...], Settings]]:
        jobs: list[tuple[tuple[str, ...], Settings]] = []
        problems: dict[str, FrostlineError] = {}
        notes: dict[str, None] = {}
        for overrides in batch:
            composed = self.composer.composed(overrides)
            try:
                settings = settings_of(composed)
                if note := rename_note(composed.backbone, settings.backbone):
                    notes.setdefault(note)
                check_backbone_name(settings.backbone)
                check_path(settings.data)
                check_known_depth(settings)
                for words in with_all_folds(overrides, settings):
                    is_same = list(overrides) == words
                    own = settings if is_same else settings_of(self.composer.composed(words))
                    jobs.append((tuple(words), own))
            except FrostlineError as error:
                problems.setdefault(str(error), error)
        for note in notes:
            _say_once(note)
        raise_together(list(problems.values()))
        return jobs


@cache
def _say_once(note: str) -> None:
    """Print a line; a sweep composes some of its jobs twice."""
    print(note, file=sys.stderr)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ConfigError(
            f"the sweep's folder {folder} cannot be made: {error.strerror or error}",
            todo="stand where you may write, or choose a folder with hydra.sweep.dir=DIR",
        ) from None


def _remove_if_unused(folder: Path) -> None:
    """Remove the sweep's folder if no job was begun, as after a mistake that the checks found."""
    if [path.name for path in folder.glob("*")] == [_COMMAND_FILE]:
        with suppress(OSError):
            (folder / _COMMAND_FILE).unlink()
            for each in (folder, *folder.parents[:2]):
                each.rmdir()  # the folders of the day and of all sweeps, if they are empty


def split_sweep(words: Sequence[str], parser: OverridesParser) -> list[list[str]]:
    """One list of overrides for each combination of the values that words sweep over."""
    (batch,) = BasicSweeper.split_arguments(
        parser.parse_overrides(list(words)), max_batch_size=None
    )
    return [list(job) for job in batch]


def _choose_in_worker(jobs: Sequence[Settings]) -> list[str]:
    """`choose_strategies` in a warm process, since it loads the heavy libraries."""
    from frostline.advice.choose import choose_strategies

    names = workers.call(
        choose_strategies,
        list(jobs),
        on_event=lambda message: print(message["text"], file=sys.stderr),
    )
    if isinstance(names, Failure):
        raise names.error or FrostlineError(names.reason, todo=names.trace)
    return list(names)
