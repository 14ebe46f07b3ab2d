"""Which precision and memory layout is fastest here, for each direction: a short cached probe.

On CPUs bfloat16 wins forwards almost everywhere, and loses in training wherever convolutions are
depthwise; channels last wins for most convolutional nets, and loses for some. No rule predicts it,
so both are timed, but only for `trainer.precision=fastest`: otherwise all runs use float32 and
channels last, so that they can be compared and no timing influences their results.
"""

import contextlib
import hashlib
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from frostline.backbones.compute_mode import ComputeMode, in_layout, parse_compute_mode
from frostline.backbones.spec import shape_text
from frostline.files import replacing
from frostline.training.engine import Engine, choose_kernels
from frostline.training.kernel_trial import trains_strictly

FASTEST = "fastest"
TRIED = tuple(
    ComputeMode(precision, layout)
    for precision in ("32-true", "bf16-mixed")
    for layout in ("channels_last", "contiguous")
)
_REPEATS = 3


@dataclass(frozen=True)
class FastestModes:
    """The fastest mode of each direction.

    Attributes:
        forward: Of the frozen prefix, which only runs forwards.
        training: Of everything that trains.
        seconds: What was measured: "forward 32-true" and so on, seconds for one batch.
    """

    forward: ComputeMode
    training: ComputeMode
    seconds: dict[str, float]


def choose_modes(
    engine: Engine,
    prefix: nn.Module,
    trained: nn.Module,
    *,
    shape: tuple[int, int, int],
    batch: int,
    about: str,
    own_parts: bool = False,
) -> tuple[Engine, ComputeMode, ComputeMode]:
    """The engine of a run, and the compute modes of its prefix and of its training.

    On CUDA also whether its kernels are strict, which is in force from here on.

    Args:
        engine: As chosen; only a precision of `fastest` starts the probe.
        prefix: The frozen stages.
        trained: Suffix and head.
        shape: Channels, height and width of the images.
        batch: Images in a batch.
        about: Backbone and depth.
        own_parts: Whether the user's own code takes part, whose kernels are unknown.
    """
    engine, forward, training = _modes(
        engine, prefix, trained, shape=shape, batch=batch, about=about
    )
    if engine.accelerator != "cuda":
        return engine, forward, training
    strict = not own_parts and trains_strictly(
        prefix.to(engine.accelerator),
        trained.to(engine.accelerator),
        shape=shape,
        accelerator=engine.accelerator,
        precision=engine.precision,
        about=about,
    )
    choose_kernels(strict=strict)
    return replace(engine, strict=strict), forward, training


def _modes(
    engine: Engine,
    prefix: nn.Module,
    trained: nn.Module,
    *,
    shape: tuple[int, int, int],
    batch: int,
    about: str,
) -> tuple[Engine, ComputeMode, ComputeMode]:
    """As `choose_modes`, without the kernels."""
    if engine.precision != FASTEST:
        usual = ComputeMode(engine.precision)
        return engine, usual, usual
    from frostline.features.feature_store import store_folder

    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, *shape, generator=generator)
    modes = fastest_modes(
        prefix.to(engine.accelerator),
        trained.to(engine.accelerator),
        images.to(engine.accelerator),
        accelerator=engine.accelerator,
        about=f"{about}, {shape_text(shape)} px, {batch} images",
        folder=store_folder().parent / "probes",
    )
    return replace(engine, precision=modes.training.precision), modes.forward, modes.training


def fastest_modes(
    prefix: nn.Module,
    trained: nn.Module,
    images: Tensor,
    *,
    accelerator: str,
    about: str,
    folder: Path,
) -> FastestModes:
    """Try each mode on one batch, or read the cached result.

    Args:
        prefix: The frozen stages.
        trained: Suffix and head; their gradients and statistics are put back afterwards.
        images: (B, 3, S, S) float32, a batch as in training.
        accelerator: Where they are.
        about: Backbone, size, depth and batch size, on which the result depends too.
        folder: Of the cached results.
    """
    machine = f"{_device_name(accelerator)} {torch.__version__}"
    capability = torch.backends.cpu.get_cpu_capability()
    text = f"{machine} {capability} {accelerator} {torch.get_num_threads()} threads | {about}"
    name = hashlib.sha256(text.encode()).hexdigest()[:24]
    cached = folder / f"{name}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        content = json.loads(cached.read_text())
        forward, training = (
            parse_compute_mode(content[direction]) for direction in ("forward", "training")
        )
        if {forward, training} <= set(TRIED):
            return FastestModes(forward, training, content["seconds"])
    fastest = _measure(prefix, trained, images, accelerator)
    content = {
        "forward": str(fastest.forward),
        "training": str(fastest.training),
        "seconds": fastest.seconds,
        "tried": [str(mode) for mode in TRIED],
        "about": text,
    }
    with contextlib.suppress(OSError):  # without a cached result the next run measures again
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(cached) as temporary:
            temporary.write_text(json.dumps(content, indent=1))
    return fastest


def _device_name(accelerator: str) -> str:
    """The processor, or the card: what is fastest on one is not on another."""
    if accelerator == "cuda":
        return torch.cuda.get_device_name()
    return platform.processor() or platform.machine()


def _measure(
    prefix: nn.Module, trained: nn.Module, images: Tensor, accelerator: str
) -> FastestModes:
    state = {name: value.clone() for name, value in trained.state_dict().items()}
    seconds: dict[str, float] = {}

    @torch.no_grad()
    def forward(inputs: Tensor) -> Tensor:
        outputs: Tensor = prefix(inputs)
        return outputs

    def training(outputs: Tensor) -> None:
        torch.autograd.backward(trained(outputs).float().square().mean())

    try:
        for mode in TRIED:
            with torch.autocast(
                accelerator, dtype=torch.bfloat16, enabled=mode.precision == "bf16-mixed"
            ):
                inputs = in_layout(images, mode.layout)
                prefix_outputs = forward(inputs)
                seconds[f"forward {mode}"] = _best_s(partial(forward, inputs), accelerator)
                seconds[f"training {mode}"] = _best_s(
                    partial(training, prefix_outputs), accelerator
                )
    finally:
        trained.load_state_dict(state)
        trained.zero_grad(set_to_none=True)
    best = {
        direction: min(TRIED, key=lambda mode: seconds[f"{direction} {mode}"])
        for direction in ("forward", "training")
    }
    if next(prefix.parameters(), None) is None:
        # Nothing is frozen: the images come in the layout that is fastest in training.
        best["forward"] = best["training"]
    return FastestModes(best["forward"], best["training"], seconds)


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
