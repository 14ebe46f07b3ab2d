"""What determines stored features: an entry of the store is found by a digest of all of it."""

import hashlib
import json
import platform
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class EntryKey:
    """One frozen prefix over one data set; its (row, view) pairs are the entry's content.

    Attributes:
        data: Fingerprint of the table, which covers every image's bytes.
        geometry: How an image becomes a square, and how it is normalised. The augmentation is no
            part of it: view 0 is the same image in all of them, view 1 its mirror image.
        backbone: Its name.
        boundary: Where the prefix ends; for a whole backbone with the pooling.
        frozen: Digest over the prefix's parameters and buffers.
        image_size_px: Side of the square.
        engine: Device, instruction set and precision: see `engine_name`.
        libraries: Versions of the libraries that change numbers: see `installed_libraries`.
        features_version: FEATURES_VERSION of the code that the outputs come from.
    """

    data: str
    geometry: str
    backbone: str
    boundary: str
    frozen: str
    image_size_px: int
    engine: str
    libraries: str
    features_version: int

    @property
    def digest(self) -> str:
        """40 hex digits; equal for equal outputs only."""
        content = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:40]


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
        kernels = f"{mode}, deterministic {torch.are_deterministic_algorithms_enabled()}"
    else:
        device = platform.processor() or platform.machine()
        kernels = torch.backends.cpu.get_cpu_capability()
    return f"{accelerator} | {device} | {kernels} | {precision}"


def _tf32_mode() -> str:
    """Whether float32 is rounded to TF32 on CUDA, in convolutions and in matrix products."""
    import torch

    convolutions, products = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    return f"{'on' if convolutions else 'off'}/{'on' if products else 'off'}"
