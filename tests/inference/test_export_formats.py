"""What each format takes, what it refuses and why."""

from pathlib import Path

import numpy as np
import pytest
import torch

from frostline.inference.formats.deployable import ExportError, Sample, largest_difference
from frostline.inference.formats.write_export import export_run, sample_of
from frostline.inference.rebuild import Rebuilt, rebuild_run
from tests.inference.tiny_run import draw_ramps, save_untrained


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checked_on") / "photos"
    draw_ramps(folder, per_class=2)
    torch.set_num_threads(1)
    return folder


def run_of(folder: Path, *overrides: str) -> Rebuilt:
    def no_store() -> None:
        raise AssertionError

    return rebuild_run(no_store, str(save_untrained(folder, *overrides)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "overrides",
    [
        ("backbone=test_vit",),
        ("backbone=test_efficientnet", "head.pool=max"),
        ("backbone=test_convnext", "head.dropout=0.2"),
    ],
    ids=["vit", "max_pool", "dropout"],
)
@pytest.mark.parametrize("form", ["timm", "torchscript"])
def test_other_families_and_heads(
    overrides: tuple[str, ...], form: str, photos: Path, tmp_path: Path
) -> None:
    rebuilt = run_of(tmp_path, *overrides)
    sample = sample_of(rebuilt, [str(photos)])
    assert len(sample.names) == 6
    done = export_run(rebuilt, form, tmp_path / "out", sample, None)
    assert done.difference <= 1e-4
    assert "Known limits" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["test_vit", "test_convnext", "test_mambaout"])
def test_onnx_of_other_families(name: str, photos: Path, tmp_path: Path) -> None:
    rebuilt = run_of(tmp_path, f"backbone={name}", "head=mlp")
    sample = sample_of(rebuilt, [str(photos)])
    assert export_run(rebuilt, "onnx", tmp_path / "out", sample, None).difference <= 1e-3


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (("head=mlp",), "this run's head is an mlp"),
        (("head.pool=flatten",), "head.pool is flatten"),
        (("backbone=book_cnn",), "plain timm has no such model"),
        (("backbone=vgg11", "image_size=32"), "leaves out VGG's two layers of 4096"),
    ],
    ids=["mlp", "flatten", "book_cnn", "vgg"],
)
def test_timm_has_no_place_for_some_heads(
    overrides: tuple[str, ...], reason: str, photos: Path, tmp_path: Path
) -> None:
    rebuilt = run_of(tmp_path, *overrides)
    sample = sample_of(rebuilt, [str(photos)])
    with pytest.raises(ExportError, match=reason):
        export_run(rebuilt, "timm", tmp_path / "out", sample, None)
    assert not (tmp_path / "out").exists()


def test_an_export_that_disagrees_fails() -> None:
    logits = np.zeros((2, 3), np.float32)
    sample = Sample(np.zeros((2, 3, 8, 8), np.uint8), logits, ("a", "b"))
    assert largest_difference(sample, logits + np.float32(5e-4), "it") == pytest.approx(5e-4)
    for wrong in (logits + np.float32(2e-3), logits + np.float32("nan")):
        with pytest.raises(ExportError, match="disagrees with PyTorch"):
            largest_difference(sample, wrong, "it")
