"""One side or height and width: what is typed, what is refused, what is recorded."""

import pytest

from frostline.config.identity import config_digest
from frostline.config.recorded_config import recorded_settings
from frostline.errors import ConfigError
from tests.config.test_read_settings import settings


def test_an_int_stays_an_int_and_a_rectangle_is_a_list_in_the_record() -> None:
    assert settings("image_size=96").model_dump(mode="json")["image_size"] == 96
    assert type(settings("image_size=96").image_size) is int
    lying = settings("image_size=[96,128]")
    assert lying.image_size == (96, 128)
    recorded = lying.model_dump(mode="json")
    assert recorded["image_size"] == [96, 128]
    assert recorded_settings(recorded).image_size == (96, 128)


def test_a_rectangle_of_equal_sides_is_the_square() -> None:
    assert settings("image_size=[96,96]").image_size == 96
    sizes = ("image_size=96", "image_size=[96,96]", "image_size=[96,128]", "image_size=[128,96]")
    digests = [config_digest(settings(word)) for word in sizes]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("[224]", ["one side of a square, or [height,width]", "write image_size=224"]),
        ("[0,5]", ["8 or more", "image_size=[224,320] is 224 px high and 320 px wide"]),
        ("[224.5,320]", ["two whole numbers"]),
        ("[96,x]", ["two whole numbers"]),
        ("[96,true]", ["two whole numbers"]),
        ("[96,128,160]", ["[height,width]", "for one job each: -m image_size=96,128,160"]),
        ("[]", ["[height,width]"]),
        ("224x320", ["height and width are a list: image_size=[224,320]"]),
        ("224x224", ["one side is enough", "image_size=224"]),
        ("224.5", ["a whole number"]),
        ("abc", ["a whole number"]),
        ("4", ["8 or more"]),
        ("224px", ["write the number alone: image_size=224"]),
        ("96-128", ["a whole number", "-m 'image_size=range(96,129)'"]),
    ],
)
def test_what_is_no_size_leads_to_how_one_is_written(given: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(f"image_size={given}")
    for part in ("image_size=", *parts):
        assert part in str(caught.value)
    assert str(caught.value).count("image_size=96,128,160") == (given == "[96,128,160]")


def test_two_numbers_without_a_list_may_be_two_jobs_or_a_rectangle() -> None:
    with pytest.raises(ConfigError) as caught:
        settings("image_size=224,320")
    assert "add -m" in str(caught.value)
    assert "image_size=[HEIGHT,WIDTH]" in str(caught.value)
