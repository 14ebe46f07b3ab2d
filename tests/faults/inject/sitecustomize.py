"""Faults put into the real command from outside: Python imports this module when it starts.

`FAULTS` holds what shall happen, such as `exit@0.003` (a job with that learning rate calls sys.exit
in its second epoch) or `pause-val@0.001` (it stands still while validating, so that a test can send
a signal at a known moment; the file `FAULT_MARK` then holds its process id).
"""

import importlib.abc
import importlib.machinery
import os
import signal
import sys
import time
from pathlib import Path

FAULTS = dict(
    reversed(fault.split("@")) for fault in os.environ.get("FAULTS", "").split() if "@" in fault
)
SMALL_BATCH = 8


def pause():
    Path(os.environ["FAULT_MARK"]).write_text(str(os.getpid()))
    while True:
        time.sleep(0.05)


def hold():
    mark = Path(os.environ["FAULT_MARK"])
    mark.write_text(str(os.getpid()))
    while mark.exists():
        time.sleep(0.05)


def strike(fault, batch):
    import torch

    if fault == "raise":
        raise ValueError("a fault in the job")
    if fault == "exit":
        sys.exit(7)
    if fault == "os-exit":
        os._exit(3)
    if fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "kill-rank" and torch.distributed.get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "oom" and len(batch.labels) > SMALL_BATCH:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    if fault == "pause":
        pause()
    if fault == "hold":
        hold()


def patch_task(module):
    task = module.ClassificationTask
    train, validate = task.training_step, task.validation_step

    def training_step(self, batch, batch_idx):
        fault = FAULTS.get(f"{self._peak_lr:g}")
        if self.current_epoch == 1 and batch_idx == 0:
            strike(fault, batch)
        if self.current_epoch == 2 and fault == "pause-late":
            pause()
        return train(self, batch, batch_idx)

    def validation_step(self, batch, batch_idx):
        if FAULTS.get(f"{self._peak_lr:g}") == "pause-val" and self.current_epoch == 1:
            pause()
        return validate(self, batch, batch_idx)

    task.training_step, task.validation_step = training_step, validation_step


def patch_data(module):
    made = module.ImageDataModule.train_dataloader

    def train_dataloader(self):
        if "load" in FAULTS:
            pause()
        return made(self)

    module.ImageDataModule.train_dataloader = train_dataloader
    take = module.RowImages.__getitem__

    def getitem(self, index):
        import torch

        if "worker" in FAULTS and torch.utils.data.get_worker_info() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return take(self, index)

    module.RowImages.__getitem__ = getitem


def patch_pixels(module):
    if "worker" in FAULTS:
        module.FREE_SHARE = 0  # no room in memory nor on the disk: processes decode on the fly


def patch_report(module):
    write = module.write_sweep_report

    def write_sweep_report(*args, **kwargs):
        if FAULTS.get("report") == "pause":
            pause()
        if "report" in FAULTS:
            raise OSError(28, "No space left on device")
        return write(*args, **kwargs)

    module.write_sweep_report = write_sweep_report


def patch_rung(module):
    begin = module.PauseAtDeadline.on_train_epoch_start

    def on_train_epoch_start(self, trainer, task):
        begin(self, trainer, task)
        if "deadline" in FAULTS.values() and trainer.current_epoch == 1:
            module.check_deadline(self._deadline_s, needs_s=1e9)

    module.PauseAtDeadline.on_train_epoch_start = on_train_epoch_start


def patch_kept(module):
    if "pause-late" in FAULTS.values():
        module.COSTS_BETWEEN = 0  # every epoch is on disk, as where epochs are long


PATCHES = {
    "frostline.reporting.write_report": patch_report,
    "frostline.training.kept_state": patch_kept,
    "frostline.training.rung": patch_rung,
    "frostline.training.task": patch_task,
    "frostline.data.image_datamodule": patch_data,
    "frostline.data.pixels": patch_pixels,
}


class Injector(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name not in PATCHES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            PATCHES[name](module)

        spec.loader.exec_module = exec_module
        return spec


if FAULTS:
    sys.meta_path.insert(0, Injector())
