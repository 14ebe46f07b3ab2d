"""One entry of the store: what determines its outputs, and these outputs in immutable segments.

An entry is found by a digest of all that determines them.
"""

import hashlib
import json
import logging
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from frostline.features.segment_writer import SegmentWriter
from frostline.features.stored_file import (
    SUFFIX,
    DamagedSegmentError,
    OutputForm,
    Pairs,
    Segment,
    open_segment,
    store_errors,
)
from frostline.files import TEMPORARY_SUFFIX, replacing
from frostline.locks import Owner, OwnerLock

ABOUT_FILE = "entry.json"
LOCK_FILE = "owner.lock"
# What an entry's file says besides its key: the sweep at whose end an epoch's outputs are removed.
SWEEP_FIELD = "sweep"
_EPOCH = " | epoch "

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EntryKey:
    """One frozen prefix over one data set; its (row, view) pairs are the entry's content.

    Attributes:
        data: Fingerprint of the table, which covers every image's bytes.
        geometry: How an image becomes a square, and how it is normalised. A finite augmentation is
            no part of it: view 0 is the same image in all of them, view 1 its mirror image. Of the
            augmented images of one epoch all that determines them: see `key_of_epoch`.
        backbone: Its name, with the digest of its code if it is a user's own.
        boundary: Where the prefix ends; for a whole backbone with the pooling.
        frozen: Digest over the prefix's parameters and buffers.
        image_size_px: Side of the square; of a rectangle such as `96x128`, height and width.
        engine: Device, instruction set and precision: see `engine_name`.
        libraries: Versions of the libraries that change numbers: see `installed_libraries`.
        features_version: FEATURES_VERSION of the code that the outputs come from.
    """

    data: str
    geometry: str
    backbone: str
    boundary: str
    frozen: str
    image_size_px: int | str
    engine: str
    libraries: str
    features_version: int

    @property
    def digest(self) -> str:
        """40 hex digits; equal for equal outputs only."""
        content = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:40]


def key_of_epoch(key: EntryKey, recipe: str, epoch: int) -> EntryKey:
    """Return the key of a prefix over the augmented training images of one epoch.

    Args:
        key: Of the same prefix over images as in evaluation.
        recipe: What determines the images of all epochs.
        epoch: 0-based.
    """
    return replace(key, geometry=f"{key.geometry} | {recipe}{_EPOCH}{epoch}")


def epoch_of(about: Mapping[str, object]) -> int | None:
    """Return the epoch of whose augmented images an entry holds the outputs; None if of none."""
    _, _, epoch = str(about.get("geometry")).rpartition(_EPOCH)
    return int(epoch) if epoch.isdigit() else None


def engine_name(accelerator: str, precision: str) -> str:
    """Where and how outputs are computed, in one line: other engines round differently.

    Args:
        accelerator: `cpu`, `cuda` or `mps`.
        precision: Lightning's word for it.
    """
    import torch

    if accelerator == "cuda":
        device = torch.cuda.get_device_name()
        mode = f"cuda {torch.version.cuda}, TF32 {_tf32_mode()}"
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        mode += f", cudnn {cudnn}"
        kernels = f"{mode}, deterministic {_kernels()}"
    else:
        device = platform.processor() or platform.machine()
        kernels = torch.backends.cpu.get_cpu_capability()
    return f"{accelerator} | {device} | {kernels} | {precision}"


def _kernels() -> str:
    """Whether kernels that repeat their numbers are used: always, where there are any, or never."""
    import torch

    if not torch.are_deterministic_algorithms_enabled():
        return "no"
    return "where possible" if torch.is_deterministic_algorithms_warn_only_enabled() else "always"


def _tf32_mode() -> str:
    """Whether float32 is rounded to TF32 on CUDA, in convolutions and in matrix products."""
    import torch

    convolutions, products = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    return f"{'on' if convolutions else 'off'}/{'on' if products else 'off'}"


def read_about(folder: Path) -> dict[str, object] | None:
    """Read what an entry is; None if its file is missing or damaged, so that there is no entry."""
    try:
        content = json.loads((folder / ABOUT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    keys = {field.name for field in fields(EntryKey)}
    return content if isinstance(content, dict) and keys <= content.keys() else None


class Entry:
    """One prefix's outputs over one data set.

    Args:
        folder: The entry's own folder.
        key: What determines it.
        notes: What else is stored beside the key.
    """

    def __init__(self, folder: Path, key: EntryKey, notes: dict[str, object]) -> None:
        self.folder = folder
        self.key = key
        self._notes = notes

    def segments(self) -> list[Segment]:
        """Return all segments, checked; a damaged one is removed, to be computed again.

        There are none without a whole file that says what they are: somebody is removing them, or
        was killed while doing so.
        """
        if read_about(self.folder) is None:
            return []
        segments = []
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            try:
                segments.append(open_segment(path))
            except FileNotFoundError:
                continue  # evicted in between
            except DamagedSegmentError as damage:
                log.warning("stored outputs are damaged and will be computed again: %s", damage)
                path.unlink(missing_ok=True)
        if segments:
            with suppress(FileNotFoundError):  # removed in between; what is open stays readable
                os.utime(self.folder / ABOUT_FILE)
        return segments

    @contextmanager
    def owned(self, on_wait: Callable[[Owner | None], None] | None = None) -> Iterator[None]:
        """Be the only process that adds to this entry; waits while another one is.

        Raises:
            StoreFailedError: If the store's folder cannot be written to.
        """
        lock = OwnerLock(self.folder / LOCK_FILE)
        with store_errors():
            lock.acquire(wait_s=None, on_wait=on_wait)
        try:
            with store_errors():
                # Left by processes that were killed.
                for orphan in self.folder.glob(f"*{TEMPORARY_SUFFIX}"):
                    orphan.unlink(missing_ok=True)
                if read_about(self.folder) is None:
                    for orphan in self.folder.glob(f"*{SUFFIX}"):
                        orphan.unlink(missing_ok=True)
                    self._write_about()
            yield
        finally:
            lock.release(remove=False)

    def _write_about(self) -> None:
        with replacing(self.folder / ABOUT_FILE) as temporary:
            temporary.write_text(json.dumps(asdict(self.key) | self._notes, indent=1))

    def writer(self, pairs: Pairs, form: OutputForm) -> SegmentWriter:
        """Return a writer for missing outputs; only while the entry is `owned`."""
        return SegmentWriter(self.folder, pairs, form)
