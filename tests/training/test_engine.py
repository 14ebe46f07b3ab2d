"""How a process computes: the device, the precision, the kernels.

`FakeCard` stands in for a CUDA card: it replaces the functions of torch.cuda that the choice asks.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment

from frostline.config.schema import TrainerSettings
from frostline.errors import ConfigError
from frostline.tracking.provenance import read_machine
from frostline.training.engine import (
    Engine,
    choose_engine,
    choose_kernels,
    cuda_works,
    numerics_of,
    syncs_norms,
    take_card,
)
from frostline.training.trainer import build_trainer


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = torch.are_deterministic_algorithms_enabled()
    fills = torch.utils.deterministic.fill_uninitialized_memory
    tf32 = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    cuda_works.cache_clear()
    yield
    cuda_works.cache_clear()
    torch.use_deterministic_algorithms(before)
    torch.utils.deterministic.fill_uninitialized_memory = fills
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = tf32


class FakeCard:
    """A CUDA card as torch.cuda describes it.

    Args:
        bf16: Whether it has bfloat16 in hardware, or only by emulation.
        error: What its first kernel raises; None for a card that works.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, bf16: bool, error: str | None) -> None:
        ones = torch.ones

        def first_kernel(*size: int, device: str = "cpu", **other: Any) -> torch.Tensor:
            if device == "cuda" and error is not None:
                raise RuntimeError(error)
            return ones(*size, **other)

        def name(index: int = 0) -> str:
            if error is not None:
                raise RuntimeError(error)
            return "Fake Card"

        monkeypatch.setattr(torch, "ones", first_kernel)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "get_device_name", name)
        monkeypatch.setattr(
            torch.cuda,
            "is_bf16_supported",
            lambda including_emulation=True: bf16 or including_emulation,
        )


def spec(**values: Any) -> TrainerSettings:
    usual: dict[str, Any] = {
        "accelerator": "auto",
        "precision": "auto",
        "strategy": "single",
        "devices": 1,
        "threads": None,
        "workers": 0,
        "accumulate_grad_batches": 1,
    }
    return TrainerSettings(**usual | values)


def test_kernels_repeat_their_numbers_and_no_memory_is_filled_beforehand() -> None:
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    assert torch.empty(1000).isnan().all()
    choose_kernels()
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory is False
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_float32_is_float32_in_convolutions_and_in_matrix_products() -> None:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    choose_kernels()
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.skipif(torch.cuda.is_available(), reason="auto is the CPU only without a card")
def test_auto_without_a_card_is_the_cpu_in_float32() -> None:
    assert numerics_of(spec()) == numerics_of(spec(accelerator="cpu", precision="32-true"))
    assert numerics_of(spec()) == "cpu 32-true"
    assert numerics_of(spec(precision="fastest")) == "cpu fastest"


@pytest.mark.parametrize(("bf16", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
def test_a_card_is_used_and_emulated_bfloat16_is_not(
    monkeypatch: pytest.MonkeyPatch, bf16: bool, precision: str
) -> None:
    FakeCard(monkeypatch, bf16=bf16, error=None)
    engine = choose_engine(spec())
    assert (engine.accelerator, engine.precision) == ("cuda", precision)
    assert numerics_of(spec()) == f"cuda {precision}, TF32 off, deterministic where possible"
    assert numerics_of(spec()) != numerics_of(spec(accelerator="cpu"))


def test_a_card_that_pytorch_cannot_use_is_named_and_the_cpu_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    FakeCard(monkeypatch, bf16=True, error="The NVIDIA driver on your system is too old\nmore")
    with caplog.at_level(logging.WARNING):
        engine = choose_engine(spec())
    assert (engine.accelerator, engine.precision) == ("cpu", "32-true")
    assert "the CPU is used: The NVIDIA driver on your system is too old" in caplog.text
    assert read_machine()["gpus"] == ""
    with pytest.raises(ConfigError, match="cuda: this machine has none that PyTorch can use"):
        choose_engine(spec(accelerator="cuda"))


def test_each_process_of_a_run_computes_on_its_own_card(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeCard(monkeypatch, bf16=True, error=None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    taken: list[int] = []
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    two = spec(strategy="ddp", devices=2)
    take_card(two, 1)
    take_card(spec(accelerator="cpu", strategy="ddp", devices=2), 1)
    assert taken == [1]
    assert syncs_norms(choose_engine(two))
    assert not syncs_norms(choose_engine(spec(strategy="ddp")))
    assert not syncs_norms(choose_engine(spec(accelerator="cpu", strategy="ddp", devices=2)))
    with pytest.raises(ConfigError, match=r"devices=3: this machine has 2 CUDA cards .*\n.*1 to 2"):
        take_card(spec(strategy="ddp", devices=3), 2)


def test_lightning_never_converts_batch_norms(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The Trainer is faked: with a card it would ask for one."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(pl, "Trainer", lambda **values: given.update(values))
    engine = Engine("cuda", "bf16-mixed", 2, "ddp")
    build_trainer(engine, epochs=1, accumulate=1, callbacks=[], folder=str(tmp_path))
    assert given["sync_batchnorm"] is False


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a card")
def test_a_named_device_that_only_the_machine_of_the_job_has_stays_as_typed() -> None:
    there = "cuda bf16-mixed, TF32 off, deterministic where possible"
    assert numerics_of(spec(accelerator="cuda", precision="bf16-mixed")) == there


@pytest.mark.parametrize(
    "left_over",
    [
        {"SLURM_JOB_ID": "41", "SLURM_JOB_NAME": "sweep", "SLURM_NTASKS": "4"},
        {"SLURM_JOB_ID": "41", "SLURM_JOB_NAME": "bash", "SLURM_NTASKS": "2"},
        {"TORCHELASTIC_RUN_ID": "x", "RANK": "0", "WORLD_SIZE": "4", "LOCAL_RANK": "0"},
        {"KUBERNETES_PORT": "x", "MASTER_ADDR": "x", "MASTER_PORT": "1"}
        | {"WORLD_SIZE": "2", "RANK": "0"},
        {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0", "PBS_NODEFILE": "/none"},
    ],
    ids=["slurm", "slurm interactive", "torchrun", "kubeflow", "mpi"],
)  # fmt: skip
def test_what_a_batch_system_left_in_the_environment_starts_no_processes(
    left_over: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in left_over.items():
        monkeypatch.setenv(key, value)
    engine = choose_engine(spec(accelerator="cpu"))
    trainer = build_trainer(engine, epochs=1, accumulate=1, callbacks=[], folder=str(tmp_path))
    environment = trainer._accelerator_connector.cluster_environment
    assert type(environment) is LightningEnvironment
    assert (trainer.world_size, trainer.global_rank, trainer.is_global_zero) == (1, 0, True)
