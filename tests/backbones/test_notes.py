"""What a sweep found out once is found again by its other processes, and is the same."""

import os
from pathlib import Path

import pytest
import torch

from frostline.backbones import build
from frostline.backbones.split import cut
from frostline.backbones.build import Backbone, build_backbone
from frostline.backbones.split.cut_notes import noted, shared_notes


def never() -> str:
    raise AssertionError("asked again")


def test_a_question_is_answered_once_while_notes_are_shared() -> None:
    with shared_notes():
        assert noted("a", lambda: "first") == "first"
        assert noted("a", never) == "first"
        assert noted("b", lambda: "other") == "other"
    assert noted("a", lambda: "anew") == "anew"


def test_notes_leave_nothing_behind() -> None:
    before = dict(os.environ)
    with shared_notes():
        (name,) = set(os.environ) - set(before)
        folder = Path(os.environ[name])
        noted("a", lambda: 1)
        assert folder.stat().st_mode & 0o077 == 0
        assert [file.name for file in folder.iterdir()]
    assert not folder.exists()
    assert dict(os.environ) == before


def test_what_cannot_be_kept_is_answered_all_the_same() -> None:
    with shared_notes():
        assert noted("function", lambda: lambda: 7)() == 7
        assert noted("function", lambda: lambda: 8)() == 8


def test_an_error_is_not_noted() -> None:
    with shared_notes():
        with pytest.raises(ValueError, match="too small"):
            noted("a", lambda: int("too small"))
        assert noted("a", lambda: "then") == "then"


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit", "test_convnext", "test_resnet"])
def test_a_cut_from_notes_is_the_cut(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def built() -> Backbone:
        return build_backbone(name, weights="random", image_size=None, seed=0)

    depths = [*range(1, len(built().stages)), "all"]
    images = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    found = {depth: cut.cut(built(), depth, pool="avg") for depth in depths}
    with shared_notes():
        first = cut.cut(built(), 1, pool="avg")
        with monkeypatch.context() as patched:
            patched.setattr(build, "walk", never)
            patched.setattr(cut, "Recordings", never)
            for depth in depths:
                backbone = built()
                parts = cut.cut(backbone, depth, pool="avg")
                wanted = found[depth]
                assert parts.exact, parts.reason
                assert parts.frozen_params == wanted.frozen_params
                assert parts.frozen_flops_frac == wanted.frozen_flops_frac
                for each in (backbone, parts.prefix, parts.suffix, wanted.prefix, wanted.suffix):
                    each.eval()
                given = parts.prefix(images)
                assert torch.equal(given, wanted.prefix(images))
                assert torch.equal(parts.suffix(given), wanted.suffix(given))
    assert first.exact
