"""An export in a stranger's hands: moved, in a fresh process, without Frostline, odd pictures."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from frostline.commands import predict
from frostline.data.decode import decode_file
from frostline.data.geometry import Geometry, square, target_size
from frostline.inference.formats.write_export import export_run, sample_of
from frostline.inference.portable import pass_order
from frostline.inference.rebuild import Rebuilt, rebuild_run
from frostline.training.checkpoint import load_checkpoint, save_checkpoint
from tests.inference.odd_pictures import UNREADABLE, draw_odd_pictures
from tests.inference.tiny_run import draw_ramps, save_untrained

CLASSES = ('corn, "sweet"', "weiß\n葉", "`tick` 100 %")
FORMATS = ("onnx", "onnx of any size", "torch_export", "torchscript", "timm")
# Starts a script as `python SCRIPT` would, where Frostline cannot be imported.
ALONE = """
import runpy, sys
class Refuses:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("frostline", "src"):
            raise ImportError(f"a stranger has no {name}")
sys.meta_path.insert(0, Refuses())
script = sys.argv[1]
sys.argv[:] = sys.argv[1:]
runpy.run_path(script, run_name="__main__")
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("taken")
    torch.set_num_threads(1)
    draw_odd_pictures(folder / "odd")
    draw_ramps(folder / "photos", per_class=2)
    return folder


def decided_run(folder: Path, odd: Path, *overrides: str) -> Rebuilt:
    """An untrained run whose answers depend strongly on the image, in both directions."""
    checkpoint = save_untrained(folder, *overrides, classes=CLASSES)
    content = load_checkpoint(checkpoint)
    state = content["state_dict"]
    state["head.0.weight"] *= 300
    state["head.0.bias"] *= 0
    save_checkpoint(content, checkpoint)
    run = rebuild_run(lambda: None, str(checkpoint))  # type: ignore[arg-type, return-value]
    files = [path for path in odd.glob("*.*") if path.name not in UNREADABLE]
    squares = np.stack([square(decode_file(path), run.geometry) for path in files])
    state["head.0.bias"] -= torch.from_numpy(logits_of(run, squares).mean(axis=0))
    save_checkpoint(content, checkpoint)
    return rebuild_run(lambda: None, str(checkpoint))  # type: ignore[arg-type, return-value]


def logits_of(run: Rebuilt, squares: np.ndarray) -> np.ndarray:
    images = torch.from_numpy(np.ascontiguousarray(squares.transpose(0, 3, 1, 2)))
    with torch.no_grad():
        return run.network(run.preprocess.normalise(images)).numpy()


@pytest.fixture(scope="module")
def run(place: Path) -> Rebuilt:
    return decided_run(place, place / "odd")


@pytest.fixture(scope="module")
def said(place: Path, run: Rebuilt) -> list[dict[str, Any]]:
    """What `src.predict` says of the odd pictures."""
    with pytest.MonkeyPatch.context() as patch:
        stdout = io.StringIO()
        patch.setattr(sys, "stdout", stdout)
        predict.main([str(place / "checkpoints/best.ckpt"), str(place / "odd"), "--json"])
    rows: list[dict[str, Any]] = json.loads(stdout.getvalue())
    return rows


def taken(run: Rebuilt, place: Path, form: str) -> Path:
    """Export, and move the folder to a place with an awkward name."""
    kind, any_size = form.removesuffix(" of any size"), form.endswith("any size")
    there = place / "far #1, 100 % é" / form
    if there.exists():
        return there
    sample = sample_of(run, [str(place / "photos")])
    done = export_run(run, kind, place / "exports" / form, sample, None, any_size=any_size)
    assert done.n_tried == 4 and done.script_difference < 1e-5
    there.parent.mkdir(exist_ok=True)
    shutil.move(done.folder, there)
    return there


def alone(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", "-c", ALONE, *words], cwd=cwd, env={"LC_ALL": "C"},
        capture_output=True, encoding="utf-8", timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("form", [*FORMATS, pytest.param("mlflow", marks=pytest.mark.slow)])
def test_it_answers_as_the_run_itself(
    form: str, run: Rebuilt, place: Path, said: list[dict[str, Any]], tmp_path: Path
) -> None:
    folder = taken(run, place, form)
    ended = alone(str(folder / "predict.py"), str(place / "odd"), "--json", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    rows = json.loads(ended.stdout)
    assert [row["file"] for row in rows] == [row["file"] for row in said]
    for row, expected in zip(rows, said, strict=True):
        assert row["error"] == expected["error"]
        name = Path(row["file"]).name
        assert (UNREADABLE[name] in row["error"]) if name in UNREADABLE else row["top"]
        assert [one["class"] for one in row["top"]] == [one["class"] for one in expected["top"]]
        for one, other in zip(row["top"], expected["top"], strict=True):
            assert one["probability"] == pytest.approx(other["probability"], abs=1e-4), name
    kinds = {path.name for path in folder.iterdir()}
    assert {"README.md", "predict.py", "inference.json"} <= kinds
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path.name
        assert str(Path(__file__).parents[2]).encode() not in (
            path.read_bytes() if path.is_file() else b""
        )


def test_the_odd_pictures_tell_apart_right_from_nearly_right(
    place: Path, run: Rebuilt, said: list[dict[str, Any]]
) -> None:
    """A step left out would show: the tolerance of the comparison is far below its effect."""

    def probs(image: Image.Image) -> np.ndarray:
        logits = logits_of(run, square(image, run.geometry)[None])
        return torch.from_numpy(logits).softmax(1)[0].numpy()

    by_name = {Path(row["file"]).name: row["top"] for row in said}

    # None is so sure that nothing could change it.
    unsure = [row["top"][0]["probability"] for row in said if row["top"]]
    assert np.median(unsure) < 0.99

    def gap(name: str, image: Image.Image) -> float:
        wrong = dict(zip(run.classes, probs(image), strict=True))
        return max(abs(wrong[one["class"]] - one["probability"]) for one in by_name[name])

    def opened(name: str) -> Image.Image:
        return Image.open(place / "odd" / name)

    assert gap("grey.jpg", opened("grey.jpg").convert("RGB")) < 1e-4
    for name in ("rgba.png", "la.png", "palette_one_clear.png", "palette_shades.png",
                 "one_clear_colour.png", "turned_3.jpg", "turned_6.jpg"):  # fmt: skip
        assert gap(name, opened(name).convert("RGB")) > 1e-3, name
    last = opened("moving.gif")
    last.seek(2)
    assert gap("moving.gif", last.convert("RGB")) > 1e-3
    tall = decode_file(place / "odd" / "tall.png")
    size = target_size(tall.size, run.geometry)
    middle = (
        (size[0], tall.height) if pass_order.is_tall(tall.size, size) else (tall.width, size[1])
    )
    bicubic = Image.Resampling.BICUBIC
    assert gap("tall.png", tall.resize(middle, bicubic).resize(size, bicubic)) > 1e-3


def test_one_image_at_a_time_as_csv_and_from_python(
    run: Rebuilt, place: Path, said: list[dict[str, Any]], tmp_path: Path
) -> None:
    folder = taken(run, place, "onnx")
    script = str(folder / "predict.py")
    odd = place / "odd"
    some = [str(odd / name) for name in ("rgba.png", "empty.png", "Blätter, 葉 & co.png")]
    ended = alone(script, *some, "--batch-size", "1", "--top", "9", cwd=tmp_path)
    rows = list(csv.reader(io.StringIO(ended.stdout, newline="")))
    assert len(rows) == 4 and len(rows[0]) == 2 + 2 * len(CLASSES)
    by_file = {row["file"]: row for row in said}
    for row in rows[1:]:
        top = by_file[row[0]]["top"]
        assert row[1] == (top[0]["class"] if top else "")
        assert row[-1] == (by_file[row[0]]["error"] or "")
    ended = alone(script, str(odd / "empty.png"), cwd=tmp_path)
    assert ended.returncode == 1 and "the file is empty" in ended.stdout
    ended = alone(script, str(odd / "nowhere.png"), cwd=tmp_path)
    assert ended.returncode == 2 and "there is no such file" in ended.stderr
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert '`corn, "sweet"`, `weiß\\n葉`, `` `tick` 100 % ``' in card
    blocks = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    shutil.copyfile(odd / "rgba.png", folder / "photo.jpg")
    (tmp_path / "shown.py").write_text(
        "import sys; sys.path.insert(0, '.')\n" + blocks[0] + "\n" + blocks[1], encoding="utf-8"
    )
    ended = alone(str(tmp_path / "shown.py"), cwd=folder)
    assert ended.stderr == ""
    top = by_file[some[0]]["top"][0]
    name, _, probability = ended.stdout.strip().rpartition(" ")
    assert name == top["class"]
    assert float(probability) == pytest.approx(top["probability"], abs=1e-4)
    shutil.copyfile(script, tmp_path / "predict.py")
    ended = alone(str(tmp_path / "predict.py"), some[0], cwd=tmp_path)
    assert ended.returncode == 2
    assert "keep the files of an export together" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_steps_as_they_are_written_give_the_same_squares(run: Rebuilt, place: Path) -> None:
    """`inference.json` is enough to write the preprocessing anew."""
    from frostline.inference.formats.inference_facts import describe

    described = json.loads(json.dumps(describe(run, normalised_inside=True, resized_inside=False)))
    assert described["classes"] == list(CLASSES)
    steps = {step["step"]: step for step in described["preprocessing"]["steps"]}
    assert list(steps) == ["decode", "orient", "to_rgb", "resize", "crop", "normalise"]
    for path in sorted((place / "odd").iterdir()):
        if not path.is_file() or path.name in UNREADABLE or path.name in {"float.tif", "strip.png"}:
            continue
        expected = square(decode_file(path), run.geometry)
        assert np.array_equal(by_the_book(path, steps), expected), path.name
    scale = run.preprocess.scale.flatten().tolist()
    assert scale == pytest.approx([1 / 255 / std for std in steps["normalise"]["std"]])


def by_the_book(path: Path, steps: dict[str, Any]) -> np.ndarray:
    image = Image.open(path)
    image.seek(steps["decode"]["frame"])
    with suppress(OSError, SyntaxError, ValueError):  # "if it can be read"
        image = ImageOps.exif_transpose(image)
    rule = steps["to_rgb"]
    if image.mode.startswith("I;16"):
        values = np.rint(np.asarray(image) / rule["grey_of_16_bit"]["divided_by"])
        image = Image.fromarray(values.astype(np.uint8)).convert("RGB")
    elif image.has_transparency_data:
        ground = Image.new("RGBA", image.size, (*rule["transparency_on"], 255))
        image = Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
    else:
        image = image.convert("RGB")
    resize, size = steps["resize"], steps["crop"]["size_px"]
    assert resize["target"] == f"the shorter side to {resize['scaled_px']}, the other in " + (
        "proportion, rounded down"
    )
    width, height = image.size
    scale = resize["scaled_px"] / min(width, height)
    target = (int(scale * width + 1e-9), int(scale * height + 1e-9))
    if target != image.size:
        filter_ = Image.Resampling[resize["filter"].upper()]
        rule_of_order = resize["vertical_pass_first_if"]
        names = {"height": height, "target_height": target[1], "width": width,
                 "target_width": target[0], "max": max}  # fmt: skip
        vertical_first = rule_of_order and eval(rule_of_order.replace("target ", "target_"), names)
        middle = (width, target[1]) if vertical_first else (target[0], height)
        image = image.resize(middle, filter_).resize(target, filter_)
    left, top = (round((side - size) / 2) for side in image.size)
    return np.asarray(image.crop((left, top, left + size, top + size)))


@pytest.mark.parametrize("tall_first", [True, False])
def test_either_order_of_passes_with_any_pillow(tall_first: bool) -> None:
    """The order that the training had, whichever the installed Pillow takes."""
    rng = np.random.default_rng(2)
    bicubic = Image.Resampling.BICUBIC
    differing = 0
    for _ in range(40):
        width, height = (int(side) for side in np.exp(rng.uniform(1, 6, 2)))
        image = Image.fromarray((rng.integers(0, 2, (height, width, 3)) * 255).astype(np.uint8))
        geometry = Geometry(24, "bicubic", 1.0, "squash", (0, 0, 0))
        ready = pass_order.resized_in_order(image, geometry, tall_vertically_first=tall_first)
        wide_first = image.resize((24, height), bicubic).resize((24, 24), bicubic)
        high_first = image.resize((width, 24), bicubic).resize((24, 24), bicubic)
        tall = height - 24 > 2 * max(width - 24, 0)
        expected = high_first if tall_first and tall else wide_first
        assert np.array_equal(square(ready, geometry), np.asarray(expected))
        differing += wide_first.tobytes() != high_first.tobytes()
    assert differing > 10
