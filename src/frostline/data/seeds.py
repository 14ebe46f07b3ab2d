"""Seeds derived from the run's seed, one for each purpose.

Only `seed_epoch` changes a global generator. A resumed run, a run on stored features and a run in
the middle of a sweep therefore draw the same numbers.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


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


@contextmanager
def own_draws(seed: int, images: "Tensor | None" = None) -> Iterator[None]:
    """A block that draws from the global generators by a seed of its own and restores them.

    `torch.manual_seed` seeds the generators of all cards as well, from which dropout draws there;
    `fork_rng` restores those alone that it is given.

    Args:
        seed: Of the block.
        images: What is drawn for: the generator of its device is seeded and restored as well.
    """
    import torch

    cards = [images.device] if images is not None and images.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cards):
        torch.default_generator.manual_seed(seed)
        if cards:
            torch.cuda.manual_seed(seed)
        yield
