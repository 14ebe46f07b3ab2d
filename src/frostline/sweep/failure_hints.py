"""What to do about failures whose cause is known, though the library's message does not say it."""

OUT_OF_MEMORY = (
    "out of memory",  # CUDA, MPS
    "can't allocate memory",  # PyTorch on the CPU
    "not enough memory",
)
DATA_WORKER = ("dataloader worker", "dataset worker")
NO_ROOM = {27, 28, 122}  # file too large, no space left, quota exceeded
SHARED_MEMORY = ("shared memory", "/dev/shm", "/torch_", "shm_open")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, of the accelerator or of the machine."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in text for sign in OUT_OF_MEMORY)


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
