"""The card itself: that it computes, in a forked process, too, and how fast it takes data."""

import time
from collections.abc import Callable
from typing import Any

from benchmarks.gpu.checks import Checks

_REPEATS, _WARM = 10, 3
# What a run cannot do without. Where only wheels of some are carried along: docs/gpu.md.
NEEDED = (
    "torch", "torchvision", "pytorch_lightning", "timm", "torchmetrics", "hydra", "omegaconf",
    "mlflow", "pydantic", "safetensors", "PIL", "rich", "scipy", "sklearn", "statsmodels", "pandas",
    "pyarrow", "plotly", "matplotlib", "psutil", "yaml", "xxhash", "jinja2", "frostline",
)  # fmt: skip


def why_unusable(device: str) -> str:
    """Why nothing can be run here, in one line; empty if it can."""
    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        return f"missing here: {', '.join(missing)} (docs/gpu.md says how to carry wheels along)"
    if device == "cpu":
        return ""
    from frostline.training.engine import cuda_works

    if cuda_works():
        return ""
    return "no CUDA card here that PyTorch can use; --device cpu --tiny tries the code without one"


def computes() -> dict[str, Any]:
    """In a forked process: whether CUDA can be used there."""
    import torch

    value = (torch.ones(3, device="cuda") * 2).sum().item()
    return {"sum": value, "name": torch.cuda.get_device_name()}


def part_card(found: Checks) -> None:
    """Versions, the engine that `auto` comes to, forked processes, copies to the card."""
    import torch

    from frostline.config.schema import TrainerSettings
    from frostline.config.versions import installed_libraries
    from frostline.sweeps import workers
    from frostline.training.engine import choose_engine, choose_kernels

    found.figure("libraries", f"{installed_libraries()}, torch {torch.__version__}")
    auto = TrainerSettings(
        accelerator="auto" if found.device == "cuda" else "cpu", precision="auto",
        strategy="single", devices=1, threads=None, workers=0, accumulate_grad_batches=1,
    )  # fmt: skip
    engine = choose_engine(auto)
    found.check("auto takes the card", engine.accelerator == found.device, numerics=engine.numerics)
    choose_kernels()
    tf32 = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    found.check("float32 is float32", tf32 == (False, False), tf32=tf32)
    if found.device != "cuda":
        return
    with found.tried("a forked process can use the card"):
        answer = workers.call(computes)
        found.check(
            "a forked process can use the card", isinstance(answer, dict) and answer["sum"] == 6.0,
            answer=str(answer)[:400],
        )  # fmt: skip
    card = torch.cuda.get_device_properties(0)
    found.figure(
        "card", {"name": card.name, "memory_gib": round(card.total_memory / 2**30, 1),
                 "capability": f"{card.major}.{card.minor}", "cuda": torch.version.cuda},
    )  # fmt: skip
    images = torch.zeros(128, 224, 224, 3, dtype=torch.uint8)
    pinned, there = images.pin_memory(), images.cuda()
    rows = torch.randperm(128, device="cuda")
    for name, work in {
        "19 MB to the card, pageable": lambda: images.to("cuda", non_blocking=True),
        "19 MB to the card, pinned": lambda: pinned.to("cuda", non_blocking=True),
        "19 MB gathered on the card": lambda: there.index_select(0, rows),
    }.items():
        found.figure(f"{name}: ms", _ms(work))


def _ms(work: Callable[[], object]) -> float:
    import torch

    for _ in range(_WARM):
        work()
    torch.cuda.synchronize()
    begun = time.perf_counter()
    for _ in range(_REPEATS):
        work()
    torch.cuda.synchronize()
    return 1e3 * (time.perf_counter() - begun) / _REPEATS
