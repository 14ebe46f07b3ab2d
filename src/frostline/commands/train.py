"""Train one run, or with `-m` a sweep.

    python -m src.train
    python -m src.train -m backbone=resnet50,vgg16 freeze=0,2,4

Heavy libraries are imported where a run starts, so that `--help` and mistakes in the config are
answered at once.
"""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from frostline.backbones.names import check_backbone_name
from frostline.commands.error_output import leave_closed_pipe, not_writable, print_error
from frostline.commands.output_folder import remove_if_unused
from frostline.commands.train_help import help_page
from frostline.config.command_line import checked_words
from frostline.config.conf_files import CONF
from frostline.config.credentials import put_aside_in_command
from frostline.config.foreign_letters import quoted_words
from frostline.config.read import settings_of
from frostline.config.renamed_backbones import rename_note
from frostline.config.short_words import spell_out
from frostline.config.study_scale import spell_out_scale
from frostline.cores import share_cores
from frostline.data.early_check import check_path
from frostline.data.source_words import with_source
from frostline.errors import FrostlineError
from frostline.memory_limit import memory_limit_error
from frostline.plugins.folders import check_conf_folders, config_folders, remember
from frostline.redact import hide_secrets_in_output, redact_yaml_files
from frostline.sweeps.known_depth import check_known_depth
from frostline.sweeps.session import SweepEndedError
from frostline.sweeps.signals import StopSignalError, raise_on_signals
from frostline.sweeps.sweep_run import command_again

if TYPE_CHECKING:
    from frostline.sweeps.outcome import Outcome

_WANTS_TRACES = "FROSTLINE_FULL_ERROR"


def run_job(config: DictConfig) -> "Outcome | float":
    """What Hydra calls: a single run, or a job of a sweep under one of Hydra's own launchers.

    Returns:
        The job's outcome; for a single run the metric that chose the best epoch, at that epoch.
    """
    own = HydraConfig.get()
    folder = Path(own.runtime.output_dir)
    redact_yaml_files(folder / str(own.output_subdir))
    settings = settings_of(config)
    check_backbone_name(settings.backbone)
    check_path(settings.data)
    check_known_depth(settings)
    raise_on_signals()
    if own.mode is RunMode.MULTIRUN:
        from frostline.sweeps.launch import run_launched
        from frostline.sweeps.launcher import environment_of

        return run_launched(settings, folder, own.job.num, environment_of(own))
    from frostline.sweeps.single_run import run_single

    if note := rename_note(config.backbone, settings.backbone):
        print(note, file=sys.stderr)
    return run_single(settings, folder)


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
def _hydra_main(config: DictConfig) -> "Outcome | float":
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        return run_job(config)
    own = HydraConfig.get()
    folder = Path(own.runtime.output_dir)
    try:
        value = run_job(config)
    except FrostlineError as error:
        remove_if_unused(folder, own.output_subdir, above=Path.cwd())
        # As an exception it would be announced by Hydra first, with a trace that helps nobody.
        if _WANTS_TRACES in os.environ:
            raise
        sys.exit(print_error(error))
    if config.dry_run:
        remove_if_unused(folder, own.output_subdir, above=Path.cwd())
    return value


def main() -> None:
    """The command line: every mistake becomes one readable message and a non-zero exit code."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(help_page())
        return
    if "--version" in sys.argv[1:]:
        print(f"frostline {version('frostline')}")
        return
    with _raising_hydra():
        _answer()


@contextmanager
def _raising_hydra() -> Iterator[None]:
    """Hydra would print errors in its own way; with its variable set it raises them.

    Whoever calls the command from Python finds the environment as it was, or the next call and
    every process that it starts would take our setting for a wish for traces.
    """
    before = os.environ.get("HYDRA_FULL_ERROR")
    had_traces = _WANTS_TRACES in os.environ
    if before not in {None, "", "0"}:
        os.environ[_WANTS_TRACES] = "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("HYDRA_FULL_ERROR", None)
        else:
            os.environ["HYDRA_FULL_ERROR"] = before
        if not had_traces:
            os.environ.pop(_WANTS_TRACES, None)


def _answer() -> None:
    # conf/hydra/launcher/joblib.yaml and its like are checked against the plugins' own schemas,
    # which is what we want: https://hydra.cc/docs/1.2/upgrades/1.0_to_1.1/automatic_schema_matching
    warnings.filterwarnings("ignore", message=r"(?s).*is validated against ConfigStore schema")
    share_cores()
    hide_secrets_in_output()
    _register_plugins()
    try:
        remember(config_folders(sys.argv[1:]))
        check_conf_folders()
        words = spell_out(put_aside_in_command(checked_words(sys.argv[1:])))
        sys.argv[1:] = quoted_words(with_source(spell_out_scale(words)))
        _hydra_main()
    except SweepEndedError as end:
        sys.exit(end.exit_code)
    except StopSignalError as stop:
        print(f"stopped; go on with:  {command_again()}", file=sys.stderr)
        sys.exit(stop.exit_code)
    except BrokenPipeError:
        sys.exit(leave_closed_pipe())
    except (FrostlineError, HydraException, OmegaConfBaseException) as error:
        if _WANTS_TRACES in os.environ:
            raise
        sys.exit(print_error(error))
    except (ImportError, MemoryError) as error:
        limited = memory_limit_error(error)
        if limited is None or _WANTS_TRACES in os.environ:
            raise
        sys.exit(print_error(limited))
    except OSError as error:
        explained = not_writable(error)
        if explained is None or _WANTS_TRACES in os.environ:
            raise
        sys.exit(print_error(explained))
    except ValueError as error:
        # Hydra's message about two of its switches that exclude each other.
        if not str(error).startswith("Only one of --run"):
            raise
        sys.exit(print_error(FrostlineError(str(error), todo="leave one of them out")))


def _register_plugins() -> None:
    """Make our sweeper, our launcher and users' own folders known to Hydra."""
    from hydra.core.plugins import Plugins

    from hydra_plugins.frostline import IsolatedLauncher, OwnConfFolders, PlannedSweeper

    for plugin in (PlannedSweeper, IsolatedLauncher, OwnConfFolders):
        Plugins.instance().register(plugin)
