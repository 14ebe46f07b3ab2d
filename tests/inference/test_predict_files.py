"""Files, folders and patterns to rows of CSV, JSON and Parquet."""

import csv
import json
import os
import sys
from io import FileIO, TextIOWrapper
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from frostline.commands import predict
from frostline.errors import DataError
from frostline.inference.image_files import find_images
from tests.inference.tiny_run import draw_ramps, save_untrained


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asked")
    draw_ramps(folder / "photos", per_class=4)
    (folder / "photos" / "empty.jpg").write_bytes(b"")
    (folder / "photos" / "._00.png").write_bytes(b"left by a mac")
    save_untrained(folder)
    return folder


@pytest.fixture(autouse=True)
def stand_there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    torch.set_num_threads(1)


def test_files_folders_and_patterns_each_image_once() -> None:
    files = find_images(["photos/rising/01.png", "photos", "photos/*/0[01].png"]).files
    assert len(files) == 13
    assert files[0] == Path("photos/rising/01.png")
    assert Path("photos/empty.jpg") in files
    assert len(find_images(["photos/**/*.png"]).files) == 12


def test_what_is_left_out_is_named_with_its_count(tmp_path: Path) -> None:
    for name in ("a.heic", "b.HEIC", "c.cr2", "notes.txt"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"no image file.*formats that cannot be read: 1 .cr2, 2"):
        find_images([str(tmp_path)])
    (tmp_path / "d.png").touch()
    found = find_images([str(tmp_path)])
    assert found.files == [tmp_path / "d.png"]
    assert found.notes() == [
        "left out, formats that cannot be read: 1 .cr2, 2 .heic (convert them to JPEG or PNG)",
        "left out, no images by their names: 1",
    ]


@pytest.mark.parametrize("given", ["nowhere", "photos/*.tif"])
def test_what_is_not_there_is_named(given: str) -> None:
    with pytest.raises(DataError, match="there is no such file or folder"):
        find_images([given])


def test_three_formats_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    call = ["checkpoints/best.ckpt", "photos", "--top", "2", "--batch-size", "5"]
    predict.main(call)
    captured = capsys.readouterr()
    rows = list(csv.DictReader(captured.out.splitlines()))
    assert list(rows[0]) == ["file", "class", "probability", "class_2", "probability_2", "error"]
    assert "13 images, 1 of them could not be read" in captured.err
    predict.main([*call, "--json"])
    objects = json.loads(capsys.readouterr().out)
    predict.main([*call, "--out", "answers.parquet"])
    table = pq.read_table("answers.parquet").to_pylist()
    assert len(rows) == len(objects) == len(table) == 13
    for row, one, stored in zip(rows, objects, table, strict=True):
        assert row["file"] == one["file"] == stored["file"]
        if row["error"]:
            assert one["error"] == stored["error"] == row["error"] == "the file is empty"
            assert one["top"] == []
            continue
        assert one["top"][0]["class"] == row["class"] == stored["class"]
        assert float(row["probability"]) == pytest.approx(one["top"][0]["probability"], abs=1e-6)
        assert stored["probability_2"] == pytest.approx(one["top"][1]["probability"], abs=1e-6)
        assert one["top"][0]["probability"] >= one["top"][1]["probability"]


def test_answers_do_not_depend_on_the_batch(capsys: pytest.CaptureFixture[str]) -> None:
    answers = []
    for size in ("1", "7"):
        predict.main(["checkpoints/best.ckpt", "photos", "--batch-size", size, "--json"])
        answers.append(json.loads(capsys.readouterr().out))
    for one, other in zip(*answers, strict=True):
        for a, b in zip(one["top"], other["top"], strict=True):
            assert a["class"] == b["class"]
            assert a["probability"] == pytest.approx(b["probability"], abs=1e-5)


def test_no_readable_image_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        predict.main(["checkpoints/best.ckpt", "photos/empty.jpg"])
    assert ended.value.code == 1
    assert "the file is empty" in capsys.readouterr().out


def test_mistakes_are_reported_before_anything_is_loaded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        predict.main(["checkpoints/best.ckpt", "photos", "--out", "answers.xls"])
    assert ended.value.code == 2
    assert "unknown kind of file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "out", ["answers.csv", "answers.json", "answers.jsonl", "answers.parquet", None]
)
def test_a_name_that_is_no_utf8_costs_no_answer(
    out: str | None, tmp_path: Path, place: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    odd = tmp_path / "odd"
    odd.mkdir()
    image = (place / "photos" / "rising" / "01.png").read_bytes()
    (odd / "a.png").write_bytes(image)
    Path(os.fsdecode(os.fsencode(odd) + b"/\xff.png")).write_bytes(image)
    with pytest.MonkeyPatch.context() as patch:
        # As where the locale is UTF-8: strict.
        stream = TextIOWrapper(FileIO(1, "w", closefd=False), encoding="utf-8", errors="strict")
        patch.setattr(sys, "stdout", stream)
        words = ["checkpoints/best.ckpt", str(odd)]
        predict.main([*words, "--out", str(tmp_path / out)] if out else words)
        stream.flush()
    if out is None:
        assert b"odd/\xff.png," in capfdbinary.readouterr().out
        return
    written = tmp_path / out
    if out.endswith(".csv"):
        assert b"odd/\xff.png," in written.read_bytes()
    elif out.endswith(".parquet"):
        assert [name[-5:] for name in pq.read_table(written)["file"].to_pylist()] == [
            "a.png"[-5:],
            "f.png",
        ]
    else:
        text = written.read_text(encoding="utf-8")
        rows = (
            json.loads(text) if out == "answers.json" else list(map(json.loads, text.splitlines()))
        )
        assert [os.fsencode(row["file"])[-6:] for row in rows] == [b"/a.png", b"/\xff.png"]
