"""Python values come back from Hydra's own grammar as they were given."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from frostline.api.hydra_words import words_of
from frostline.errors import ConfigError

PARSER = OverridesParser.create()


def read_back(word: str) -> list[Any]:
    override = PARSER.parse_override(word)
    if override.is_sweep_override():
        return [
            PARSER.parse_override(f"key={each}").value()
            for each in override.sweep_string_iterator()
        ]
    return [override.value()]


@pytest.mark.parametrize(
    "value",
    [
        0, -3, 0.001, 1e-30, True, False, None, "resnet50", "true", "1e-3", "off", "", " a b ",
        "it's", "it\\'s", "back\\", "a,b", "{x: 1}", "[1, 2]", "${oops}", "na\u00efve \U0001f343",
        "C:\\photos\\new", "x=y", "sweep(1)", "#1", "a:b", "'quoted'", '"double"',
    ],
)  # fmt: skip
def test_one_value(value: Any) -> None:
    (word,) = words_of({"key": value})
    (read,) = read_back(word)
    assert str(read) == str(value) and (type(read) is type(value) or isinstance(value, str))


def test_a_list_is_swept_over_and_a_tuple_or_a_dict_is_one_value() -> None:
    assert words_of({"freeze": [0, 2, "all"]}) == ["freeze=0,2,all"]
    assert words_of({"seed": range(3)}) == ["seed=0,1,2"]
    (word,) = words_of({"image_size": (224, 320)})
    assert read_back(word) == [[224, 320]]
    (word,) = words_of({"tune__over": {"lr": (1e-3, 1e-2)}})
    assert word.startswith("tune.over=")
    assert read_back(word) == [{"lr": [1e-3, 1e-2]}]


def test_arrays_of_numbers_are_swept_over_like_lists() -> None:
    assert words_of({"lr": np.array([1e-4, 1e-3])}) == ["lr=0.0001,0.001"]
    assert words_of({"freeze": np.arange(3)}) == ["freeze=0,1,2"]
    assert words_of({"seed": pd.Series([4, 2])}) == ["seed=4,2"]
    assert words_of({"epochs": np.int64(3), "lr": np.float64(0.5)}) == ["epochs=3", "lr=0.5"]
    assert words_of({"image_size": tuple(np.array([224, 320]))}) == ["image_size=[224, 320]"]
    with pytest.raises(ConfigError, match="an empty list"):
        words_of({"lr": np.array([])})


def test_a_path_as_data_is_the_folder_table_or_archive_there(tmp_path: Path) -> None:
    for name, source in {"a b": "folder", "t.csv": "csv", "p.tar.gz": "archive"}.items():
        first, second = words_of({"data": tmp_path / name})
        assert first == f"data={source}"
        assert read_back(second) == [str(tmp_path / name)]
    assert words_of({"data": "leaves"}) == ["data=leaves"]


@pytest.mark.parametrize(
    ("given", "said"),
    [({"lr": []}, "an empty list"), ({"a b": 1}, "cannot be a key"), ({"lr": object()}, "object")],
)
def test_what_no_command_can_hold_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        words_of(given)
