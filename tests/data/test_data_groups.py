import json

import pytest

from frostline.data.class_names import PLANTVILLAGE_CLASSES, spelling
from frostline.data.groups import source_name
from frostline.data.sources.folder import load_folder
from frostline.errors import DataError


def load(root, **options):
    return load_folder(str(root), on_bad_image="error", **options)


def rename_all(root, pattern):
    for folder in sorted(root.iterdir()):
        for k, path in enumerate(sorted(folder.iterdir())):
            path.rename(path.with_name(pattern.format(k=k, leaf=k // 2, folder=folder.name)))


def test_groups_by_expression(photo_tree):
    root = photo_tree({"a": 6, "b": 6})
    rename_all(root, "{folder}leaf{leaf}_photo{k}.png")
    table = load(root, group_by=r"(?P<group>[ab]leaf\d+)_")
    assert table.groups[:4].tolist() == ["aleaf0", "aleaf0", "aleaf1", "aleaf1"]
    assert "12 images form 6 groups" in table.notes
    assert load(root, group_by=r"([ab]leaf\d+)_").groups.tolist() == table.groups.tolist()
    assert load(root, group_by=r"leaf0_").groups[0] == "leaf0_"


def test_images_without_a_group_are_listed(photo_tree):
    root = photo_tree({"a": 4, "b": 4})
    table = load(root, group_by=r"(a/img_00)\d")
    assert table.groups[4] == "b/img_000.png"
    assert table.notes[-1].startswith(
        "4 images are in no group and are split one by one: 'b/img_000.png'"
    )


def test_invalid_expressions(photo_tree):
    root = photo_tree({"a": 3, "b": 3})
    with pytest.raises(DataError, match="groups none of 6 images"):
        load(root, group_by="zebra")
    with pytest.raises(DataError, match=r"data.group_by=\(: "):
        load(root, group_by="(")


def test_leaf_map(photo_tree, tmp_path):
    root = photo_tree({"Potato___healthy": 4, "Potato___Early_blight": 4})
    rename_all(root, "0a{k}___RS_HL {leaf}_final_masked.JPG")
    leaves = {
        "rs_hl 0": ["Potato___Early_blight:::1.0", "Potato___healthy:::7.0"],
        "rs_hl 1": "Potato___healthy:::8.0",
    }
    (tmp_path / "leaf-map.json").write_text(json.dumps(leaves))
    table = load(root, group_by=str(tmp_path / "leaf-map.json"))
    early, healthy = table.groups[:4].tolist(), table.groups[4:].tolist()
    assert early[:2] == ["Potato___Early_blight:::1.0"] * 2
    assert healthy == ["Potato___healthy:::7.0"] * 2 + ["Potato___healthy:::8.0"] * 2


def test_leaf_map_that_cannot_be_read(photo_tree, tmp_path):
    root = photo_tree({"a": 3, "b": 3})
    with pytest.raises(DataError, match="No such file"):
        load(root, group_by="gone.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        load(root, group_by=str(tmp_path / "bad.json"))
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(DataError, match="not a map"):
        load(root, group_by=str(tmp_path / "list.json"))


def test_source_names():
    assert source_name("x/0a1b___RS_HL 1864 copy.JPG") == "rs_hl 1864"
    assert source_name("FREC_Scab 3335.JPG") == "frec_scab 3335"


@pytest.mark.parametrize(
    ("copy", "original"),
    [
        ("Corn___Common_rust", "Corn_(maize)___Common_rust_"),
        ("Tomato__Tomato_YellowLeaf__Curl_Virus", "Tomato___Tomato_Yellow_Leaf_Curl_Virus"),
        ("Pepper__bell___Bacterial_spot", "Pepper,_bell___Bacterial_spot"),
        (
            "Tomato_Spider_mites_Two_spotted_spider_mite",
            "Tomato___Spider_mites Two-spotted_spider_mite",
        ),
        ("Tomato__Target_Spot", "Tomato___Target_Spot"),
        ("Cherry___healthy", "Cherry_(including_sour)___healthy"),
        ("Background_without_leaves", "Background_without_leaves"),
    ],
)
def test_copies_of_plantvillage_get_the_original_names(copy, original):
    assert spelling("plantvillage", None)(copy) == original


def test_all_names_of_plantvillage_stay_distinct():
    spell = spelling("plantvillage", None)
    assert len(PLANTVILLAGE_CLASSES) == 38
    assert [spell(name) for name in PLANTVILLAGE_CLASSES] == list(PLANTVILLAGE_CLASSES)


def test_names_in_a_folder(photo_tree):
    root = photo_tree({"Corn___Common_rust": 3, "Corn___healthy": 3})
    table = load(root, names="plantvillage", rename={"Corn___healthy": "fine"})
    assert table.classes == ("Corn_(maize)___Common_rust_", "fine")
    with pytest.raises(DataError, match=r"data.names=flowers"):
        load(root, names="flowers")
