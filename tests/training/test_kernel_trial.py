"""Strict kernels where a network has them, and the recorded fallback where it has not.

On a CPU: `put_` is an operation without a kernel that repeats its numbers there, too.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from frostline.backbones.compute_mode import ComputeMode
from frostline.training import precision_probe
from frostline.training.engine import Engine, choose_kernels
from frostline.training.kernel_trial import trains_strictly
from frostline.training.phase import engine_text
from frostline.training.trainer import build_trainer

CPU = Engine("cpu", "32-true", 1, "single")


class Puts(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        place = torch.zeros(1, dtype=torch.int64)
        return features.clone().put_(place, torch.zeros(1))


class Net(nn.Module):
    def __init__(self, *more: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), *more,
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.layers(images)
        return outputs


@pytest.fixture(autouse=True)
def _kernels_as_before() -> Iterator[None]:
    enabled = torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    yield
    torch.use_deterministic_algorithms(enabled, warn_only=warned)


def tried(net: nn.Module) -> bool:
    return trains_strictly(
        nn.Identity(), net, shape=(3, 8, 8), accelerator="cpu", precision="32-true", about="net"
    )


def test_a_trial_leaves_everything_as_it_was() -> None:
    net = Net().eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    choose_kernels()
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    assert tried(net)
    assert torch.equal(torch.rand(2), wanted)
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert not any(module.training for module in net.modules())
    assert all(parameter.grad is None for parameter in net.parameters())
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_what_has_no_such_kernel_is_named(caplog: pytest.LogCaptureFixture) -> None:
    assert not tried(Net(Puts()))
    assert "net: not every number will repeat to the last bit: put_" in caplog.text


def test_another_error_is_no_answer() -> None:
    with pytest.raises(RuntimeError, match=r"shape|mat1"):
        tried(nn.Sequential(nn.Flatten(), nn.Linear(7, 2)))


@pytest.mark.parametrize(("strict", "own"), [(True, False), (False, False), (False, True)])
def test_only_cuda_is_tried_and_the_answer_is_in_force_and_recorded(
    monkeypatch: pytest.MonkeyPatch, strict: bool, own: bool
) -> None:
    """The trial itself is faked, since there is no card; the user's own code is never tried."""
    monkeypatch.setattr(precision_probe, "trains_strictly", lambda *_, **__: strict or own)
    monkeypatch.setattr(nn.Module, "to", lambda self, *_: self)
    given = replace(CPU, accelerator="cuda", precision="bf16-mixed")
    for engine, expected in ((CPU, False), (given, strict)):
        choose_kernels()
        found, forward, training = precision_probe.choose_modes(
            engine, nn.Identity(), Net(), shape=(3, 8, 8), batch=2, about="net", own_parts=own
        )
        assert found.strict is expected
        assert torch.is_deterministic_algorithms_warn_only_enabled() is not expected
        text = engine_text(found, forward=forward, training=training)
        assert text.endswith(", strict kernels") is expected
    assert engine_text(CPU, forward=ComputeMode("32-true"), training=ComputeMode("32-true")) == (
        "cpu 32-true, frozen stages 32-true"
    )


@pytest.mark.parametrize("strict", [True, False])
def test_the_trainer_keeps_the_kernels(strict: bool, tmp_path: object) -> None:
    build_trainer(
        replace(CPU, strict=strict), epochs=1, accumulate=1, callbacks=[], folder=str(tmp_path)
    )
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled() is not strict
    assert not torch.backends.cudnn.benchmark
