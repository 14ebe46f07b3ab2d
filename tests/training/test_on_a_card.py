"""What is computed on a card stays there, and nobody waits for it within an epoch (a fake card)."""

from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException

from frostline.backbones.spec import InputSpec
from frostline.config.recipe import CrossEntropy
from frostline.data.image_datamodule import Batch
from frostline.data.transforms import BatchTransform
from frostline.training.head import build_head
from frostline.training.head_training import on_device, training_step
from frostline.training.loss import build_loss
from frostline.training.optim import build_optimizer
from frostline.training.stacked_heads import StackedHeads, StackedOptimizer
from frostline.training.step_overhead import LowOverheadModule
from tests import optimizers
from tests.training.fake_card import fake_card

B, WIDTH, CLASSES = 6, 12, 4
PLAIN = CrossEntropy(name="cross_entropy", label_smoothing=0.0, class_weights=1.0)
SPEC = InputSpec(32, (0.5,) * 3, (0.25,) * 3, "bicubic", 0.9, "center", False)


def batch() -> Batch:
    zeros = torch.zeros(B, dtype=torch.int64)
    return Batch(torch.zeros(B, WIDTH), zeros, zeros, zeros)


def test_the_fake_card_notices_two_devices_and_waits() -> None:
    with fake_card():
        there = torch.ones(3, device="cuda")
        with pytest.raises(RuntimeError, match="same device"):
            there + torch.ones(3)
        with pytest.raises(DataDependentOutputException):
            there.sum().item()


@pytest.mark.parametrize(
    "shape",
    [{}, {"hidden": 8, "dropout": 0.5, "batch_norm": True}],
    ids=["linear", "mlp"],
)
def test_heads_train_together_on_a_card(shape: dict[str, Any]) -> None:
    """With AdamW: PyTorch's fused SGD has no form for fake tensors."""
    values = {"hidden": None, "dropout": 0.0, "batch_norm": False} | shape
    with fake_card():
        heads = StackedHeads(
            [build_head(WIDTH, CLASSES, seed=seed, **values) for seed in range(3)], "cuda"
        )
        steps = StackedOptimizer(heads, [optimizers.adamw()] * 3)
        moved = on_device(batch(), "cuda")
        weights = torch.ones(CLASSES, device="cuda")
        for _ in range(2):
            logits = heads.logits(moved.inputs, training=True)
            total = training_step(logits, moved.labels, PLAIN, weights, steps, [1e-3, 1e-2, 1e-1])
            assert (total.device.type, total.shape) == ("cuda", (3,))
        assert all(value.device.type == "cpu" for value in heads.head_state(1).values())


def test_class_weights_are_moved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_card():
        weights = torch.ones(CLASSES)
        loss = build_loss(PLAIN, weights)
        moved: list[torch.device] = []
        real = torch.Tensor.to

        def to(self: torch.Tensor, *args: Any, **named: Any) -> torch.Tensor:
            if self is weights:
                moved.append(args[0])
            return real(self, *args, **named)

        monkeypatch.setattr(torch.Tensor, "to", to)
        logits = torch.zeros(B, CLASSES, device="cuda")
        labels = torch.zeros(B, dtype=torch.int64, device="cuda")
        for _ in range(3):
            assert loss(logits, labels).device.type == "cuda"
    assert [device.type for device in moved] == ["cuda"]


@pytest.mark.parametrize("augment", ["none", "flip", "dihedral"])
def test_augmentation_waits_for_nothing(augment: str) -> None:
    with fake_card():
        transform = BatchTransform(SPEC, augment=augment, seed=0).to("cuda")
        images = torch.zeros(B, 3, 32, 32, dtype=torch.uint8, device="cuda")
        views = torch.zeros(B, dtype=torch.int64, device="cuda")
        for training in (True, False):
            made = transform(images, views, training=training, epoch=0, batch_idx=0)
            assert (made.device.type, made.shape) == ("cuda", (B, 3, 32, 32))


def test_one_kernel_updates_a_group_on_a_card_and_elsewhere_as_before() -> None:
    here = build_optimizer(optimizers.adamw(), nn.Linear(3, 2).parameters(), 1e-3)
    assert here.defaults["fused"] is None
    with fake_card():
        layer = nn.Linear(3, 2, device="cuda")
        there = build_optimizer(optimizers.adamw(), layer.parameters(), 1e-3)
    assert there.defaults["fused"] is True


def test_a_fused_optimizer_goes_on_to_the_last_bit_from_what_was_saved(tmp_path: Any) -> None:
    """On the CPU, which has the same fused kernels' bookkeeping; `make gpu` asks a card."""
    inputs = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))

    def made() -> tuple[nn.Linear, torch.optim.Optimizer]:
        torch.manual_seed(0)
        layer = nn.Linear(5, 3)
        return layer, torch.optim.AdamW(layer.parameters(), lr=1e-2, fused=True)

    def step(layer: nn.Linear, optimizer: torch.optim.Optimizer) -> None:
        layer(inputs).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    whole, steps = made()
    for _ in range(6):
        step(whole, steps)
    first, steps = made()
    for _ in range(3):
        step(first, steps)
    torch.save([first.state_dict(), steps.state_dict()], tmp_path / "saved.pt")
    weights, state = torch.load(tmp_path / "saved.pt", weights_only=True)
    second, steps = made()
    second.load_state_dict(weights)
    steps.load_state_dict(state)
    for _ in range(3):
        step(second, steps)
    assert torch.equal(second.weight, whole.weight)


@pytest.mark.parametrize(("device", "at_once"), [("cuda", True), ("mps", False)])
def test_only_cuda_copies_without_waiting(device: str, at_once: bool) -> None:
    asked = []

    class FakeTensor:
        def to(self, device: torch.device, *, non_blocking: bool) -> None:
            asked.append((device.type, non_blocking))

    moved: Any = Batch(*[FakeTensor()] * 4)  # type: ignore[list-item]
    LowOverheadModule().transfer_batch_to_device(moved, torch.device(device), 0)
    assert asked == [(device, at_once)] * 4
