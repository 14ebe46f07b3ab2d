"""The config group `data`: the settings of each source of images."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from frostline.config.strict_model import Count, Fraction, PositiveFraction, StrictModel

# Red, green and blue.
RGB_CHANNELS = 3


class DataSettings(StrictModel):
    """Settings of every data source: how images are split, sampled and held in memory."""

    val_frac: Annotated[float, Field(gt=0.0, lt=1.0)]
    test_frac: Annotated[float, Field(gt=0.0, lt=1.0)]
    split_seed: int | None
    split_file: str | None
    folds: Annotated[int, Field(ge=3)] | None
    fold: Annotated[int, Field(ge=0)]
    missing_class: Literal["error", "allow"]
    fraction: PositiveFraction
    sampling: Literal["natural", "balanced"]
    memory_gib: Annotated[float, Field(gt=0)]
    corrections: Annotated[str, Field(min_length=1)] | None


def _value_range(value: Any) -> Any:
    """Accept what is black and what is white, or `auto`."""
    is_pair = isinstance(value, list | tuple) and len(value) == 2
    if value != "auto" and not (
        is_pair
        and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
        and value[0] < value[1]
    ):
        raise ValueError("allowed is auto, or black and white as [LOW,HIGH] such as [0,4095]")
    return value if value == "auto" else list(value)


class FileData(DataSettings):
    """Settings of every source of image files."""

    path: str
    splits: dict[str, Literal["train", "val", "test"] | None] | None
    on_bad_image: Literal["error", "skip"]
    group_by: str | None
    names: str | None
    rename: dict[str, str] | None
    value_range: Annotated[list[float] | Literal["auto"], BeforeValidator(_value_range)]


class LeavesData(DataSettings):
    """The built-in drawings."""

    source: Literal["leaves"]
    n_images: Count
    size_px: Annotated[int, Field(ge=16, le=1024)]
    n_species: Count
    n_conditions: Annotated[int, Field(ge=1, le=5)]
    photos_per_leaf: Count
    variant: Literal["color", "grayscale", "segmented"]
    background: Literal["lab", "field"]
    imbalance: Annotated[float, Field(ge=1.0)]
    shortcut: Fraction
    leak: Fraction
    split_by: Literal["leaf", "photo"]
    test_images: Annotated[int, Field(ge=0)]
    test_background: Literal["lab", "field"] | None
    draw_seed: int


class FolderData(FileData):
    """ROOT/class/..., or ROOT/{train,val,test}/class/..."""

    source: Literal["folder"]
    label_pattern: str | None


class ArchiveData(FileData):
    """A .zip or .tar of such a folder."""

    source: Literal["archive"]
    label_pattern: str | None


class CsvData(FileData):
    """A table of images and labels."""

    source: Literal["csv"]
    images: str | None
    image_column: str | None
    label_column: str | list[str] | None
    split_column: str | None
    label_names: str | list[str] | dict[str, str] | None
    on_bad_label: Literal["error", "skip"]


class HubData(FileData):
    """A data set in the format of Hugging Face `datasets`."""

    source: Literal["hub"]
    config: str | None
    revision: str | None
    image_column: str | None
    label_column: str | None
    on_bad_label: Literal["error", "skip"]


class IdxData(FileData):
    """A folder of files in the IDX format, as MNIST's."""

    source: Literal["idx"]
    label_names: str | list[str] | dict[str, str] | None


DataChoice = LeavesData | FolderData | ArchiveData | CsvData | HubData | IdxData
