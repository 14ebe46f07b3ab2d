"""What determines a stored output: an entry of the store is known by a digest of all of it."""

import hashlib
import json
import platform
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

# The code that outputs come from: decoding, geometry, views, backbones, the computing itself.
OUTPUT_PATH = ("data", "backbones", "features/compute.py", "features/segment.py")
LIBRARIES = ("torch", "timm", "numpy", "pillow")


@dataclass(frozen=True)
class EntryKey:
    """One frozen prefix over one data set; its (row, view) pairs are the entry's content.

    Attributes:
        data: Fingerprint of the table, which covers every image's bytes.
        geometry: How an image becomes a square, and how it is normalised. The recipe is no part of
            it: view 0 is the same image in all, view 1 its mirror image.
        backbone: Its name.
        boundary: Where the prefix ends; for a whole backbone with the pooling.
        frozen: Digest over the prefix's parameters and buffers.
        image_size_px: Side of the square.
        engine: Device, instruction set, precision and library versions.
        code: Digest over the code that outputs come from.
    """

    data: str
    geometry: str
    backbone: str
    boundary: str
    frozen: str
    image_size_px: int
    engine: str
    code: str

    @property
    def digest(self) -> str:
        """40 hex digits; equal for equal outputs only."""
        content = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:40]


@cache
def code_digest() -> str:
    """A digest over the code and the libraries that outputs come from.

    Over bytes rather than syntax: this runs in every job and costs a millisecond.
    """
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for part in OUTPUT_PATH:
        place = root / part
        for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
            digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    for library in LIBRARIES:
        digest.update(f"{library}=={version(library)}".encode())
    return digest.hexdigest()[:16]


def engine_name(accelerator: str, precision: str) -> str:
    """Where and how outputs are computed, in one line: other engines round differently.

    Args:
        accelerator: `cpu`, `cuda` or `mps`.
        precision: Lightning's word for it.
    """
    import torch

    if accelerator == "cuda":
        device = torch.cuda.get_device_name()
        details = f"cuda {torch.version.cuda} {torch.get_float32_matmul_precision()}"
    else:
        device = platform.processor() or platform.machine()
        details = torch.backends.cpu.get_cpu_capability()
    return f"{accelerator} | {device} | {details} | torch {torch.__version__} | {precision}"
