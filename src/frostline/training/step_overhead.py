"""Less overhead in Lightning, of a step and of a Trainer; nothing here changes a number."""

import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.metadata import entry_points

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities import registry
from pytorch_lightning.profilers import Profiler

from frostline.data.image_datamodule import Batch

_NOTHING: nullcontext[None] = nullcontext()
# Lightning writes this on the module twice around every hook, some fifty times a step, and
# torch.nn.Module looks through parameters, buffers and modules each time.
_BOOKKEEPING = "_current_fx_name"


class NoProfiler(Profiler):
    """Hands out one empty context instead of making a generator for every hook."""

    def profile(self, action_name: str) -> AbstractContextManager[None]:  # type: ignore[override]  # noqa: ARG002
        """Measure nothing."""
        return _NOTHING

    def start(self, action_name: str) -> None:
        """Measure nothing."""

    def stop(self, action_name: str) -> None:
        """Measure nothing."""


class LowOverheadModule(pl.LightningModule):
    """A LightningModule whose bookkeeping is a plain attribute and whose batches are `Batch`."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == _BOOKKEEPING:
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)  # type: ignore[arg-type]

    def transfer_batch_to_device(
        self,
        batch: Batch,
        device: torch.device,
        dataloader_idx: int,  # noqa: ARG002
    ) -> Batch:
        """Move a batch's four tensors, without looking for tensors in any nested structure.

        CUDA has read pageable memory when a copy returns. MPS has not: the tensors may be freed,
        and their memory used again, before they are copied, so it waits.
        """
        if device.type == "cpu":
            return batch
        return Batch(*(tensor.to(device, non_blocking=device.type == "cuda") for tensor in batch))


def search_packages_once() -> None:
    """Let Lightning look for packages that add callbacks once a process, not for every Trainer.

    Each time it reads the metadata of all that is installed: ten milliseconds. What the packages
    add is asked of them for every Trainer all the same.
    """
    if registry.entry_points is entry_points:  # type: ignore[attr-defined]
        registry.entry_points = cache(entry_points)  # type: ignore[assignment, attr-defined]


def hide_accelerators() -> None:
    """Keep a run on the CPU from asking the driver for GPUs in every step of its optimiser.

    torch.optim checks each step whether a CUDA graph is being captured, and where CUDA is not in
    use it loads the driver's library for that anew: a quarter of a millisecond. It does not where
    no device is visible. Only for a process that computes on the CPU to its end.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
