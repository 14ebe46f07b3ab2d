"""A backbone that a process has built before is copied for its next job, and stays untouched."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from frostline.backbones import pristine
from frostline.backbones.backbone import Backbone
from frostline.backbones.build import build_backbone
from frostline.backbones.pristine import backbone_of_job
from frostline.backbones.split import cut as cut_module
from frostline.backbones.split.cut import cut
from frostline.backbones.state_digest import digest_of


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    pristine._kept.clear()


def ours(seed: int = 0, weights: str = "random", name: str = "test_resnet") -> Backbone:
    return backbone_of_job(name, weights=weights, image_size=64, seed=seed)


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_vit", "book_cnn"])
def test_a_copy_is_what_is_built_and_training_it_changes_no_other(name: str) -> None:
    built = build_backbone(name, weights="random", image_size=64, seed=3)
    first = ours(3, name=name)
    with torch.no_grad():
        for tensor in (*first.model.parameters(), *first.model.buffers()):
            tensor += 1
    for parameter in first.model.parameters():
        parameter.requires_grad_(False)
    second = ours(3, name=name)
    assert second.model is not first.model
    assert digest_of(second.model) == digest_of(built.model) == second.weights.digest
    assert digest_of(first.model) != digest_of(built.model)
    assert all(each.requires_grad for each in second.model.parameters())
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(second.eval()(images), built.eval()(images))


def test_another_seed_or_other_bytes_of_a_file_are_built_anew(tmp_path: Path) -> None:
    assert digest_of(ours(0).model) != digest_of(ours(1).model)
    state = build_backbone(
        "test_resnet", weights="random", image_size=64, seed=5
    ).model.state_dict()
    file = tmp_path / "own.safetensors"
    save_file(state, file)
    before = ours(0, str(file))
    assert before.weights.digest == ours(0, str(file)).weights.digest
    stat = file.stat()
    save_file({key: value + value.new_ones(()) for key, value in state.items()}, file)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after = ours(0, str(file))
    assert after.weights.digest != before.weights.digest
    assert digest_of(after.model) == after.weights.digest


def test_seeds_share_a_backbone_all_of_which_is_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.safetensors"
    save_file(
        build_backbone("test_resnet", weights="random", image_size=64, seed=5).model.state_dict(),
        file,
    )
    built: list[int] = []

    def counted(*args: Any, seed: int, **kwargs: Any) -> Backbone:
        built.append(seed)
        return build_backbone(*args, seed=seed, **kwargs)

    monkeypatch.setattr(pristine, "build_backbone", counted)
    copies = [ours(seed, str(file)) for seed in (0, 1, 0)]
    assert built == [0]
    anew = build_backbone("test_resnet", weights=str(file), image_size=64, seed=1)
    assert {digest_of(each.model) for each in copies} == {digest_of(anew.model)}
    assert copies[1].model is not copies[0].model


def test_seeds_do_not_share_what_may_be_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A buffer that no file holds could be drawn; so could all that a part of a file leaves out."""
    built = build_backbone("test_resnet", weights="random", image_size=64, seed=5)
    file, part = tmp_path / "own.safetensors", tmp_path / "part.safetensors"
    state = built.model.state_dict()
    save_file(state, file)
    del state["layer1.0.conv1.weight"]
    save_file(state, part)

    def with_noise(*args: Any, **kwargs: Any) -> Backbone:
        backbone = build_backbone(*args, **kwargs)
        noise = torch.full((1,), float(kwargs["seed"]))
        backbone.model.register_buffer("noise", noise, persistent=False)
        return backbone

    options = {"image_size": 64, "weights_partial": True}
    partial = [
        backbone_of_job("test_resnet", weights=str(part), seed=seed, **options) for seed in (0, 1)
    ]
    assert len({digest_of(each.model) for each in partial}) == 2
    monkeypatch.setattr(pristine, "build_backbone", with_noise)
    pristine._kept.clear()
    assert [float(ours(seed, str(file)).model.noise) for seed in (0, 1)] == [0.0, 1.0]


def test_cuts_are_proven_once_and_frozen_tensors_digested_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []
    verify, digest = cut_module.verify_cut, digest_of
    monkeypatch.setattr(
        cut_module, "verify_cut", lambda *a, **k: (calls.append("proof"), verify(*a, **k))[1]
    )
    monkeypatch.setattr(
        "frostline.backbones.backbone.digest_of", lambda *a: (calls.append("digest"), digest(*a))[1]
    )
    digests = set()
    for freeze in (2, 2, 3):
        backbone = ours(0)
        parts = cut(backbone, backbone.depth(freeze), pool="avg", as_built=backbone.as_built)
        assert parts.exact
        digests.add(backbone.digest_as_built(parts.frozen_modules))
        assert backbone.digest_as_built(parts.frozen_modules) == digest_of(parts.frozen_modules)
        images = torch.randn(2, 3, 64, 64)
        backbone.eval()
        assert torch.equal(parts.suffix(parts.prefix(images)), backbone(images))
    assert len(digests) == 2
    assert calls == ["proof", "digest"] * 2
    # Later phases cut weights that have trained: they are proven as they are then.
    cut(backbone, backbone.depth(2), pool="avg")
    assert calls[-1] == "proof"


def test_a_model_that_cannot_be_copied_is_built_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise TypeError("cannot copy")

    monkeypatch.setattr(pristine, "_copy", refuse)
    assert digest_of(ours(0).model) == digest_of(ours(0).model)
    assert pristine._kept == []
