"""Images of more than 8 bits: one range for a data set, the same wherever they are read."""

import json
import tracemalloc

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from frostline.config.conf_files import CONF
from frostline.config.identity import config_digest
from frostline.config.read import settings_of
from frostline.data.decode import decode_file
from frostline.data.deep_pixels import extent_of
from frostline.data.load import load_table
from frostline.data.sources.folder import load_folder
from frostline.errors import ConfigError, DataError
from frostline.inference.other_data import data_of

RAMP = np.tile(np.linspace(0, 1, 64), (8, 1))


def write(folder, name, values):
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(folder / f"{name}.tiff")


def folder_of(root, *pictures):
    """Two classes with the same pictures, which differ by one value."""
    for shift, kind in enumerate(("a", "b")):
        for number, values in enumerate(pictures):
            changed = values.copy()
            changed[0, 0] += changed.dtype.type(shift * (1 if values.dtype.kind != "f" else 1e-6))
            write(root / kind, f"{number}", changed)
    return root


def greys(table):
    return [np.asarray(table.open_image(item))[:, :, 0] for item in table.items]


def scaled(values, dtype):
    return (RAMP * values).astype(dtype)


@pytest.mark.parametrize(
    ("pictures", "expected"),
    [
        ([scaled(4095, np.uint16), scaled(900, np.uint16)], (0, 4095)),  # a camera of 12 bits
        ([scaled(16383, np.uint16)], (0, 16383)),
        ([scaled(65535, np.uint16), scaled(200, np.uint16)], (0, 65535)),
        ([scaled(255, np.int32), scaled(256, np.int32)], (0, 1023)),  # one value brighter
        ([scaled(70000, np.int32)], (0, 2**24 - 1)),
        ([(RAMP * 2000 - 1000).astype(np.int32)], (-1000, 1000)),  # Hounsfield units
        ([scaled(1, np.float32)], (0, 1)),
        ([scaled(1, np.float32), scaled(1.5, np.float32)], (0, 1.5)),  # a hot pixel
        ([(RAMP * 2 - 1).astype(np.float32)], (-1, 1)),
        ([scaled(255, np.float32), scaled(3, np.float32)], (0, 255)),
        ([scaled(10000, np.float32)], (0, 10000)),  # reflectance
    ],
)
def test_one_range_for_all_images_of_a_data_set(tmp_path, pictures, expected):
    table = load_folder(str(folder_of(tmp_path / "photos", *pictures)), on_bad_image="error")
    assert table.value_range == pytest.approx(expected, abs=1e-5)
    assert table.profile()["value_range"] == list(table.value_range)
    assert any("have more than 8 bits" in note for note in table.notes)
    low, high = expected
    for values, grey in zip(pictures, greys(table), strict=False):
        wanted = np.rint((values.astype(np.float64) - low) * 255 / (high - low))
        assert np.abs(grey.astype(int) - wanted).max() <= (1 if values.dtype.kind == "f" else 0)


def test_a_typed_range_is_used_and_belongs_to_the_fingerprint(tmp_path):
    root = folder_of(tmp_path / "photos", scaled(4095, np.uint16))
    auto = load_folder(str(root), on_bad_image="error")
    typed = load_folder(str(root), on_bad_image="error", value_range=[0, 1000])
    same = load_folder(str(root), on_bad_image="error", value_range=[0, 4095])
    assert typed.value_range == (0.0, 1000.0)
    assert (greys(typed)[0] == 255).mean() > 0.7  # cut off
    assert auto.fingerprint == same.fingerprint != typed.fingerprint


def test_pictures_of_8_bits_know_no_range(tmp_path):
    root = folder_of(tmp_path / "photos", scaled(255, np.uint8))
    plain = load_folder(str(root), on_bad_image="error")
    typed = load_folder(str(root), on_bad_image="error", value_range=[0, 100])
    assert plain.value_range is typed.value_range is None
    assert plain.fingerprint == typed.fingerprint
    assert "value_range" not in plain.profile()


def test_integers_and_floats_need_a_typed_range(tmp_path):
    root = folder_of(tmp_path / "photos", scaled(4095, np.uint16), scaled(1, np.float32))
    with pytest.raises(DataError, match=r"2 images have integers .* 2 have floats") as refused:
        load_folder(str(root), on_bad_image="error")
    assert "data.value_range=[LOW,HIGH]" in str(refused.value)
    load_folder(str(root), on_bad_image="error", value_range=[0, 4095])


def test_nothing_but_not_a_number_is_black(tmp_path):
    write(tmp_path, "x", np.array([[np.nan, np.inf, -np.inf, 0.5]], dtype=np.float32))
    grey = np.asarray(decode_file(tmp_path / "x.tiff", (0.0, 1.0)))[0, :, 0]
    assert grey.tolist() == [0, 255, 0, 128]
    assert extent_of(Image.open(tmp_path / "x.tiff")) == (0.5, 0.5)


def settings(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return settings_of(compose("train", overrides=["data=folder", *overrides]))


@pytest.mark.parametrize("value", ["[1]", "[5,5]", "[9,1]", "wide", "[a,b]", "4095"])
def test_a_range_that_is_none_is_refused(tmp_path, value):
    with pytest.raises(ConfigError, match=r"data\.value_range=.*allowed is auto, or black and"):
        settings(f"data.path={tmp_path}", f"data.value_range={value}")


def test_the_setting_reaches_the_table_and_other_data_are_read_as_the_run_was(tmp_path):
    root = folder_of(tmp_path / "photos", scaled(4095, np.uint16))
    own = settings(f"data.path={root}", "data.value_range=[0,2000]")
    assert load_table(own.data).value_range == (0.0, 2000.0)
    assert config_digest(own) == config_digest(settings(f"data.path={root}"))
    # --data: as the run was trained, or as the words say.
    assert data_of([str(root)], own, (0.0, 2000.0)).value_range == [0.0, 2000.0]
    assert data_of([str(root), "value_range=[0,9]"], own, (0.0, 2000.0)).value_range == [0, 9]
    assert data_of([str(root)], own, None).value_range == "auto"


def test_deep_pictures_are_converted_in_bands(tmp_path):
    """Traced are numpy's arrays: not one of floats as large as the picture."""
    values = np.zeros((6000, 4000), np.uint16)
    values[-1, -1] = 4095
    write(tmp_path, "large", values)
    tracemalloc.start()
    image = decode_file(tmp_path / "large.tiff", (0.0, 4095.0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert image.getpixel((3999, 5999)) == (255, 255, 255)
    assert peak < 5 * values.size + 2**27  # 24 megapixels as float64 are 8 bytes each, and copies


def test_an_export_says_the_range_and_uses_it(tmp_path):
    from frostline.inference.formats.inference_facts import _deep_grey
    from frostline.inference.portable.answers import Network, probabilities_of

    write(tmp_path, "x", scaled(4095, np.uint16))
    assert json.loads(json.dumps(_deep_grey((0.0, 4095.0))))["value_range"] == [0, 4095]
    assert "value_range" not in _deep_grey(None)

    def brightness(arrays):
        return np.array([[array.mean()] for array in arrays], np.float32)

    for value_range, expected in (((0.0, 4095.0), 127.5), (None, 7.97)):
        network = Network(np.asarray, brightness, value_range)
        ((_, found),) = probabilities_of(network, [tmp_path / "x.tiff"], 1)
        assert float(found[0]) == pytest.approx(expected, abs=0.2)
