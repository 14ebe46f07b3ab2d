"""`freeze=lora`: all weights frozen bit by bit, adapters train, a plain network is the result."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
import yaml

from frostline.backbones import adapters
from frostline.backbones.adapters import adapted_layers, add_adapters, merge_adapters
from frostline.backbones.build import build_backbone, check_freeze
from frostline.config.identity import _values
from frostline.errors import BackboneError, ConfigError, FrostlineError
from frostline.sweeps.job_record import swept_params
from frostline.sweeps.preflight import check_jobs
from frostline.training.checkpoint import load_checkpoint
from tests.contracts.scheduled import assert_equal_state, ran, settings


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))


@pytest.fixture
def peft() -> None:
    pytest.importorskip("peft", reason="in a folder of its own: make test-lora")


@pytest.mark.parametrize("name", ["test_vit", "test_maxvit", "swin_tiny_patch4_window7_224"])
@pytest.mark.usefixtures("peft")
def test_outputs_begin_as_they_are_and_merging_leaves_a_plain_network(name: str) -> None:
    size = 224 if name.startswith("swin") else 64
    backbone = build_backbone(name, weights="random", image_size=size, seed=0)
    backbone.eval()
    images = torch.randn(2, 3, size, size)
    names = list(backbone.model.state_dict())
    with torch.no_grad():
        before = backbone(images)
    layers = adapted_layers(name, backbone.model)
    add_adapters(backbone, rank=4, seed=0)
    with torch.no_grad():
        assert torch.equal(backbone(images), before)
        for path in layers:
            backbone.model.get_submodule(f"{path}.lora_B.default").weight.normal_(std=0.02)
        trained = backbone(images)
    assert not torch.allclose(trained, before, atol=1e-4)
    merge_adapters(backbone.model)
    assert list(backbone.model.state_dict()) == names
    with torch.no_grad():
        assert torch.allclose(backbone(images), trained, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "attention"),
    [
        ("test_maxvit", {"attn.qkv", "attn.proj"}),
        ("swinv2_cr_tiny_ns_224", {"attn.qkv", "attn.proj"}),
        ("xcit_nano_12_p16_224", {"attn.qkv", "attn.q", "attn.k", "attn.v", "attn.proj"}),
        ("cait_xxs24_224", {
            "attn.qkv", "attn.proj", "attn.proj_l", "attn.proj_w", "attn.q", "attn.k", "attn.v",
        }),
    ],
)  # fmt: skip
def test_a_block_called_attention_has_an_mlp_that_is_none(name: str, attention: set[str]) -> None:
    with torch.device("meta"):
        model = timm.create_model(name, num_classes=0)
    layers = adapted_layers(name, model)
    assert {".".join(path.split(".")[-2:]) for path in layers} == attention


@pytest.mark.usefixtures("peft")
def test_a_run_trains_adapters_and_head_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings("backbone=test_vit", "freeze=lora", "lora_rank=2", "epochs=2", "lr=1e-2")
    seen = ran(given, tmp_path, monkeypatch)
    built = build_backbone("test_vit", weights="random", image_size=64, seed=0)
    layers = adapted_layers("test_vit", built.model)
    assert seen.epochs[1].trains == {
        f"{layer}.lora_{matrix}.default.weight" for layer in layers for matrix in "AB"
    }
    for name, tensor in seen.epochs[1].state.items():
        assert torch.equal(tensor, seen.start[name]) != (name in seen.epochs[1].trains), name
    # 64 wide: A (2, 64) and B (192, 2) beside qkv, A (2, 64) and B (64, 2) beside proj.
    of_block = 2 * 64 + 192 * 2 + 2 * 64 + 64 * 2
    classes = 5
    assert seen.record.params["trainable_params"] == (
        len(layers) // 2 * of_block + (64 + 1) * classes
    )
    assert seen.record.tags["frostline.reuse"].startswith("reuse off: freeze=lora trains adapters")
    # To go on from, only what trains is kept; the result is whole, with the names of timm.
    kept = set(seen.last["state_dict"])
    assert all(".lora_" in name or name.startswith("head.") for name in kept)
    best = load_checkpoint(seen.work / "best.ckpt")["state_dict"]
    plain = {n.removeprefix("backbone.model."): t for n, t in best.items() if "backbone" in n}
    before = built.model.state_dict()
    assert plain.keys() == before.keys()
    moved = {name for name, tensor in plain.items() if not torch.equal(tensor, before[name])}
    assert moved == {f"{layer}.weight" for layer in layers}
    (seen.work / "config.yaml").write_text(yaml.safe_dump(given.model_dump(mode="json")))
    (seen.work / "classes.json").write_text(json.dumps({"classes": list("abcde")}))
    code = f"""
import sys
sys.modules["peft"] = None  # as where it is not installed
from frostline.inference.rebuild import rebuild_run
rebuilt = rebuild_run(None, {str(seen.work / "best.ckpt")!r})
print(sum(float(t.double().sum()) for t in rebuilt.backbone.model.state_dict().values()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) == sum(float(tensor.double().sum()) for tensor in plain.values())


@pytest.mark.usefixtures("peft")
def test_a_resumed_run_is_the_same_to_the_last_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings("backbone=test_vit", "freeze=lora", "epochs=3", "lr=1e-2", "ema=0.9")
    whole = ran(given, tmp_path / "whole", monkeypatch)
    ran(given, tmp_path / "again", monkeypatch, stop_at=1)
    rest = ran(given, tmp_path / "again", monkeypatch)
    assert sorted(rest.epochs) == [1, 2]
    for part in ("state_dict", "optimizer_states"):
        assert_equal_state(whole.last[part], rest.last[part])
    best = (load_checkpoint(each.work / "best.ckpt")["state_dict"] for each in (whole, rest))
    assert_equal_state(*best)
    assert whole.figures["test/loss"] == rest.figures["test/loss"]


class _ReadsWeights(torch.nn.Module):
    """An attention that does not call its layer, as that of BEiT."""

    def __init__(self, proj: torch.nn.Linear) -> None:
        super().__init__()
        self.proj = proj

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x, self.proj.weight, self.proj.bias)


@pytest.mark.usefixtures("peft")
def test_a_model_that_reads_the_weights_itself_is_refused() -> None:
    backbone = build_backbone("test_vit", weights="random", image_size=64, seed=0)
    attention = backbone.model.blocks[0].attn
    attention.proj = _ReadsWeights(attention.proj)
    with pytest.raises(BackboneError, match="would do nothing, as its code reads the"):
        add_adapters(backbone, rank=2, seed=0)


def test_a_cnn_has_nothing_to_adapt(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_freeze("test_vit", "lora", 64).is_adapted
    monkeypatch.setattr(adapters, "find_spec", lambda _: object())
    with pytest.raises(FrostlineError, match="test_resnet has no attention with linear layers"):
        check_jobs([settings("backbone=test_resnet", "freeze=lora")], on_progress=lambda **_: None)


def test_what_cannot_be_is_refused_before_the_first_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "find_spec", lambda _: None)
    with pytest.raises(ConfigError) as refused:
        check_jobs([settings("backbone=test_vit", "freeze=lora")], on_progress=lambda **_: None)
    assert "peft, which is not installed" in str(refused.value)
    assert "frostline[lora]" in str(refused.value)
    monkeypatch.setattr(adapters, "find_spec", lambda _: object())
    for word, part in (
        ("schedule=gradual", "no stage thaws"),
        ("optimizer.layer_decay=0.5", "adapters have one rate"),
    ):
        given = settings("backbone=test_vit", "freeze=lora", "epochs=9", word)
        with pytest.raises(ConfigError, match=part):
            check_jobs([given], on_progress=lambda **_: None)


def test_the_rank_belongs_to_adapters_only() -> None:
    assert "lora_rank" not in _values(settings("freeze=2")) | swept_params(settings("freeze=2"))
    adapted = settings("freeze=lora", "lora_rank=4")
    assert (_values(adapted)["lora_rank"], swept_params(adapted)["lora_rank"]) == (4, 4)
