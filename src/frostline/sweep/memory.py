"""A second try with half the batch, where memory ran out and `on_oom=shrink` asks for it."""

import gc
import sys
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from frostline.config.schema import Settings
from frostline.sweep.failure_hints import is_out_of_memory

Result = TypeVar("Result")
LEAST_BATCH = 2


def within_memory(
    settings: Settings, attempt: Callable[[Settings], Result], *, note: Callable[[str], Any]
) -> Result:
    """Run a job, and once more with half the batch if memory ran out and that was asked for.

    The second try takes as many images for one step of the optimiser as the first, in two
    batches whose gradients are added up; it goes on from the last whole epoch of the first.

    Args:
        settings: The job; `on_oom` decides.
        attempt: Runs it with the given settings.
        note: Told of the second try, in one line.

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
    if half < LEAST_BATCH or half == settings.batch_size:
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
