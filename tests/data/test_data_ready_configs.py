"""The ready configs on small trees laid out like the data sets that they are for."""

import json
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import MissingConfigException
from omegaconf import OmegaConf
from PIL import Image

from frostline.config.conf_files import group_defaults
from frostline.config.read import read_settings
from frostline.data.load import load_table

CONF = Path(__file__).resolve().parents[2] / "conf"


def load(*overrides):
    with initialize_config_dir(str(CONF), version_base=None):
        values = OmegaConf.to_container(compose("train", list(overrides)), resolve=True)
    return load_table(read_settings(values).data)


def photo(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, "JPEG")


def test_plantvillage(tmp_path):
    leaves = {}
    for k in range(12):
        photo(tmp_path / "color" / "Corn___Common_rust" / f"ab{k}___RS_Rust {k}.JPG", k)
        photo(tmp_path / "color" / "Tomato__Target_Spot" / f"cd{k}___Com.G_TgS_FL {k}.JPG", k + 50)
        leaves[f"rs_rust {k}"] = [f"Corn_(maize)___Common_rust_:::{k // 3}.0"]
    (tmp_path / "leaf-map.json").write_text(json.dumps(leaves))
    table = load(
        "data=plantvillage",
        f"data.path={tmp_path / 'color'}",
        f"data.group_by={tmp_path / 'leaf-map.json'}",
    )
    assert table.classes == ("Corn_(maize)___Common_rust_", "Tomato___Target_Spot")
    assert len(np.unique(table.groups)) == 4 + 12


def test_plantvillage_on_the_hub(tmp_path):
    import datasets

    datasets.disable_progress_bars()
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=["Apple___healthy", "Corn_(maize)___healthy"]),
            "leaf_id": datasets.Value("string"),
        }
    )
    noise = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    rows = {
        "image": list(map(Image.fromarray, noise)),
        "label": [k % 2 for k in range(12)],
        "leaf_id": [f"{k % 2}/{k // 4}" for k in range(12)],
    }
    made = datasets.Dataset.from_dict(rows, features=features)
    made.save_to_disk(str(tmp_path / "PlantVillage"))
    table = load("data=plantvillage_hub", f"data.path={tmp_path / 'PlantVillage'}")
    assert table.classes == ("Apple___healthy", "Corn_(maize)___healthy")
    assert len(np.unique(table.groups)) == 6


def test_plantdoc(tmp_path):
    for side, count in (("train", 6), ("test", 2)):
        for k in range(count):
            photo(tmp_path / side / "Apple Scab Leaf" / f"{k}.jpg", k)
            photo(tmp_path / side / "Tomato leaf" / f"{k}.png", k + 20)
    (tmp_path / "train" / "Tomato leaf" / "bad.jpg").write_bytes(b"GIF89a")
    table = load("data=plantdoc", f"data.path={tmp_path}")
    assert table.given_split.tolist().count("test") == 4
    assert len(table.skipped) == 1


def test_cassava(tmp_path):
    lines = ["image_id,label"]
    for k in range(8):
        photo(tmp_path / "train_images" / f"10{k}.jpg", k)
        lines.append(f"10{k}.jpg,{k % 2 * 3}")
    (tmp_path / "train.csv").write_text("\n".join(lines))
    names = {"0": "Cassava Bacterial Blight (CBB)", "3": "Cassava Mosaic Disease (CMD)"}
    (tmp_path / "label_num_to_disease_map.json").write_text(json.dumps(names))
    table = load("data=cassava", f"data.path={tmp_path / 'train.csv'}")
    assert table.counts() == dict.fromkeys(names.values(), 4)


def test_plant_pathology(tmp_path):
    lines = ["image_id,healthy,multiple_diseases,rust,scab"]
    for k in range(12):
        photo(tmp_path / "images" / f"Train_{k}.jpg", k)
        lines.append(f"Train_{k}," + ",".join(str(int(k % 4 == j)) for j in range(4)))
    photo(tmp_path / "images" / "Test_0.jpg", 99)
    (tmp_path / "train.csv").write_text("\n".join(lines))
    table = load("data=plant_pathology", f"data.path={tmp_path / 'train.csv'}")
    assert table.classes == ("healthy", "multiple_diseases", "rust", "scab")
    assert "1 images in images are not listed in train.csv" in table.notes


def test_cats_and_dogs_in_both_layouts(tmp_path):
    for k in range(4):
        photo(tmp_path / "PetImages" / "Cat" / f"{k}.jpg", k)
        photo(tmp_path / "PetImages" / "Dog" / f"{k}.jpg", k + 9)
        photo(tmp_path / "flat" / "train" / f"cat.{k}.jpg", k)
        photo(tmp_path / "flat" / "train" / f"dog.{k}.jpg", k + 9)
        photo(tmp_path / "flat" / "test1" / f"{k}.jpg", k + 30)
    (tmp_path / "PetImages" / "Cat" / "666.jpg").write_bytes(b"")
    (tmp_path / "PetImages" / "Cat" / "Thumbs.db").write_bytes(b"x")
    table = load("data=cats_dogs", f"data.path={tmp_path / 'PetImages'}")
    assert table.counts() == {"Cat": 4, "Dog": 4}
    assert [bad.path for bad in table.skipped] == ["Cat/666.jpg"]
    flat = load("data=cats_dogs_flat", f"data.path={tmp_path / 'flat'}")
    assert flat.counts() == {"cat": 4, "dog": 4}


@pytest.mark.parametrize("file", sorted((CONF / "data").glob("*.yaml")), ids=lambda p: p.stem)
def test_each_config_starts_with_the_command_that_uses_it(file):
    assert file.read_text().startswith(f"# data={file.stem}")


def test_shared_keys_are_not_a_choice_of_the_group():
    with (
        initialize_config_dir(str(CONF), version_base=None),
        pytest.raises(MissingConfigException) as caught,
    ):
        compose("train", ["data=foldr"])
    assert "folder" in caught.value.options
    assert not [option for option in caught.value.options if option.startswith("_")]


@pytest.mark.parametrize("file", sorted((CONF / "data").glob("*.yaml")), ids=lambda p: p.stem)
def test_defaults_of_a_choice_are_read_as_hydra_composes_them(file):
    with initialize_config_dir(str(CONF), version_base=None):
        composed = compose("train", [f"data={file.stem}"])
    assert group_defaults("data", file.stem) == OmegaConf.to_container(composed.data)
