"""The identity of a job: digests of settings, content and everything else that changes results.

Two jobs with one digest give the same result, so that the second is answered by the first.
"""

import hashlib
import json
from typing import Any, Protocol

from frostline.config.data_settings import RGB_CHANNELS
from frostline.config.freeze_value import LORA
from frostline.config.schema import Settings
from frostline.config.tune_grid import grid_of, solves_head, tunes_alone
from frostline.config.versions import RESULTS_VERSION

# Settings that change only where or how a run is carried out, not its figures: a whole key (None)
# or some of the keys below it.
WITHOUT_EFFECT: dict[str, set[str] | None] = {
    "sweep": None,
    "search": None,
    "budget": None,
    "tracking": None,
    "evidence": None,
    "rerun": None,
    "report": None,
    "tags": None,
    "register_as": None,
    "dry_run": None,
    "fail_fast": None,
    "on_oom": None,
    "trainer": {"threads", "workers"},
    "callbacks": {"csv", "tensorboard", "loggers"},
    # What these change is in the data set's fingerprint.
    "data": {
        "path",
        "memory_gib",
        "on_bad_image",
        "split_file",
        "corrections",
        "splits",
        "on_bad_label",
        "value_range",
    },
    "strategy": {"reason", "source", "typed"},
    # What is tuned counts as the grid that it comes to: see `_values`.
    "tune": None,
    "optimizer": {"lr_center"},
    # The code of an own backbone counts; without one there is nothing to count: see `_values`.
    "plugins": {"folders"},
}
# Settings that `ResultFacts.numerics` replaces by what they come to on a machine.
_RESOLVED = {"trainer": {"accelerator", "precision"}}


class ResultFacts(Protocol):
    """What determines a job's result besides its settings."""

    @property
    def data_fingerprint(self) -> str:
        """Digest of the data set."""

    @property
    def split_digest(self) -> str:
        """Digest of which image is in which split."""

    @property
    def weights_digest(self) -> str:
        """Digest of the weights' file; empty for random ones."""

    @property
    def numerics(self) -> str:
        """Device class, precision and kernels that `auto` comes to, such as `cpu 32-true`."""

    @property
    def libraries(self) -> str:
        """Versions of the libraries that change numbers: see `installed_libraries`."""


def config_digest(settings: Settings) -> str:
    """The digest of what the user set, without the content of data and weights, as 32 hex digits.

    It keeps `trainer.accelerator=auto` as it is: a run is found by it wherever it ran.
    """
    return _digest(_values(settings))[:32]


def job_digest(settings: Settings, facts: ResultFacts) -> str:
    """The digest of everything that determines a job's result, as 64 hex digits.

    The device and the precision enter as what `auto` comes to: a run on a CPU never answers a
    command on a GPU, and `trainer=auto` on a machine without one equals `trainer=cpu`.
    """
    values = _values(settings)
    for key, inner in _RESOLVED.items():
        values[key] = {k: v for k, v in values[key].items() if k not in inner}
    return _digest(
        {
            "settings": values,
            "data": facts.data_fingerprint,
            "splits": facts.split_digest,
            "weights": facts.weights_digest,
            "numerics": facts.numerics,
            "libraries": facts.libraries,
            "results_version": RESULTS_VERSION,
        }
    )


def tuning_digest(settings: Settings, facts: ResultFacts) -> str:
    """The digest of the choice that a job makes or shares with its other seeds, as 64 hex digits.

    Args:
        settings: The job; `tune.seed` is a number unless each seed chooses for itself.
        facts: Of the job. Its splits count where all seeds have the same; else they follow from
            the data and the seed on which is chosen.
    """
    values = _values(settings)
    del values["seed"]  # the seed on which is chosen stands in values["tune"]
    return _digest(
        {
            "settings": values,
            "data": facts.data_fingerprint,
            "splits": facts.split_digest if settings.data.split_file else "",
            "weights": facts.weights_digest,
            "numerics": facts.numerics,
            "libraries": facts.libraries,
            "results_version": RESULTS_VERSION,
        }
    )


def _values(settings: Settings) -> dict[str, Any]:
    """The settings that change results, as plain values."""
    values = settings.model_dump(mode="json")
    for key, inner in WITHOUT_EFFECT.items():
        if inner is None:
            values.pop(key)
        else:
            values[key] = {k: v for k, v in values[key].items() if k not in inner}
    if settings.is_weights_file:
        values["weights"] = "file"
    # Not for other weights, and not where they say nothing: digests of before they existed hold.
    for key in ("weights_key", "weights_partial"):
        if not (settings.is_weights_file and values[key]):
            del values[key]
    if settings.trainer.limit_batches is None:  # digests of before there was a limit hold
        del values["trainer"]["limit_batches"]
    if settings.freeze != LORA:
        del values["lora_rank"]
    if settings.trainer.devices > 1 and settings.loss.class_weights > 0:
        # Before, each process divided by the weights of its own part of a batch.
        values["trainer"]["weighted_mean"] = "of the batch"
    adapts = settings.in_chans != RGB_CHANNELS and settings.weights != "random"
    if adapts and settings.backbone.startswith("tresnet"):
        # Before, its first layer, which takes 16 pixels as channels, mixed pixels and colours.
        values["first_layer"] = "adapted place by place"
    if settings.ema is None:  # digests of before there was an average hold
        del values["ema"]
    if settings.order_seed is None:  # digests of before the two seeds were apart hold
        del values["order_seed"]
    if settings.in_chans == RGB_CHANNELS:  # digests of before there were others hold
        del values["in_chans"]
    if values["schedule"].get("patience_epochs", 0) is None:  # digests of before it existed hold
        del values["schedule"]["patience_epochs"]
    if not settings.callbacks.own:  # digests of before there were any hold
        del values["callbacks"]["own"]
    if settings.plugins.backbone is None:
        del values["plugins"]
    if grid := grid_of(settings):
        # A chosen value takes the place of what the key says where nothing is tuned.
        values["tune"] = {
            "grid": {key: list(numbers) for key, numbers in grid.items()},
            "solve_head": solves_head(settings),
            "seed": settings.seed if settings.tune.each_seed else settings.tune.seed,
            **settings.tune.model_dump(include={"step", "first_frac", "head_epochs_factor"}),
        }
        if tunes_alone(settings):
            values["tune"]["alone"] = True
    return values


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
