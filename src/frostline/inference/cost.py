"""Cost of a model on this machine: parameters, FLOPs, latency, throughput, memory, file size."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import psutil
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from frostline.features.compute import precision_context
from frostline.training.engine import Engine

MIB = 2**20
BATCH = 64
WARM_UP_RUNS = 2
# Each batch size is timed for at least this long and this often.
MIN_TIMING_S = 1.0
MIN_REPEATS = 3


def cost_of(
    network: nn.Module, *, shape: tuple[int, int, int], checkpoint_bytes: int, engine: Engine
) -> dict[str, float]:
    """Measure the cost of a network.

    Args:
        network: Normalised images (B, C, H, W) to logits, in eval mode.
        shape: C, H and W.
        checkpoint_bytes: Size of the file of its weights.
        engine: Device and precision.

    Returns:
        `params`; `gflops` of one image (a multiplication and an addition count as two);
        `latency_ms_batch_1` and `latency_ms_batch_64`, medians for a whole batch;
        `images_per_s_batch_1` and `images_per_s_batch_64`; `peak_memory_mib_batch_64`, the memory
        of a forward pass besides the weights (on a CPU the sampled growth of the process);
        `weights_mib`, the memory of parameters and buffers; `checkpoint_mib`, the file.
    """
    network = network.to(engine.accelerator)
    with torch.inference_mode():
        single = torch.zeros(1, *shape, device=engine.accelerator)
        with FlopCounterMode(display=False) as counter:
            network(single)
        batch = single.expand(BATCH, -1, -1, -1).contiguous(memory_format=torch.channels_last)
        with precision_context(engine.accelerator, engine.precision):
            # Memory first, while the allocator has not yet reserved memory for a large batch.
            peak_bytes = _peak_bytes(lambda: network(batch), engine.accelerator)
            latencies = {n: _median_s(network, x, engine) for n, x in ((1, single), (BATCH, batch))}
    tensors = {id(t): t for t in [*network.parameters(), *network.buffers()]}.values()
    figures = {
        "params": float(sum(p.numel() for p in network.parameters())),
        "gflops": counter.get_total_flops() / 1e9,
        "weights_mib": sum(t.numel() * t.element_size() for t in tensors) / MIB,
        "checkpoint_mib": checkpoint_bytes / MIB,
        f"peak_memory_mib_batch_{BATCH}": peak_bytes / MIB,
    }
    for n, seconds in latencies.items():
        figures[f"latency_ms_batch_{n}"] = seconds * 1e3
        figures[f"images_per_s_batch_{n}"] = n / seconds
    return figures


def _median_s(network: Callable[[Tensor], Tensor], images: Tensor, engine: Engine) -> float:
    for _ in range(WARM_UP_RUNS):
        network(images)
    times: list[float] = []
    while len(times) < MIN_REPEATS or sum(times) < MIN_TIMING_S:
        _wait(engine.accelerator)
        start_s = time.perf_counter()
        network(images)
        _wait(engine.accelerator)
        times.append(time.perf_counter() - start_s)
    return sorted(times)[len(times) // 2]


def _peak_bytes(forward: Callable[[], object], accelerator: str) -> int:
    if accelerator == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        forward()
        return torch.cuda.max_memory_allocated() - before
    with _ResidentPeak() as peak:
        forward()
    return peak.growth_bytes


class _ResidentPeak:
    """Samples the growth of the resident memory of this process in a thread."""

    def __init__(self, every_s: float = 0.002) -> None:
        self._process = psutil.Process()
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._before = 0
        self._peak = 0

    @property
    def growth_bytes(self) -> int:
        return self._peak - self._before

    def __enter__(self) -> Self:
        self._before = self._peak = self._process.memory_info().rss
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._peak = max(self._peak, self._process.memory_info().rss)

    def _watch(self) -> None:
        while not self._ended.wait(self._every_s):
            self._peak = max(self._peak, self._process.memory_info().rss)


def _wait(accelerator: str) -> None:
    if accelerator == "cuda":
        torch.cuda.synchronize()
    elif accelerator == "mps":
        torch.mps.synchronize()
