"""The probe leaves what it tried as it was, remembers, and what it found reaches both parts."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from frostline.backbones.compute_mode import (
    ComputeMode,
    InComputeMode,
    Layout,
    in_layout,
    parse_compute_mode,
)
from frostline.features.feature_datamodule import StoredInputs
from frostline.training import precision_probe
from frostline.training.engine import Engine
from frostline.training.precision_probe import TRIED, FastestModes, choose_modes, fastest_modes


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


def settle(
    precision: str, prefix: nn.Module, trained: nn.Module
) -> tuple[Engine, ComputeMode, ComputeMode]:
    return choose_modes(
        Engine("cpu", precision, 1, "single"),
        prefix,
        trained,
        shape=(3, 16, 16),
        batch=4,
        about="a test",
    )


def test_only_fastest_is_tried() -> None:
    prefix = Counted()
    usual = ComputeMode("32-true", "channels_last")
    assert settle("32-true", prefix, nn.Identity()) == (
        Engine("cpu", "32-true", 1, "single"),
        usual,
        usual,
    )
    assert prefix.calls == 0


def test_the_probe_changes_nothing_and_remembers(own_home: Path) -> None:
    prefix = Counted()
    trained = nn.Sequential(nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 14 * 14, 3))
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    first = engine, forward, training = settle("fastest", prefix, trained)
    assert engine.precision == training.precision
    for name, value in trained.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(parameter.grad is None for parameter in trained.parameters())
    calls = prefix.calls
    assert settle("fastest", prefix, trained) == first
    assert prefix.calls == calls
    (kept,) = (own_home / "home" / "probes").glob("*.json")
    seconds = json.loads(kept.read_text())["seconds"]
    assert len(seconds) == 8
    for direction, chosen in (("training", training), ("forward", forward)):
        for way in TRIED:
            assert seconds[f"{direction} {chosen}"] <= seconds[f"{direction} {way}"]


def test_findings_of_an_older_kind_are_measured_again(own_home: Path) -> None:
    prefix, trained = Counted(), nn.Sequential(nn.Flatten(), nn.Linear(4 * 14 * 14, 3))
    settle("fastest", prefix, trained)
    (kept,) = (own_home / "home" / "probes").glob("*.json")
    kept.write_text(json.dumps({"forward": "8-bit", "training": "32-true", "seconds": {}}))
    calls = prefix.calls
    _, *found = settle("fastest", prefix, trained)
    assert set(found) <= set(TRIED)
    assert prefix.calls > calls
    assert len(json.loads(kept.read_text())["seconds"]) == 8


def test_where_nothing_is_frozen_images_come_as_training_wants_them() -> None:
    trained = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 14 * 14, 3))
    _, forward, training = settle("fastest", nn.Identity(), trained)
    assert forward == training


@pytest.mark.parametrize("way", TRIED)
def test_a_way_is_written_and_read(way: ComputeMode) -> None:
    assert parse_compute_mode(str(way)) == way


def test_other_words_are_no_way() -> None:
    with pytest.raises(ValueError, match="sideways"):
        parse_compute_mode("32-true sideways")


class Noting(nn.Module):
    """Notes how its input lies in memory, and hands it on as it is."""

    def forward(self, images: Tensor) -> Tensor:
        self.seen = layout_of(images)
        return images


def layout_of(tensor: Tensor) -> str:
    last = tensor.is_contiguous(memory_format=torch.channels_last)
    return "channels_last" if last else "contiguous"


@pytest.mark.parametrize("frozen", ["channels_last", "contiguous"])
@pytest.mark.parametrize("trained", ["channels_last", "contiguous"])
def test_each_part_gets_its_layout_and_the_same_values(frozen: Layout, trained: Layout) -> None:
    images = torch.randn(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    prefix = Noting()
    forward, training = ComputeMode("32-true", frozen), ComputeMode("32-true", trained)
    handed = InComputeMode(prefix, "cpu", forward, training)(images)
    assert prefix.seen == frozen
    assert layout_of(handed) == trained
    assert torch.equal(handed, images)
    views = torch.zeros(2, dtype=torch.int64)
    stored = StoredInputs(forward, training)(
        in_layout(images, frozen), views, training=True, epoch=0, batch_idx=0
    )
    assert layout_of(stored) == trained
    assert torch.equal(stored, images)


def test_tokens_and_features_have_no_layout() -> None:
    tokens = torch.randn(2, 5, 8)
    assert in_layout(tokens, "contiguous") is tokens


def test_a_prefix_in_bfloat16_hands_float32_to_a_training_in_float32() -> None:
    prefix, images = nn.Conv2d(3, 4, 3), torch.randn(2, 3, 8, 8)
    images = in_layout(images, "channels_last")
    full, half = ComputeMode("32-true"), ComputeMode("bf16-mixed")
    low = InComputeMode(prefix, "cpu", half, full)(images)
    assert low.dtype == torch.float32
    assert torch.equal(low, low.bfloat16().float())
    assert not torch.equal(low, prefix(images))
    assert InComputeMode(prefix, "cpu", half, half)(images).dtype == torch.bfloat16
    # Inside a training in bfloat16 a prefix in float32 stays one.
    with torch.autocast("cpu", torch.bfloat16):
        high = InComputeMode(prefix, "cpu", full, half)(images)
    assert torch.equal(high, prefix(images))


def test_a_probe_of_another_card_is_another_probe(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of the card is faked, and what is measured on it."""
    monkeypatch.setattr(nn.Module, "to", lambda self, *_: self)
    usual = ComputeMode("32-true")
    measured = []

    def measure(*_: object) -> FastestModes:
        measured.append(torch.cuda.get_device_name())
        return FastestModes(usual, usual, {})

    monkeypatch.setattr(precision_probe, "_measure", measure)
    for name in ("Card A", "Card B", "Card A"):
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda name=name: name)
        fastest_modes(
            nn.Identity(), nn.Identity(), torch.zeros(1, 3, 8, 8), accelerator="cuda",
            about="a test", folder=own_home / "probes",
        )  # fmt: skip
    assert measured == ["Card A", "Card B"]
