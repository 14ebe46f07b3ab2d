"""Whether to store a prefix's outputs: a pure decision with its reason."""

from dataclasses import dataclass
from typing import Protocol

MIB = 2**20


@dataclass(frozen=True)
class Speeds:
    """Speeds of this machine's disk and memory, in bytes per second.

    Attributes:
        write: Writing to the store's disk, synced.
        read_disk: Reading what is not in memory.
        read_memory: Gathering rows from memory.
    """

    write: float
    read_disk: float
    read_memory: float


@dataclass(frozen=True)
class Work:
    """The work of a job, and of those that share its prefix.

    Attributes:
        passes: Prefix passes over single images without the store: all epochs, validation, test.
        missing: Pairs that are not stored yet.
        jobs: Jobs that will read the same outputs, including this one.
        prefix_s: Seconds of the prefix for one image, on the job's device.
        item_bytes: Bytes of one output.
        transfer_bytes_s: From memory to the accelerator; None on the CPU.
        is_needed: Whether the jobs cannot do without the outputs.
    """

    passes: int
    missing: int
    jobs: int
    prefix_s: float
    item_bytes: int
    transfer_bytes_s: float | None = None
    is_needed: bool = False


@dataclass(frozen=True)
class Decision:
    """What was decided, and why.

    Attributes:
        reuse: Whether stored outputs are used.
        reason: As text, with the deciding figures.
    """

    reuse: bool
    reason: str

    def __str__(self) -> str:
        return f"reuse {'on' if self.reuse else 'off'}: {self.reason}"


def decide_from_facts(
    *, wanted: str, nothing_frozen: str, reusable: bool, cut_reason: str
) -> Decision | None:
    """Decide what needs no measuring; None if reuse is possible.

    Args:
        wanted: `auto` or `off`.
        nothing_frozen: Why no stage next to the images is frozen; empty if one is.
        reusable: Whether an exact cut was found, whose outputs never change.
        cut_reason: The cut's reason.
    """
    if wanted == "off":
        return Decision(False, "reuse=off")
    if nothing_frozen:
        return Decision(False, nothing_frozen)
    if not reusable:
        return Decision(False, f"the frozen stages' outputs cannot be stored: {cut_reason}")
    return None


class Augmentation(Protocol):
    """What decides whether an epoch's images can be drawn again."""

    augment: str
    is_own: bool


def why_images(augmentation: Augmentation, *, mix: str, processes: int) -> str:
    """Return why a training must run its prefix on each batch of images; empty if it need not.

    Args:
        augmentation: One without a finite set of views, unless images are mixed.
        mix: How images of a batch are mixed; `none` if they are not.
        processes: Of a distributed run.
    """
    if mix != "none":
        return f"training images: mix={mix} blends them before the prefix"
    if augmentation.is_own:
        return (
            f"training images: augment={augmentation.augment} is your own, and may draw them "
            "otherwise the next time"
        )
    if processes > 1:
        return "training images: each process has its part of every batch"
    return ""


def decide_from_cost(
    work: Work, speeds: Speeds, *, max_new_bytes: int, memory_bytes: int
) -> Decision:
    """Decide whether storing outputs takes less time than computing them again, and fits.

    Args:
        work: What will be done.
        speeds: Speeds of the machine.
        max_new_bytes: How much may be added to the store.
        memory_bytes: How much of the store's files the system can hold in memory.
    """
    size = work.missing * work.item_bytes
    if size > max_new_bytes:
        return Decision(
            False,
            f"{size / MIB:,.0f} MiB would be stored, and there is space for "
            f"{max_new_bytes / MIB:,.0f}",
        )
    if work.is_needed:
        return Decision(True, f"{work.missing:,} outputs to compute, which every candidate reads")
    store_s = work.missing * (work.prefix_s + work.item_bytes / speeds.write)
    distinct = max(work.missing, work.passes / max(1, work.jobs)) * work.item_bytes
    read = speeds.read_memory if distinct <= memory_bytes else speeds.read_disk
    each_read_s = work.item_bytes / read
    if work.transfer_bytes_s is not None:
        each_read_s += work.item_bytes / work.transfer_bytes_s
    again_s = work.jobs * work.passes * work.prefix_s
    reuse_s = store_s + work.jobs * work.passes * each_read_s
    shared = f" in {work.jobs} jobs" if work.jobs > 1 else ""
    figures = (
        f"{work.missing:,} outputs to compute instead of {work.jobs * work.passes:,}{shared}, "
        f"{work.item_bytes / 1024:,.1f} KiB each: about {reuse_s:.2g} s instead of {again_s:.2g} s"
    )
    return Decision(reuse_s < again_s, figures)
