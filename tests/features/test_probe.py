"""The probe leaves what it tried as it was, remembers, and its precisions reach both parts."""

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from src.training.engine import Engine
from src.training.probe import InPrecision, settle_precisions


class Counted(nn.Module):
    """A convolution that counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv2d(3, 4, 3)
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        out: Tensor = self.inner(images)
        return out


def settle(precision: str, prefix: nn.Module, trained: nn.Module) -> tuple[Engine, str]:
    return settle_precisions(
        Engine("cpu", precision, 1, "single"), prefix, trained, size_px=16, batch=4, about="a test"
    )


def test_only_fastest_is_tried() -> None:
    prefix = Counted()
    assert settle("32-true", prefix, nn.Identity()) == (
        Engine("cpu", "32-true", 1, "single"),
        "32-true",
    )
    assert prefix.calls == 0


def test_the_probe_changes_nothing_and_remembers(own_home: Path) -> None:
    prefix = Counted()
    trained = nn.Sequential(nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 14 * 14, 3))
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    first = settle("fastest", prefix, trained)
    assert first[0].precision in {"32-true", "bf16-mixed"}
    assert first[1] in {"32-true", "bf16-mixed"}
    for name, value in trained.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(parameter.grad is None for parameter in trained.parameters())
    calls = prefix.calls
    assert settle("fastest", prefix, trained) == first
    assert prefix.calls == calls
    (kept,) = (own_home / "home" / "probes").glob("*.json")
    content = json.loads(kept.read_text())
    for way, chosen in (("training", first[0].precision), ("forward", first[1])):
        other = {"32-true": "bf16-mixed", "bf16-mixed": "32-true"}[chosen]
        seconds = content["seconds"]
        assert seconds[f"{way} {chosen}"] <= seconds[f"{way} {other}"]


def test_a_prefix_in_bfloat16_hands_float32_to_a_training_in_float32() -> None:
    prefix, images = nn.Conv2d(3, 4, 3), torch.randn(2, 3, 8, 8)
    low = InPrecision(prefix, "cpu", "bf16-mixed", "32-true")(images)
    assert low.dtype == torch.float32
    assert torch.equal(low, low.bfloat16().float())
    assert not torch.equal(low, prefix(images))
    assert InPrecision(prefix, "cpu", "bf16-mixed", "bf16-mixed")(images).dtype == torch.bfloat16
    # Inside a training in bfloat16 a prefix in float32 stays one.
    with torch.autocast("cpu", torch.bfloat16):
        full = InPrecision(prefix, "cpu", "32-true", "bf16-mixed")(images)
    assert torch.equal(full, prefix(images))
