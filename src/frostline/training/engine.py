"""Where a run computes, in which precision, and with which kernels."""

import logging
import os
from dataclasses import dataclass
from functools import cache

import torch

from frostline.config.schema import TrainerSettings
from frostline.errors import ConfigError
from frostline.training.allocator import keep_freed_memory

_log = logging.getLogger(__name__)

# Said of a run on CUDA whose kernels all repeat their numbers: see `training.kernel_trial`.
STRICT = ", strict kernels"


@dataclass(frozen=True)
class Engine:
    """The chosen device and precision.

    Attributes:
        accelerator: `cpu`, `cuda` or `mps`.
        precision: Lightning's word for it, or `fastest` until the precision probe has measured.
        devices: How many.
        strategy: `single`, or `ddp` for one run on several processes.
        strict: Whether every kernel repeats its numbers, attention's backward pass among them, and
            one that cannot is an error: see `frostline.training.kernel_trial`.
    """

    accelerator: str
    precision: str
    devices: int
    strategy: str
    strict: bool = False

    @property
    def numerics(self) -> str:
        """What decides how it rounds, as part of what a run is recognised by: `cpu 32-true`.

        On CUDA with the kernels that `choose_kernels` sets.
        """
        kernels = ", TF32 off, deterministic where possible" if self.accelerator == "cuda" else ""
        return f"{self.accelerator} {self.precision}{kernels}"


def choose_engine(spec: TrainerSettings) -> Engine:
    """Pick CUDA, else MPS, else the CPU; bfloat16 where a CUDA card has it.

    Raises:
        ConfigError: If an accelerator was asked for by name that this machine lacks.
    """
    present = {"cpu": True, "cuda": cuda_works(), "mps": _has_mps()}
    accelerator = spec.accelerator
    if accelerator == "auto":
        accelerator = "cuda" if present["cuda"] else "mps" if present["mps"] else "cpu"
    if not present[accelerator]:
        here = ", ".join(name for name, there in present.items() if there)
        raise ConfigError(
            f"trainer.accelerator={accelerator}: this machine has none that PyTorch can use",
            f"here: {here}, auto",
        )
    precision = spec.precision
    if precision == "auto":
        # Older cards compute bfloat16 by emulation, slower than float32.
        bf16 = accelerator == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        precision = "bf16-mixed" if bf16 else "32-true"
    return Engine(accelerator, precision, spec.devices, spec.strategy)


def numerics_of(spec: TrainerSettings) -> str:
    """What a trainer's `auto` comes to on this machine: see `Engine.numerics`.

    An accelerator that was named, but that only the machine of the job has, stays as it was typed.
    """
    try:
        return choose_engine(spec).numerics
    except ConfigError:
        return Engine(spec.accelerator, spec.precision, spec.devices, spec.strategy).numerics


@cache
def cuda_works() -> bool:
    """Whether there is a CUDA card that computes.

    With Lightning, `torch.cuda.is_available` only says that a card exists. With a driver older than
    PyTorch needs, or a card for which it has no kernels any more, the first kernel raises.
    """
    if not torch.cuda.is_available():
        return False
    try:
        total = torch.ones(8, device="cuda").sum().item()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        _log.warning("there is a CUDA card that PyTorch cannot use, so the CPU is used: %s", reason)
        return False
    return bool(total == 8)


def syncs_norms(engine: Engine) -> bool:
    """Whether a run normalises over several cards; processes on CPUs have no such layer."""
    return engine.accelerator == "cuda" and engine.strategy == "ddp" and engine.devices > 1


def take_card(spec: TrainerSettings, number: int) -> None:
    """Let this process of a run on several compute on its own card, and on no other.

    Until Lightning does so, `cuda` is the first card: all processes would fill the store there.

    Args:
        spec: Of the run.
        number: Of the process, from 0.

    Raises:
        ConfigError: If the machine has fewer cards than the run wants.
    """
    if choose_engine(spec).accelerator != "cuda":
        return
    check_cards(spec)
    torch.cuda.set_device(number)


def check_cards(spec: TrainerSettings) -> None:
    """Check that there is a card for each process of a run on CUDA.

    Raises:
        ConfigError: If there are fewer.
    """
    if choose_engine(spec).accelerator == "cuda" and spec.devices > torch.cuda.device_count():
        present = torch.cuda.device_count()
        raise ConfigError(
            f"trainer.devices={spec.devices}: this machine has {present} CUDA "
            f"card{'s' * (present > 1)} that may be used",
            f"1 to {present}",
        )


def prepare_process(threads: int | None) -> None:
    """Set up a process before its first computation: kernels, CPU threads, memory between steps.

    Args:
        threads: How many; None leaves PyTorch's choice, one for each core.
    """
    keep_freed_memory()
    choose_kernels()
    if threads is not None:
        torch.set_num_threads(threads)
        os.environ["OMP_NUM_THREADS"] = str(threads)


def choose_kernels(*, strict: bool = False) -> None:
    """Compute with kernels that give the same numbers each time, wherever there are any.

    CUDA has none for some poolings, which is a warning, and an error if `strict`
    (https://github.com/pytorch/pytorch/issues/50198). For attention there are some, which PyTorch
    takes only if `strict`: `frostline.training.kernel_trial` finds out where that can be. In this
    mode PyTorch writes NaN over all memory that it is about to fill, to show who reads it too
    early; in training on the CPU that costs as much as some layers do, and no kernel of ours
    depends on it.

    `32-true` means float32 on CUDA too: by default PyTorch rounds the inputs of convolutions to
    TF32 (10 bits of mantissa), those of matrix products not. `Engine.numerics` names this choice.

    Source: torch.utils.deterministic.fill_uninitialized_memory;
    https://docs.pytorch.org/docs/stable/notes/cuda.html#tensorfloat-32-tf32-on-ampere-and-later-devices
    """
    torch.use_deterministic_algorithms(True, warn_only=not strict)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # cuBLAS reads it when it is loaded; other sizes of its workspace do not repeat their numbers.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def _has_mps() -> bool:
    return bool(torch.backends.mps.is_available())
