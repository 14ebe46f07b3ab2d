"""What each format takes, what it refuses and why."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from frostline.commands import export
from frostline.inference.formats.deployable import ExportError, Sample, largest_difference
from frostline.inference.formats.predict_script import try_script
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
def test_onnx_and_programs_of_other_families(name: str, photos: Path, tmp_path: Path) -> None:
    rebuilt = run_of(tmp_path, f"backbone={name}", "head=mlp")
    sample = sample_of(rebuilt, [str(photos)])
    for form in ("onnx", "torch_export"):
        assert export_run(rebuilt, form, tmp_path / form, sample, None).difference <= 1e-3


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (("head=mlp",), "this run's head is an mlp"),
        (("head.pool=flatten",), "head.pool is flatten"),
        (("backbone=book_cnn",), "plain timm has no such model"),
        (("backbone=vgg11", "image_size=32"), "leaves out VGG's two layers of 4096"),
        (
            ("backbone=deit_tiny_distilled_patch16_224", "head.pool=max"),
            r"timm does not build deit_tiny_distilled_patch16_224 with img_size=64, "
            r"global_pool=max \(The distilled head",
        ),
    ],
    ids=["mlp", "flatten", "book_cnn", "vgg", "distilled"],
)
def test_timm_has_no_place_for_some_heads(
    overrides: tuple[str, ...], reason: str, photos: Path, tmp_path: Path
) -> None:
    rebuilt = run_of(tmp_path, *overrides)
    sample = sample_of(rebuilt, [str(photos)])
    with pytest.raises(ExportError, match=reason):
        export_run(rebuilt, "timm", tmp_path / "out", sample, None)
    assert not (tmp_path / "out").exists()


def test_timm_adds_a_second_classifier_of_patches_in_volo(photos: Path, tmp_path: Path) -> None:
    rebuilt = run_of(tmp_path, "backbone=test_vit")
    sample = sample_of(rebuilt, [str(photos)])
    rebuilt.backbone.name = "volo_d1_224"  # which is large, and refused before it is built
    with pytest.raises(ExportError, match="adds the answers of a second classifier"):
        export_run(rebuilt, "timm", tmp_path / "out", sample, None)


class _FixedBatch(torch.nn.Module):
    """A network that reads the number of images as a number, which tracing writes down."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model(x)
        return features.reshape(int(x.shape[0]), -1)


def test_a_file_that_cannot_be_run_fails_in_words(photos: Path, tmp_path: Path) -> None:
    rebuilt = run_of(tmp_path)
    sample = sample_of(rebuilt, [str(photos)])
    features = rebuilt.network.features
    features.model = _FixedBatch(features.model)  # type: ignore[union-attr, operator, assignment, arg-type]
    with pytest.raises(ExportError, match="TorchScript file was written, but cannot be run: Run"):
        export_run(rebuilt, "torchscript", tmp_path / "out", sample, None)
    assert not (tmp_path / "out").exists()


def test_an_export_that_disagrees_fails() -> None:
    logits = np.zeros((2, 3), np.float32)
    sample = Sample(np.zeros((2, 3, 8, 8), np.uint8), logits, ("a", "b"))
    assert largest_difference(sample, logits + np.float32(5e-4), "it") == pytest.approx(5e-4)
    for wrong in (logits + np.float32(2e-3), logits + np.float32("nan")):
        with pytest.raises(ExportError, match="disagrees with PyTorch"):
            largest_difference(sample, wrong, "it")


def test_only_an_export_is_replaced(photos: Path, tmp_path: Path) -> None:
    checkpoint = str(save_untrained(tmp_path))
    call = [checkpoint, "--format", "timm", "--images", str(photos), "--force", "--out"]
    kept = tmp_path / "holiday"
    draw_ramps(kept, per_class=1)
    with pytest.raises(SystemExit) as ended:
        export.main([*call, str(kept)])
    assert ended.value.code == 2
    assert len(list(kept.rglob("*.png"))) == 3
    new = str(tmp_path / "new")
    export.main([*call, new])
    (tmp_path / "new" / "README.md").unlink()
    export.main([*call, new])
    assert (tmp_path / "new" / "README.md").exists()


def test_the_files_get_the_modes_of_new_files(photos: Path, tmp_path: Path) -> None:
    rebuilt = run_of(tmp_path)
    sample = sample_of(rebuilt, [str(photos)])
    before = os.umask(0o027)
    try:
        export_run(rebuilt, "timm", tmp_path / "out", sample, None)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()}
    assert modes["model.safetensors"] == 0o640
    assert set(modes.values()) == {0o640}


def test_a_script_that_disagrees_fails_the_export(photos: Path, tmp_path: Path) -> None:
    """Everything on the way from a file to the answer is compared, not the network alone."""
    rebuilt = run_of(tmp_path)
    sample = sample_of(rebuilt, [str(photos)])
    export_run(rebuilt, "timm", tmp_path / "out", sample, None)
    assert try_script(tmp_path / "out", rebuilt, sample) < 1e-5
    turned = replace(sample, logits=sample.logits[:, ::-1] + np.float32([0.0, 0.5, 1.0]))
    with pytest.raises(ExportError, match=r"predict\.py disagrees with PyTorch"):
        try_script(tmp_path / "out", rebuilt, turned)


def test_any_size_is_for_onnx(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        export.main(["run", "--format", "timm", "--any-size"])
    assert ended.value.code == 2
    assert "--any-size with --format timm" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["onnx", "mlflow"])
def test_a_missing_package_is_found_before_anything_is_looked_for(
    form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)  # as where it is not installed
    with pytest.raises(SystemExit):
        export.main(["no-such-run", "--format", form])
    said = capsys.readouterr().err
    assert f"--format {form}: it" in said
    assert "onnxscript, not installed here" in said
    assert "pip install 'frostline[export]'" in said
    assert "looking for" not in said
