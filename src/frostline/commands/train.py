"""Train one run, or with `-m` a sweep: the command, and the whole pipeline from top to bottom.

    python -m src.train
    python -m src.train -m backbone=resnet50,vgg16 freeze=0,2,4

Heavy libraries are imported where the pipeline starts, so that `--help` and mistakes in the config
are answered at once.
"""

import errno
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from frostline.backbones.names import check_backbone_name
from frostline.commands.arguments import BAD_INPUT_EXIT_CODE
from frostline.config.composed import settings_of
from frostline.config.location import CONF
from frostline.config.schema import Settings
from frostline.config.study_scale import spell_out_scale
from frostline.cores import share_cores
from frostline.errors import ConfigError, FrostlineError
from frostline.sweep.parent import command_again
from frostline.sweep.session import SweepEndedError
from frostline.sweep.signals import StopSignalError, raise_on_signals

if TYPE_CHECKING:
    from frostline.tracking.tracked_run import Run

_WANTS_TRACES = "FROSTLINE_FULL_ERROR"
_NOT_WRITABLE = {errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR}


def run(
    settings: Settings, folder: Path, work: Path, tracked: "Run", on_progress: Callable[..., None]
) -> dict[str, float]:
    """One run: data, backbone, cut, head, training, choice on validation, one look at the test set.

    Args:
        settings: All that determines the run.
        folder: Where the job's results are left.
        work: Where its checkpoints lie until it is finished, found again by whoever goes on.
        tracked: The run's record in MLflow, already running.
        on_progress: Receives progress (see frostline.sweep.progress).

    Returns:
        The figures at the chosen epoch, `val_best/...`, `test/...` and `time/train_s`.
    """
    import pytorch_lightning as pl
    from frostline.training.data_record import record_data

    from frostline.backbones.freezing import digest_of
    from frostline.inference.explain.run_evidence import write_run_evidence
    from frostline.training import callbacks, resume
    from frostline.training.assembly import assemble
    from frostline.training.checkpoint import digest_path, load_checkpoint
    from frostline.training.engine import build_trainer, choose_engine, prepare_cpu
    from frostline.training.epoch_logs import epoch_logs
    from frostline.training.history import History
    from frostline.training.phase import open_phase
    from frostline.training.schedule import remaining
    from frostline.training.split_evaluation import evaluate_split

    begun = time.monotonic()
    prepare_cpu(settings.trainer.threads)
    engine = choose_engine(settings.trainer)
    pl.seed_everything(settings.seed, verbose=False)

    made = assemble(settings, on_progress)
    table, data, backbone = made.table, made.data, made.backbone
    task = made.task()
    tracked.set_tags(
        {
            "frostline.weights_source": backbone.weights.source,
            "frostline.weights_digest": backbone.weights.digest,
            "frostline.phases": "; ".join(map(str, made.phases)),
        }
    )
    record_data(tracked, table, data.splits, folder)
    tracked.log_params(
        {
            "image_size": backbone.input.size_px,
            "frozen_stages": made.parts.frozen_stages,
            "frozen_params_frac": round(made.parts.frozen_params_frac, 6),
            "frozen_flops_frac": round(made.parts.frozen_flops_frac, 6),
            "trainable_params": task.trainable_params,
        }
    )
    choice = settings.callbacks
    untouched = digest_of(made.parts.frozen_modules)
    last = resume.last_intact(work, on_progress)
    # One fit for each phase, which goes on from the last checkpoint: to begin the next phase and
    # to go on after an interruption are the same thing.
    for phase in remaining(made.phases, resume.epochs_done(last)):
        opened = open_phase(
            made, phase, engine, jobs=settings.sweep.sharing, on_progress=on_progress
        )
        inputs = opened.inputs
        task.enter(prefix=inputs.prefix, suffix=opened.parts.suffix, preprocess=inputs.preprocess)
        is_last = phase is made.phases[-1]
        number = "" if is_last else f"_phase{made.phases.index(phase) + 1}"
        tracked.set_tags(
            {
                "frostline.engine": opened.told,
                f"frostline.reuse{number}": str(inputs.decision),
            }
        )
        # What the last phase freezes is frozen in all phases, so its proof is one over the run.
        frozen = partial(digest_of, opened.parts.frozen_modules)
        proof = callbacks.FrozenProof(frozen, before=untouched if is_last else frozen())
        best = resume.keep_best(work, monitor=choice.monitor, mode=choice.mode)
        newest = resume.keep_last(work)
        history = History()
        watchers: list[pl.Callback] = [
            callbacks.EpochSeed(settings.seed),
            proof,
            callbacks.EpochMetrics(tracked.log_metrics, opened.parts.frozen_stages),
            callbacks.ProgressEvents(on_progress, settings.epochs),
            history,
            *epoch_logs(settings.callbacks, folder / "logs", history),
        ]
        if choice.patience_epochs is not None:
            watchers.append(
                callbacks.StopEarly(
                    choice.monitor,
                    mode=choice.mode,
                    patience=choice.patience_epochs,
                    first_epoch=made.phases[-1].first_epoch,
                )
            )
        # Checkpoints come last, so that they hold the state of all others at the end of the epoch.
        watchers += [best, newest]
        trainer = build_trainer(
            opened.engine,
            epochs=phase.end,
            accumulate=settings.trainer.accumulate_grad_batches,
            callbacks=watchers,
            folder=os.fspath(folder),
        )
        trainer.fit(task, datamodule=inputs.data, ckpt_path=last)
        last = Path(newest.best_model_path)
    tracked.set_tags({"frostline.frozen_digest": proof.after})

    # From here on the chosen weights; the test set is looked at once.
    task.load_state_dict(load_checkpoint(Path(best.best_model_path))["state_dict"])
    predictions = folder / "predictions"
    figures: dict[str, float] = {}
    for split, prefix, evaluate in (
        ("val", "val_best", trainer.validate),
        ("test", "test", trainer.test),
    ):
        scores = evaluate_split(
            task,
            evaluate,
            inputs.data.evaluation_dataloader(split),
            table,
            predictions / f"{split}.parquet",
        )
        figures |= {f"{prefix}/{name}": value for name, value in scores.items()}
    figures["time/train_s"] = time.monotonic() - begun
    tracked.log_metrics(figures, step=trainer.current_epoch)
    tracked.log_dict({"classes": list(table.classes)}, "predictions/classes.json")
    tracked.log_artifact(predictions)
    for file in (Path(best.best_model_path), digest_path(Path(best.best_model_path))):
        tracked.log_artifact(file, "checkpoints")
    if (folder / "logs").is_dir():
        tracked.log_artifact(folder / "logs")
    evidence = folder / "evidence"
    more = write_run_evidence(
        settings.evidence.name,
        evidence,
        head=task.head,
        backbone=backbone,
        pool=settings.head.pool,
        data=data,
        predictions=predictions,
        checkpoint=Path(best.best_model_path),
        history=history.values,
        engine=opened.engine,
        on_progress=on_progress,
    )
    tracked.log_metrics(more, step=trainer.current_epoch)
    if evidence.is_dir():
        tracked.log_artifact(evidence)
    return figures


def job(config: DictConfig) -> float:
    """What Hydra calls: a single run, or a job of a sweep under one of Hydra's own launchers.

    Returns:
        The metric that chose the best epoch, at that epoch.
    """
    from frostline.sweep.launched import run_launched
    from frostline.sweep.launcher import environment_of
    from frostline.sweep.single import run_alone

    settings = settings_of(config)
    check_backbone_name(settings.backbone)
    raise_on_signals()
    own = HydraConfig.get()
    folder = Path(own.runtime.output_dir)
    if own.mode is RunMode.MULTIRUN:
        return run_launched(settings, folder, own.job.num, environment_of(own))
    return run_alone(settings, folder)


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
def _hydra_main(config: DictConfig) -> float:
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        return job(config)
    try:
        return job(config)
    except FrostlineError as error:
        # As an exception it would be announced by Hydra first, in words that help nobody.
        if _WANTS_TRACES in os.environ:
            raise
        sys.exit(_complain(error))


def main() -> None:
    """The command line: every mistake becomes one readable message and a non-zero exit code."""
    # Hydra would print errors in its own way; with this set it hands them on.
    if os.environ.get("HYDRA_FULL_ERROR", "0") not in {"", "0"}:
        os.environ[_WANTS_TRACES] = "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"
    # conf/hydra/launcher/joblib.yaml and its like are checked against the plugins' own schemas,
    # which is what we want: https://hydra.cc/docs/1.2/upgrades/1.0_to_1.1/automatic_schema_matching
    warnings.filterwarnings("ignore", message=r"(?s).*is validated against ConfigStore schema")
    share_cores()
    _register_plugins()
    try:
        sys.argv[1:] = spell_out_scale(sys.argv[1:])
        _hydra_main()
    except SweepEndedError as ended:
        sys.exit(ended.exit_code)
    except StopSignalError as stopped:
        print(f"stopped; go on with:  {command_again()}", file=sys.stderr)
        sys.exit(stopped.exit_code)
    except BrokenPipeError:
        # The reader has gone (`| head`): nothing is left to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except (FrostlineError, HydraException, OmegaConfBaseException) as error:
        if _WANTS_TRACES in os.environ:
            raise
        sys.exit(_complain(error))
    except OSError as error:
        if error.errno not in _NOT_WRITABLE or _WANTS_TRACES in os.environ:
            raise
        sys.exit(
            _complain(
                ConfigError(
                    f"{error.filename or 'a file'}: {error.strerror}",
                    todo="stand where you may write and where there is room, or choose others: "
                    "hydra.run.dir=DIR, tracking.uri=sqlite:///PATH.db, and in the environment "
                    "FROSTLINE_HOME, FROSTLINE_CACHE",
                )
            )
        )
    except ValueError as error:
        # Hydra's own words for two of its switches that exclude each other.
        if not str(error).startswith("Only one of --run"):
            raise
        sys.exit(_complain(FrostlineError(str(error), todo="leave one of them out")))


def _register_plugins() -> None:
    """Make the sweeper and the launcher known to Hydra, wherever the package is installed."""
    from hydra.core.plugins import Plugins

    from hydra_plugins.frostline import IsolatedLauncher, PlannedSweeper

    for plugin in (PlannedSweeper, IsolatedLauncher):
        Plugins.instance().register(plugin)


def _complain(error: Exception) -> int:
    """Print what a person can mend.

    Returns:
        The exit code for it.
    """
    from frostline.config.messages import explain

    told = error if isinstance(error, FrostlineError) else explain(error)
    print(f"error: {told}", file=sys.stderr)
    return BAD_INPUT_EXIT_CODE
