"""Decide whether a run reads stored outputs of its frozen prefix or images, and prepare either."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import nn

from frostline.backbones.compute_mode import ComputeMode, InComputeMode
from frostline.backbones.depth import Depth
from frostline.data.image_datamodule import ImageDataModule
from frostline.features.cost_model import Decision, decide_from_facts, why_images
from frostline.features.feature_datamodule import FeatureDataModule, StoredInputs
from frostline.features.fill import Demand
from frostline.features.prefix_job import PrefixJob
from frostline.features.prefix_outputs import prepare_outputs
from frostline.features.stored_epochs import Readers, StoredEpochs
from frostline.features.stored_file import StoreFailedError
from frostline.features.stored_outputs import StoredOutputs
from frostline.features.view_pairs import needed_batches

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """The inputs of a task's training.

    Attributes:
        data: Batches of images, or of stored outputs.
        preprocess: What the task does to a batch of images first.
        prefix: The frozen stages, which run on what that gives.
        stored: What the task does to a batch of stored outputs, which skips both; None if there
            are none.
        decision: Whether outputs are reused, and why.
        computed: How many prefix outputs were computed for the store now.
        epochs: Of training images that are other ones in each epoch: where they come from.
    """

    data: ImageDataModule | FeatureDataModule
    preprocess: nn.Module
    prefix: nn.Module
    decision: Decision
    stored: nn.Module | None = None
    computed: int = 0
    epochs: StoredEpochs | None = None

    @property
    def outcome(self) -> str:
        """What was reused, for the run's record: after the training what came of it."""
        if self.epochs is None or not (self.epochs.reason):
            return str(self.decision)
        reuse = self.decision.reuse or bool(self.epochs.read + self.epochs.computed)
        return str(Decision(reuse, f"{self.epochs}; {self.decision.reason}"))


def open_inputs(
    job: PrefixJob,
    *,
    reuse: str,
    mix: str,
    epochs: int,
    readers: Readers,
    on_progress: Callable[..., None],
    first_epoch: int = 0,
    is_last: bool = True,
    processes: int = 1,
    sweep: str = "",
) -> Inputs:
    """Decide whether a run reads stored outputs of its frozen prefix, and compute missing ones.

    Args:
        job: The prefix and the images.
        reuse: `auto` or `off`.
        mix: How images of a batch are mixed; `none` if they are not.
        epochs: For how many epochs the prefix is frozen: of the run, or of one phase of it.
        readers: Trainings that share this prefix and these images, including this one.
        on_progress: Receives `text=` while outputs are computed.
        first_epoch: The first of these epochs.
        is_last: Whether the run ends with them and then evaluates the test set.
        processes: Of a distributed run, each with its part of every batch.
        sweep: Its name, or the run's: what is stored of single epochs is removed with its end.

    Returns:
        Data, preprocess and prefix for the task.
    """
    data, parts = job.data, job.parts
    prefix = parts.prefix
    if not job.forward == job.training == ComputeMode(job.training.precision):
        prefix = InComputeMode(prefix, job.accelerator, job.forward, job.training)
    from_images = Inputs(data, data.preprocess, prefix, Decision(False, ""))
    decision = decide_from_facts(
        wanted=reuse,
        nothing_frozen=_why_no_prefix(parts.depth),
        reusable=parts.reusable,
        cut_reason=parts.reason,
    )
    if decision is not None:
        return replace(from_images, decision=decision)
    is_finite = data.preprocess.is_finite and mix == "none"
    images_because = "" if is_finite else why_images(data.preprocess, mix=mix, processes=processes)
    opened: StoredEpochs | None = None
    if not is_finite and not images_because:
        opened = StoredEpochs(
            job, readers, first_epoch=first_epoch, sweep=sweep, on_progress=on_progress
        )
    outputs, decision, computed = None, Decision(False, ""), 0
    if data.preprocess.evaluates_finite:
        try:
            outputs, decision, computed = _finite_outputs(
                job, epochs, readers, on_progress, first_epoch, is_last=is_last, training=is_finite
            )
        except StoreFailedError as failure:
            log.warning("the run continues without stored features: %s", failure)
            on_progress(text=f"the run continues without stored features: {failure}")
            reason = f"the store of features cannot be written: {failure}"
            decision, opened = Decision(False, reason), None
    if not is_finite:
        about = f"images that are evaluated: {decision.reason}"
        decision = Decision(decision.reuse, f"{images_because}; {about}".removeprefix("; "))
    if outputs is None and opened is None:
        return replace(from_images, decision=decision)
    return replace(
        from_images,
        data=FeatureDataModule(data, outputs, outputs if is_finite else opened),
        stored=StoredInputs(job.forward, job.training),
        decision=decision,
        computed=computed,
        epochs=opened,
    )


def _why_no_prefix(depth: Depth) -> str:
    """Why a depth has no frozen stages next to the images; empty if it has some."""
    if depth.prefix_tensors:
        return ""
    if depth.is_adapted:
        return f"freeze={depth.label} trains adapters in the first blocks, too: no outputs stay"
    if depth.frozen_tensors:
        return f"freeze={depth.label} trains the first stage, so nothing below is frozen"
    return "nothing is frozen"


def _finite_outputs(
    job: PrefixJob,
    epochs: int,
    readers: Readers,
    on_progress: Callable[..., None],
    first_epoch: int,
    *,
    is_last: bool,
    training: bool,
) -> tuple[StoredOutputs | None, Decision, int]:
    """The outputs of all images that are evaluated, and of finitely many views in training.

    Raises:
        StoreFailedError: If the store cannot be written to.
    """
    data = job.data
    evaluation = [
        data.sampler(split, training=False) for split in (("val", "test") if is_last else ("val",))
    ]
    needed = needed_batches(
        data.sampler("train", training=True),
        epochs if training else 0,
        evaluation,
        first_epoch=first_epoch,
    )
    sizes = {split: len(rows) for split, rows in data.splits.named().items()}
    # Every epoch trains and validates; at the end validation and test run once more.
    passes = epochs * ((sizes["train"] if training else 0) + sizes["val"])
    passes += sizes["val"] + sizes["test"] if is_last else 0
    demand = Demand(passes, readers.jobs, on_accelerator=job.accelerator != "cpu")
    return prepare_outputs(job, needed, demand, on_progress)
