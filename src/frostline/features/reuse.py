"""Decide whether a run reads stored outputs of its frozen prefix or images, and prepare either."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import nn

from frostline.backbones.compute_mode import ComputeMode, InComputeMode
from frostline.data.image_datamodule import ImageDataModule
from frostline.features.cost_model import Decision, decide_from_facts
from frostline.features.feature_datamodule import FeatureDataModule, StoredInputs
from frostline.features.fill import Demand
from frostline.features.prefix_outputs import PrefixJob, prepare_outputs
from frostline.features.stored_file import StoreFailedError
from frostline.features.view_pairs import needed_batches

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """The inputs of a task's training.

    Attributes:
        data: Batches of images, or of stored outputs.
        preprocess: What the task does to a batch's inputs first.
        prefix: What runs before the suffix: the frozen stages, or nothing.
        decision: Whether outputs are reused, and why.
        computed: How many prefix outputs were computed for the store now.
    """

    data: ImageDataModule | FeatureDataModule
    preprocess: nn.Module
    prefix: nn.Module
    decision: Decision
    computed: int = 0


def open_inputs(
    job: PrefixJob,
    *,
    reuse: str,
    mix: str,
    epochs: int,
    jobs: int,
    on_progress: Callable[..., None],
    first_epoch: int = 0,
    is_last: bool = True,
) -> Inputs:
    """Decide whether a run reads stored outputs of its frozen prefix, and compute missing ones.

    Args:
        job: The prefix and the images.
        reuse: `auto` or `off`.
        mix: How images of a batch are mixed; `none` if they are not.
        epochs: For how many epochs the prefix is frozen: of the run, or of one phase of it.
        jobs: Jobs of the sweep that share this prefix and this data, including this one.
        on_progress: Receives `text=` while outputs are computed.
        first_epoch: The first of these epochs.
        is_last: Whether the run ends with them and then evaluates the test set.

    Returns:
        Data, preprocess and prefix for the task; with stored outputs the latter two do nothing.
    """
    data, parts = job.data, job.parts
    prefix = parts.prefix
    if not job.forward == job.training == ComputeMode(job.training.precision):
        prefix = InComputeMode(prefix, job.accelerator, job.forward, job.training)
    from_images = Inputs(data, data.preprocess, prefix, Decision(False, ""))
    decision = decide_from_facts(
        wanted=reuse,
        nothing_frozen=not parts.depth.frozen_tensors,
        reusable=parts.reusable,
        cut_reason=parts.reason,
        is_finite=data.preprocess.is_finite,
        augment=data.preprocess.augment,
        mix=mix,
    )
    if decision is not None:
        return replace(from_images, decision=decision)
    evaluation = [
        data.sampler(split, training=False) for split in (("val", "test") if is_last else ("val",))
    ]
    needed = needed_batches(
        data.sampler("train", training=True), epochs, evaluation, first_epoch=first_epoch
    )
    sizes = {split: len(rows) for split, rows in data.splits.named().items()}
    # Every epoch trains and validates; at the end validation and test run once more.
    passes = epochs * (sizes["train"] + sizes["val"])
    passes += sizes["val"] + sizes["test"] if is_last else 0
    demand = Demand(passes, jobs, on_accelerator=job.accelerator != "cpu")
    try:
        outputs, decision, computed = prepare_outputs(job, needed, demand, on_progress)
    except StoreFailedError as failure:
        log.warning("the run continues without stored features: %s", failure)
        on_progress(text=f"the run continues without stored features: {failure}")
        reason = f"the store of features cannot be written: {failure}"
        return replace(from_images, decision=Decision(False, reason))
    if outputs is None:
        return replace(from_images, decision=decision)
    features = FeatureDataModule(data, outputs)
    preprocess = StoredInputs(job.forward, job.training)
    return Inputs(features, preprocess, nn.Identity(), decision, computed)
