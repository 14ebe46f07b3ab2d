"""What one process of a sweep computed is read by the others, and is the same."""

import os
from pathlib import Path

import pytest
import torch

from frostline.backbones import build
from frostline.backbones.backbone import Backbone
from frostline.backbones.build import build_backbone
from frostline.backbones.shared_cache import cached, shared_cache
from frostline.backbones.split import stage_cuts
from frostline.backbones.split.cut import Cut, cut


def never() -> str:
    raise AssertionError("computed again")


def test_a_value_is_computed_once_while_the_cache_is_shared() -> None:
    with shared_cache():
        assert cached("a", lambda: "first") == "first"
        assert cached("a", never) == "first"
        assert cached("b", lambda: "other") == "other"
    assert cached("a", lambda: "anew") == "anew"


def test_the_cache_is_deleted_at_the_end() -> None:
    before = dict(os.environ)
    with shared_cache():
        (name,) = set(os.environ) - set(before)
        folder = Path(os.environ[name])
        cached("a", lambda: 1)
        assert folder.stat().st_mode & 0o077 == 0
        assert [file.name for file in folder.iterdir()]
    assert not folder.exists()
    assert dict(os.environ) == before


def test_what_cannot_be_pickled_is_returned_all_the_same() -> None:
    with shared_cache():
        assert cached("function", lambda: lambda: 7)() == 7
        assert cached("function", lambda: lambda: 8)() == 8


def test_an_error_is_not_cached() -> None:
    with shared_cache():
        with pytest.raises(ValueError, match="too small"):
            cached("a", lambda: int("too small"))
        assert cached("a", lambda: "then") == "then"


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit", "test_convnext", "test_resnet"])
def test_a_cut_from_the_cache_is_the_cut(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def built() -> Backbone:
        return build_backbone(name, weights="random", image_size=None, seed=0)

    def cut_at(freeze: int | str) -> Cut:
        backbone = built()
        return cut(backbone, backbone.depth(freeze), pool="avg")

    depths = [*range(1, len(built().stages)), "all"]
    images = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    computed = {depth: cut_at(depth) for depth in depths}
    with shared_cache():
        first = cut_at(1)
        with monkeypatch.context() as patched:
            patched.setattr(build, "record_timeline", never)
            patched.setattr(stage_cuts, "CutFinder", never)
            for depth in depths:
                backbone = built()
                parts = cut(backbone, backbone.depth(depth), pool="avg")
                wanted = computed[depth]
                assert parts.exact, parts.reason
                assert parts.depth.frozen_params == wanted.depth.frozen_params
                assert parts.depth.frozen_flops_frac == wanted.depth.frozen_flops_frac
                for each in (backbone, parts.prefix, parts.suffix, wanted.prefix, wanted.suffix):
                    each.eval()
                given = parts.prefix(images)
                assert torch.equal(given, wanted.prefix(images))
                assert torch.equal(parts.suffix(given), wanted.suffix(given))
    assert first.exact
