"""Which precision is fastest here, for each direction: a short probe, kept for the machine.

On CPUs bfloat16 wins forwards almost everywhere, and loses in training wherever convolutions are
depthwise; no rule says which, so it is tried. Only `trainer.precision=fastest` asks for it: runs
that are compared with each other are otherwise all computed in float32.
"""

import contextlib
import hashlib
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from src.training.engine import Engine

FASTEST = "fastest"
TRIED = ("32-true", "bf16-mixed")
_REPEATS = 3


@dataclass(frozen=True)
class Precisions:
    """The fastest precision of each direction, by Lightning's words.

    Attributes:
        forward: Of the frozen prefix, which only runs forwards.
        training: Of everything that trains.
        seconds: What was measured: "forward 32-true" and so on, seconds for one batch.
    """

    forward: str
    training: str
    seconds: dict[str, float]


def settle_precisions(
    engine: Engine, prefix: nn.Module, trained: nn.Module, *, size_px: int, batch: int, about: str
) -> tuple[Engine, str]:
    """The engine of a run, and the precision of its frozen prefix, once its parts are known.

    Args:
        engine: As chosen; only a precision of `fastest` is tried out here.
        prefix: The frozen stages.
        trained: Suffix and head.
        size_px: Side of the images.
        batch: Images in a batch.
        about: Backbone and depth.
    """
    if engine.precision != FASTEST:
        return engine, engine.precision
    from src.features.store import store_folder

    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, 3, size_px, size_px, generator=generator)
    images = images.to(engine.accelerator, memory_format=torch.channels_last)
    found = fastest_precisions(
        prefix.to(engine.accelerator),
        trained.to(engine.accelerator),
        images,
        accelerator=engine.accelerator,
        about=f"{about}, {size_px} px, {batch} images",
        folder=store_folder().parent / "probes",
    )
    return replace(engine, precision=found.training), found.forward


def fastest_precisions(
    prefix: nn.Module,
    trained: nn.Module,
    images: Tensor,
    *,
    accelerator: str,
    about: str,
    folder: Path,
) -> Precisions:
    """Try each precision on one batch, or remember what was found before.

    Args:
        prefix: The frozen stages.
        trained: Suffix and head; their gradients and statistics are put back afterwards.
        images: (B, 3, S, S) float32, a batch as in training, in its memory format.
        accelerator: Where they are.
        about: Backbone, size, depth and batch size: what else decides.
        folder: Where findings are kept.
    """
    machine = f"{platform.processor() or platform.machine()} {torch.__version__}"
    capability = torch.backends.cpu.get_cpu_capability()
    text = f"{machine} {capability} {accelerator} {torch.get_num_threads()} threads | {about}"
    name = hashlib.sha256(text.encode()).hexdigest()[:24]
    kept = folder / f"{name}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        content = json.loads(kept.read_text())
        return Precisions(content["forward"], content["training"], content["seconds"])
    found = _measure(prefix, trained, images, accelerator)
    with contextlib.suppress(OSError):  # what cannot be kept is measured again
        folder.mkdir(parents=True, exist_ok=True)
        temporary = kept.with_suffix(f".{time.monotonic_ns()}.tmp")
        temporary.write_text(json.dumps(asdict(found) | {"about": text}, indent=1))
        temporary.replace(kept)
    return found


def _measure(prefix: nn.Module, trained: nn.Module, images: Tensor, accelerator: str) -> Precisions:
    state = {name: value.clone() for name, value in trained.state_dict().items()}
    seconds: dict[str, float] = {}

    @torch.no_grad()
    def forward() -> Tensor:
        outputs: Tensor = prefix(images)
        return outputs

    def training(handed: Tensor) -> None:
        torch.autograd.backward(trained(handed).float().square().mean())

    try:
        for precision in TRIED:
            with torch.autocast(
                accelerator, dtype=torch.bfloat16, enabled=precision == "bf16-mixed"
            ):
                handed = forward()
                seconds[f"forward {precision}"] = _best_s(forward, accelerator)
                seconds[f"training {precision}"] = _best_s(partial(training, handed), accelerator)
    finally:
        trained.load_state_dict(state)
        trained.zero_grad(set_to_none=True)
    best = {
        way: min(TRIED, key=lambda precision: seconds[f"{way} {precision}"])
        for way in ("forward", "training")
    }
    return Precisions(best["forward"], best["training"], seconds)


def _best_s(work: Callable[[], object], accelerator: str) -> float:
    """The shortest of a few times, after one to warm up."""
    times = []
    for _ in range(_REPEATS + 1):
        begun = time.perf_counter()
        work()
        if accelerator == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
    return min(times[1:])


class InPrecision(nn.Module):
    """Runs a frozen prefix in a precision of its own, whatever the training around it uses.

    Args:
        prefix: The frozen stages.
        accelerator: Where they are.
        precision: `32-true` or `bf16-mixed`.
        trained_in: What comes after it computes in; float32 is handed over to float32.
    """

    def __init__(
        self, prefix: nn.Module, accelerator: str, precision: str, trained_in: str
    ) -> None:
        super().__init__()
        self._prefix = (prefix,)  # not registered: the backbone owns it
        self._accelerator = accelerator
        self._enabled = precision == "bf16-mixed"
        self._widens = self._enabled and trained_in == "32-true"

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S) to the prefix's outputs."""
        with torch.autocast(self._accelerator, dtype=torch.bfloat16, enabled=self._enabled):
            outputs: Tensor = self._prefix[0](images)
        return outputs.float() if self._widens else outputs
