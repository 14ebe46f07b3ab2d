"""The frozen stages' outputs on the augmented training images of each epoch, for many trainings.

Random crops, colours and the like make other images in every epoch, so a training by itself has no
use for what is stored. But the images of an epoch are a pure function of data, recipe, seed and
epoch: jobs with other rates or heads, and the candidates of a tuned job, train on the same ones, in
the same batches. The first of them computes an epoch's outputs before it trains on them, the others
read them. A batch's outputs are computed as a run without the store computes them, so all of them
are bit-identical to it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch

from frostline.data.epoch_images import EpochImages
from frostline.features.chain import Found
from frostline.features.cost_model import Decision
from frostline.features.feature_store import FeatureStore, size_limit_bytes, store_folder
from frostline.features.fill import Demand
from frostline.features.prefix_job import PrefixJob, Source, source_of_epoch
from frostline.features.prefix_outputs import (
    ContinuedOutputs,
    prepare_outputs_of,
    same_bits,
    stored_outputs,
)
from frostline.features.stored_file import StoreFailedError
from frostline.features.stored_outputs import StoredOutputs
from frostline.features.view_pairs import count

log = logging.getLogger(__name__)

EpochOutputs = StoredOutputs | ContinuedOutputs


@dataclass(frozen=True)
class Readers:
    """How many trainings read the outputs of an epoch's images.

    Attributes:
        jobs: Jobs of the sweep with the same frozen stages and training images, this one included.
        candidates: Candidates that each of them trains in the epochs before `until`.
        until: The first epoch that only the chosen ones train.
    """

    jobs: int = 1
    candidates: int = 1
    until: int = 0

    def of(self, epoch: int) -> int:
        """How many of them train in an epoch."""
        return self.jobs * (self.candidates if epoch < self.until else 1)


class StoredEpochs:
    """Opens one epoch after another, and remembers where its inputs came from.

    Args:
        job: The prefix and the images.
        readers: Who reads an epoch.
        first_epoch: The first in which the prefix is frozen.
        sweep: Whose end removes the outputs.
        on_progress: Receives `text=`.

    Attributes:
        read: Epochs whose outputs were stored before.
        computed: Epochs whose outputs were computed for the store.
        continued: Epochs whose outputs were computed from those of a shallower depth, and not kept.
        direct: Epochs in which the prefix ran on each batch.
    """

    def __init__(
        self,
        job: PrefixJob,
        readers: Readers,
        *,
        first_epoch: int,
        sweep: str,
        on_progress: Callable[..., None],
    ) -> None:
        self._job = job
        self._readers = readers
        self._first_epoch = first_epoch
        self._sweep = sweep
        self._on_progress = on_progress
        self._key = job.key()
        self._found = Found()
        self._is_checked = False
        self._failure = ""
        self.read = self.computed = self.continued = self.direct = 0
        self.reason = ""

    def open(self, epoch: int) -> EpochOutputs | None:
        """Return an epoch's outputs by place in its order; None if its images are to be used."""
        # Nothing here draws from the generator of dropout; if anything did, it would not matter.
        with torch.random.fork_rng(devices=[]):
            outputs = None if self._failure else self._opened(epoch)
        if outputs is None:
            self.direct += 1
        return outputs

    def _opened(self, epoch: int) -> EpochOutputs | None:
        images = EpochImages(self._job.data, epoch)
        source = source_of_epoch(self._job, self._key, images, epoch, self._sweep, self._found)
        try:
            outputs, decision, computed = self._prepared(epoch, images, source)
        except StoreFailedError as failure:
            self._fail(f"the store of features cannot be written: {failure}")
            return None
        self.reason = decision.reason
        if outputs is None or isinstance(outputs, ContinuedOutputs):
            self.continued += outputs is not None
            return outputs
        if computed:
            self.computed += 1
            return outputs
        if not self._is_checked and not self._first_batch_agrees(images, source, outputs):
            self._fail("stored outputs of the first batch are not those computed here")
            return None
        self._is_checked = True
        self.read += 1
        return outputs

    def _prepared(
        self, epoch: int, images: EpochImages, source: Source
    ) -> tuple[EpochOutputs | None, Decision, int]:
        readers = self._readers.of(epoch)
        if readers == 1:  # of use only if another training has left it there, or a shallower one
            store = FeatureStore(store_folder(), size_limit_bytes())
            outputs: EpochOutputs | None
            outputs = stored_outputs(store.entry(source.key), images.batches)
            if outputs is None:
                outputs = ContinuedOutputs.find(self._job, store, source, images.batches)
            return outputs, Decision(outputs is not None, "no other training reads them"), 0
        size = count(images.batches)
        demand = Demand(
            passes=size,
            jobs=readers,
            on_accelerator=self._job.accelerator != "cpu",
            # Earlier epochs must not make room for later ones: the next training begins with them.
            beside=(epoch - self._first_epoch) * size,
        )
        return prepare_outputs_of(self._job, source, images.batches, demand, self._on_progress)

    def _first_batch_agrees(
        self, images: EpochImages, source: Source, outputs: StoredOutputs
    ) -> bool:
        first = images.batches[0]
        direct = next(self._job.from_images(source.open(), [first]))
        return same_bits(direct, outputs.take(first.rows, first.views))

    def _fail(self, reason: str) -> None:
        """Use images from now on."""
        log.warning("the training continues without stored epochs: %s", reason)
        self._on_progress(text=f"the training continues without stored epochs: {reason}")
        self._failure = self.reason = reason

    def __str__(self) -> str:
        ways = {
            "read": self.read,
            "computed": self.computed,
            "continued from a shallower depth": self.continued,
        }
        stored = sum(ways.values())
        if not stored:
            return f"training images: {self.reason}"
        epochs = "1 epoch" if stored == 1 else f"{stored} epochs"
        how = ", ".join(f"{number} {way}" for way, number in ways.items() if number)
        text = f"training images of {epochs}: {how}"
        return f"{text}; of {self.direct} not stored: {self.reason}" if self.direct else text
