"""Seeds derived from the run's seed, one for each purpose.

Only `seed_epoch` changes a global generator. A resumed run, a run on stored features and a run in
the middle of a sweep therefore draw the same numbers.
"""

import hashlib


def derive_seed(seed: int, *purpose: str | int) -> int:
    """Derive a seed for one purpose, independent of the seeds for all other purposes.

    Args:
        seed: The run's seed.
        purpose: Text and numbers that name the purpose, such as `"order", epoch`.

    Returns:
        A number in 0 .. 2**63 - 1, the same on every machine and Python.
    """
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def seed_epoch(seed: int, epoch: int) -> None:
    """Seed the global generator, from which layers such as dropout draw in one epoch."""
    import torch

    torch.manual_seed(derive_seed(seed, "layers", epoch))
