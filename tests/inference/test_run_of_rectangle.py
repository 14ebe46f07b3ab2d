"""Runs on rectangles answer alike wherever they are asked."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import frostline
from frostline.commands import evaluate, predict
from frostline.data.decode import decode_file
from frostline.data.geometry import square
from frostline.inference.formats.write_export import export_run, sample_of
from frostline.inference.rebuild import Rebuilt, rebuild_run
from frostline.tracking.prediction_files import read_predictions
from frostline.tracking.store import open_store
from tests.inference.test_stranger import alone, decided_run
from tests.inference.tiny_run import CLASSES, draw_ramps, train_tiny

FORMS = ("onnx", "onnx of any size", "torch_export", "torchscript", "timm")
RUNS = {
    "lying": ("backbone=test_resnet", "image_size=[48,80]", "freeze=1"),
    "standing": ("backbone=test_vit", "image_size=[96,64]", "freeze=2"),
}


def draw_fields(root: Path, *, per_class: int = 14) -> None:
    """Photos of several proportions: a bright spot above, below, or on the right."""
    rng = np.random.default_rng(2)
    for name, (down, across) in zip(CLASSES, ((0.2, 0.5), (0.8, 0.5), (0.5, 0.8)), strict=True):
        (root / name).mkdir(parents=True)
        for number in range(per_class):
            height, width = ((72, 120), (120, 72), (90, 90))[number % 3]
            values = rng.integers(0, 60, (height, width, 3))
            rows, columns = np.ogrid[:height, :width]
            near = (rows - down * height) ** 2 + (columns - across * width) ** 2 < 20**2
            values[near] += 180
            image = Image.fromarray(values.astype(np.uint8))
            image.save(root / name / f"{number:02}.png")


@pytest.fixture(scope="module", params=list(RUNS))
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Rebuilt, Path, str]:
    folder = tmp_path_factory.mktemp(request.param)
    draw_fields(folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("FROSTLINE_CACHE", str(folder / "cache"))
        run = train_tiny(
            folder, f"data.path={folder / 'data'}", "epochs=2", "data.split_seed=0",
            "evidence=full", "augment=crop", *RUNS[request.param],
        )  # fmt: skip
        rebuilt = rebuild_run(lambda: open_store(None, "Default"), run)
    return rebuilt, folder, run


def sides_of(rebuilt: Rebuilt) -> tuple[int, int]:
    sides = rebuilt.settings.image_size
    assert isinstance(sides, tuple)
    return sides


def test_the_run_records_height_and_width(trained: tuple[Rebuilt, Path, str]) -> None:
    rebuilt, _, _ = trained
    sides = sides_of(rebuilt)
    assert rebuilt.record is not None
    assert rebuilt.record.params["image_size"] == f"{sides[0]}x{sides[1]}"
    assert rebuilt.backbone.input.shape == (3, *sides)
    assert rebuilt.geometry.shape == sides


def test_the_pictures_of_the_evidence_have_its_shape(
    trained: tuple[Rebuilt, Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rebuilt, folder, run = trained
    monkeypatch.chdir(folder)
    height, width = sides_of(rebuilt)
    store = open_store(None, "Default")
    sheet = Image.open(store.fetch_artifact(run, "evidence/training_images.jpg", tmp_path))
    assert sheet.size == (6 * (width + 2), 6 * (height + 2))
    looks = store.fetch_artifact(run, "evidence/attribution.jpg", tmp_path)
    assert np.asarray(Image.open(looks)).std() > 10


def test_evaluation_gives_the_logged_figures(
    trained: tuple[Rebuilt, Path, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, folder, run = trained
    monkeypatch.chdir(folder)
    evaluate.main([run])
    assert "the same as logged, to the last digit" in capsys.readouterr().out


def test_files_get_the_probabilities_of_the_test_split(
    trained: tuple[Rebuilt, Path, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    rebuilt, folder, run = trained
    monkeypatch.chdir(folder)
    store = open_store(None, "Default")
    logged = read_predictions(store.fetch_artifact(run, "predictions/test.parquet", tmp_path))
    files = [folder / "data" / str(item) for item in logged.items]
    predict.main([run, *map(str, files), "--json", "--top", "3"])
    rows = json.loads(capsys.readouterr().out)
    table = frostline.load(run)(files, top=1)
    for row, probs, best in zip(rows, logged.probs, table["probability"], strict=True):
        found = {one["class"]: one["probability"] for one in row["top"]}
        assert [found[name] for name in rebuilt.classes] == pytest.approx(
            probs.astype(float), abs=1e-3
        )
        assert best == pytest.approx(float(probs.max()), abs=1e-3)


@pytest.mark.parametrize("form", FORMS)
def test_exports_answer_as_the_run(
    form: str, trained: tuple[Rebuilt, Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rebuilt, folder, _ = trained
    monkeypatch.chdir(folder)
    height, width = sides_of(rebuilt)
    any_size = form.endswith("size")
    done = export_run(
        rebuilt, form.split()[0], tmp_path / "out", sample_of(rebuilt, []), None, any_size=any_size
    )
    assert done.difference <= 1e-4
    assert done.n_tried == 4
    assert done.script_difference <= 1e-4
    facts = json.loads((tmp_path / "out" / "inference.json").read_text())["preprocessing"]
    assert (facts["height_px"], facts["width_px"]) == (height, width)
    assert "size_px" not in facts
    crop = next(step for step in facts["steps"] if step["step"] == "crop")
    assert (crop["height_px"], crop["width_px"]) == (height, width)
    assert crop["left"].startswith("(width - width_px) / 2")
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"the central {height} x {width} px ({height} high, {width} wide)" in card
    if not any_size:
        assert f"(1, 3, {height}, {width}" in card
    assert "{" not in card.split("## Input")[1].split("##")[0]
    if form == "timm":
        config = json.loads((tmp_path / "out" / "config.json").read_text())
        assert config["pretrained_cfg"]["input_size"] == [3, height, width]
        fixed = rebuilt.backbone.input.fixed_size
        assert config["model_args"] == ({"img_size": [height, width]} if fixed else {})


def test_the_resize_can_be_written_from_what_is_said(trained: tuple[Rebuilt, Path, str]) -> None:
    """By another program: the sentences of `inference.json` give the size before the crop."""
    from frostline.data.geometry import target_size
    from frostline.inference.formats.inference_facts import describe

    rebuilt, _, _ = trained
    steps = describe(rebuilt, normalised_inside=True, resized_inside=False)["preprocessing"]
    resize = next(step for step in steps["steps"] if step["step"] == "resize")
    high, wide = resize["scaled_height_px"], resize["scaled_width_px"]
    assert resize["target"] == (
        f"both sides divided by the smaller of width / {wide} and height / {high}, rounded half "
        "to even"
    )
    for width, height in ((120, 72), (72, 120), (301, 77)):
        ratio = min(width / wide, height / high)
        said = round(width / ratio), round(height / ratio)
        assert target_size((width, height), rebuilt.geometry) == said


@pytest.mark.parametrize("form", ["onnx of any size", "timm"])
def test_a_window_transformer_answers_alike_in_a_fresh_process(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.set_num_threads(1)
    draw_ramps(tmp_path / "odd", per_class=2)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 150, 3), np.uint8)).save(
        tmp_path / "odd" / "long.png"
    )
    for number, file in enumerate(sorted((tmp_path / "odd").rglob("*.png"))):
        file.rename(tmp_path / "odd" / f"{number}.png")
    run = decided_run(
        tmp_path, tmp_path / "odd", "backbone=swin_tiny_patch4_window7_224", "image_size=[64,96]"
    )
    sample = sample_of(run, [str(tmp_path / "odd")])
    export_run(run, form.split()[0], tmp_path / "out", sample, None, any_size=form.endswith("size"))
    predict.main([str(tmp_path / "checkpoints/best.ckpt"), str(tmp_path / "odd"), "--json"])
    said = json.loads(capsys.readouterr().out)
    ended = alone(str(tmp_path / "out/predict.py"), str(tmp_path / "odd"), "--json", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    for row, expected in zip(json.loads(ended.stdout), said, strict=True):
        ours = {one["class"]: one["probability"] for one in expected["top"]}
        theirs = {one["class"]: one["probability"] for one in row["top"]}
        assert theirs == pytest.approx(ours, abs=1e-4)


def test_plain_timm_loads_and_transforms_the_rectangle(
    trained: tuple[Rebuilt, Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What timm makes of the folder alone: its own transform, its own model."""
    rebuilt, folder, _ = trained
    monkeypatch.chdir(folder)
    sample = sample_of(rebuilt, [])
    export_run(rebuilt, "timm", tmp_path / "out", sample, None)
    image = decode_file(sorted((folder / "data").rglob("*.png"))[1])
    image.save(tmp_path / "image.png")
    code = (
        "import timm, torch, numpy as np; from PIL import Image; "
        "from timm.data import create_transform, resolve_model_data_config; "
        "model = timm.create_model('local-dir:out', pretrained=True).eval(); "
        "config = resolve_model_data_config(model); "
        "transform = create_transform(**config, is_training=False); "
        "x = transform(Image.open('image.png').convert('RGB'))[None]; "
        "print(tuple(x.shape[2:]), model(x).softmax(1)[0].tolist())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True,
        timeout=300,
    )  # fmt: skip
    height, width = sides_of(rebuilt)
    said = io.StringIO(ended.stdout).read().strip()
    assert said.startswith(f"({height}, {width}) ")
    theirs = json.loads(said.partition(") ")[2])
    ready = rebuilt.preprocess.normalise(
        torch.from_numpy(square(image, rebuilt.geometry).transpose(2, 0, 1).copy())[None]
    )
    with torch.no_grad():
        ours = rebuilt.network(ready).softmax(1)[0].tolist()
    assert theirs == pytest.approx(ours, abs=1e-5)
