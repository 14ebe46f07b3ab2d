"""Failures whose cause is known: what to do about them, and a second try where memory ran out."""

import gc
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from frostline.config.schema import Settings
from frostline.errors import ConfigError, FrostlineError, TrackingError
from frostline.files import NO_ROOM
from frostline.sweeps.worker_answer import WorkerDiedError

Result = TypeVar("Result")
MIN_BATCH = 2
OUT_OF_MEMORY = (
    "out of memory",  # CUDA, MPS
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "can't allocate memory",  # PyTorch on the CPU
    "not enough memory",
)
DATA_WORKER = ("dataloader worker", "dataset worker")
DISK_FAULTS = {5, 30, 116}  # a read or write error, a file system gone read-only, a stale handle
AFTER_TRAINING = "the training had ended: the same command goes on from its last checkpoint"
SHARED_MEMORY = ("shared memory", "/dev/shm", "/torch_", "shm_open")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, of the accelerator or of the machine."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in text for sign in OUT_OF_MEMORY)


@contextmanager
def after_training() -> Iterator[None]:
    """A block in which the training is over: what fails there is not its own."""
    try:
        yield
    except Exception as error:
        error.add_note(AFTER_TRAINING)
        raise


def is_not_trainings_own(error: BaseException) -> bool:
    """Whether a failure came from around a training, so that its checkpoints may go on later.

    That is: room on the disk or in memory, a disk that failed, a process that loads images, another
    process of a distributed run that was killed, a store that is away, and all that comes after the
    last epoch. Losses that are no numbers, wrong
    settings, changed data and code that raises would fail again.

    Args:
        error: What a job raised.
    """
    if AFTER_TRAINING in getattr(error, "__notes__", ()):
        return True
    if isinstance(error, OSError):
        return error.errno in NO_ROOM | DISK_FAULTS
    text = str(error).lower()
    return (
        isinstance(error, TrackingError | WorkerDiedError)
        or is_out_of_memory(error)
        or any(sign in text for sign in (*DATA_WORKER, *SHARED_MEMORY))
    )


def hint_for(error: BaseException) -> str | None:
    """What to do about a failure; None where nothing is known.

    Args:
        error: What a job raised.
    """
    text = str(error).lower()
    if is_out_of_memory(error):
        return "lower batch_size or image_size, or let it be halved once: on_oom=shrink"
    if any(sign in text for sign in SHARED_MEMORY):
        return "/dev/shm is full or too small: trainer.workers=0, or give the container more of it"
    if any(sign in text for sign in DATA_WORKER):
        return (
            "a process that loads images died, often because memory ran out: trainer.workers=0, "
            "or fewer of them"
        )
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return "the disk or the quota is full: make room, then give the same command again"
    return None


def within_memory(
    settings: Settings, attempt: Callable[[Settings], Result], *, note: Callable[[str], Any]
) -> Result:
    """Run a job, and once more with half the batch if memory ran out and that was asked for.

    The second try takes as many images for one step of the optimiser as the first, in two
    batches whose gradients are added up, and resumes from the last whole epoch of the first.

    Args:
        settings: The job; `on_oom` decides.
        attempt: Runs it with the given settings.
        note: Called with one line before the second try.

    Returns:
        What `attempt` returns.
    """
    try:
        return attempt(settings)
    except (RuntimeError, MemoryError) as error:
        smaller = shrunk(settings)
        if settings.on_oom != "shrink" or not is_out_of_memory(error) or smaller is None:
            raise
        # The frames hold the tensors that did not fit.
        traceback.clear_frames(error.__traceback__)
    free_memory()
    note(
        f"out of memory: batch_size {settings.batch_size} becomes {smaller.batch_size}, gradients "
        f"of {smaller.trainer.accumulate_grad_batches} batches are added up"
    )
    return attempt(smaller)


def shrunk(settings: Settings) -> Settings | None:
    """The same job with half the batch and twice the accumulation; None if nothing can be halved.

    Args:
        settings: The job.
    """
    half = (settings.batch_size + 1) // 2
    if half < MIN_BATCH or half == settings.batch_size:
        return None
    trainer = settings.trainer.model_copy(
        update={"accumulate_grad_batches": 2 * settings.trainer.accumulate_grad_batches}
    )
    return settings.model_copy(update={"batch_size": half, "trainer": trainer})


def free_memory() -> None:
    """Give back what nothing holds any more, on the GPU as well."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def raise_together(problems: list[FrostlineError]) -> None:
    """Raise one error for all problems; do nothing if there is none.

    Raises:
        FrostlineError: The only problem, or a ConfigError that holds the text of all.
    """
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise ConfigError("\n".join(str(problem) for problem in problems))
