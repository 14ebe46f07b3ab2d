"""Answer for image files with an exported network: what each `predict.py` does."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from frostline.config.data_settings import RGB_CHANNELS
from frostline.data.channels import (
    Channels,
    Picture,
    read_image,
    takes_arrays,
    with_channels,
)
from frostline.data.decode import UnreadableImageError
from frostline.data.deep_pixels import ValueRange
from frostline.data.geometry import Geometry, square
from frostline.errors import FrostlineError
from frostline.inference.answer import Answer
from frostline.inference.answer_files import as_dict, print_as_utf8, write_csv, write_json
from frostline.inference.image_files import find_images
from frostline.inference.portable.pass_order import resized_in_order

# Everything that is not code: classes, sizes, filter, mean and deviation.
STEPS_FILE = "inference.json"


@dataclass(frozen=True)
class Steps:
    """What the export says about itself, from `inference.json`.

    Attributes:
        classes: Names of the K classes, in the order of the probabilities.
        geometry: How an image becomes a square.
        mean: Mean per channel, of values in [0, 1].
        std: Standard deviation per channel, of values in [0, 1].
        backbone: timm's name of the network.
        tall_vertically_first: Whether tall images were resized vertically first in training.
        value_range: What is black and white in images of more than 8 bits; None: by their type.
    """

    classes: tuple[str, ...]
    geometry: Geometry
    mean: tuple[float, ...]
    std: tuple[float, ...]
    backbone: str
    tall_vertically_first: bool
    value_range: ValueRange | None = None


Probabilities = Callable[[Sequence[NDArray[np.uint8]]], NDArray[np.float32]]


class Network(NamedTuple):
    """An exported network.

    Attributes:
        prepare: Makes of an image, as `image_from` returns it, the array that the network takes.
        probabilities: Computes (N, K) float32 of N such arrays.
        value_range: As in the steps.
        in_chans: Channels that it takes.
    """

    prepare: Callable[[Picture], NDArray[np.uint8]]
    probabilities: Probabilities
    value_range: ValueRange | None
    in_chans: int = RGB_CHANNELS


Load = Callable[[Path, Steps], Network]


def read_steps(folder: Path) -> Steps:
    """Read `inference.json`.

    Raises:
        FrostlineError: If it is not there or is not what an export has.
    """
    file = folder / STEPS_FILE
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        steps = {step["step"]: step for step in content["preprocessing"]["steps"]}
        resize, crop, norm = steps["resize"], steps["crop"], steps["normalise"]
        to_channels = steps.get("to_rgb") or steps["to_channels"]
        geometry = Geometry(
            size_px=crop["size_px"] if "size_px" in crop else crop["height_px"],
            width_px=crop.get("width_px"),
            interpolation=resize["filter"],
            crop_pct=resize["crop_pct"],
            crop_mode=resize["crop_mode"],
            border=tuple(crop["fill"]),
        )
        return Steps(
            tuple(content["classes"]),
            geometry,
            tuple(norm["mean"]),
            tuple(norm["std"]),
            content["backbone"],
            resize["vertical_pass_first_if"] is not None,
            tuple(values) if (values := to_channels.get("value_range")) else None,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FrostlineError(
            f"{file} cannot be used: {type(error).__name__}: {error}",
            todo="keep the files of an export together",
        ) from None


def squares_of(arrays: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Stack N squares (S, S, C) as (N, C, S, S); of rectangles (height, width, C)."""
    return np.ascontiguousarray(np.stack(arrays).transpose(0, 3, 1, 2))


def to_square(steps: Steps) -> Callable[[Picture], NDArray[np.uint8]]:
    """A function from an image to the square (S, S, C) uint8 of the network."""
    geometry, tall_first = steps.geometry, steps.tall_vertically_first

    def prepare(image: Picture) -> NDArray[np.uint8]:
        image = with_channels(image, geometry.in_chans)
        if isinstance(image, Channels):
            planes = (
                resized_in_order(plane, geometry, tall_vertically_first=tall_first)
                for plane in image.planes
            )
            return square(Channels(tuple(planes)), geometry)
        return square(resized_in_order(image, geometry, tall_vertically_first=tall_first), geometry)

    return prepare


def network_of_squares(steps: Steps, probabilities: Probabilities) -> Network:
    """A network that takes squares, which are made for it."""
    return Network(to_square(steps), probabilities, steps.value_range, steps.geometry.in_chans)


def probabilities_of(
    network: Network, paths: Sequence[Path], batch_size: int
) -> Iterator[tuple[Path, NDArray[np.float32] | str]]:
    """Yield (K) probabilities of each file, or why it cannot be read, in their order."""
    for first in range(0, len(paths), batch_size):
        batch = paths[first : first + batch_size]
        found: list[NDArray[np.uint8] | str] = []
        for path in batch:
            try:
                found.append(
                    network.prepare(read_image(path, network.value_range, network.in_chans))
                )
            except UnreadableImageError as error:
                found.append(error.given)
        arrays = [one for one in found if not isinstance(one, str)]
        rows = iter(network.probabilities(arrays) if arrays else ())
        for path, one in zip(batch, found, strict=True):
            yield path, one if isinstance(one, str) else next(rows)


def answers(
    network: Network, paths: Sequence[Path], *, top: int, batch_size: int
) -> Iterator[Answer]:
    """Yield the most probable classes of each file, or why it cannot be read, in their order."""
    for path, found in probabilities_of(network, paths, batch_size):
        if isinstance(found, str):
            yield Answer(path, (), (), found)
            continue
        best = np.argsort(-found, kind="stable")[:top]
        yield Answer(path, tuple(best.tolist()), tuple(found[best].tolist()))


def run_script(load: Load, folder: Path) -> int:
    """The command line of `predict.py`.

    Args:
        load: Loads the network from the folder of the export.
        folder: That folder.

    Returns:
        The exit code: 0, 1 if no image could be read, 2 if the call was wrong.
    """
    parser = argparse.ArgumentParser(description="Classify images with the model beside this file.")
    parser.add_argument("images", metavar="IMAGES", nargs="+", help="files, folders, globs")
    parser.add_argument("--top", type=int, default=5, help="classes listed; default: 5")
    parser.add_argument("--json", action="store_true", help="print JSON instead of CSV")
    parser.add_argument("--batch-size", type=int, default=16, help="default: 16")
    given = parser.parse_args()
    if given.top < 1 or given.batch_size < 1:
        parser.error("--top and --batch-size are 1 or more")
    try:
        steps = read_steps(folder)
        found = find_images(given.images, arrays=takes_arrays(steps.geometry.in_chans))
        for note in found.notes():
            print(note, file=sys.stderr)
        paths = found.files
        network = load(folder, steps)
    except FrostlineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    top = min(given.top, len(steps.classes))
    unread = 0

    def counted() -> Iterator[Answer]:
        nonlocal unread
        for answer in answers(network, paths, top=top, batch_size=given.batch_size):
            unread += bool(answer.error)
            yield answer

    if given.json:
        print_as_utf8("backslashreplace")
        rows = (as_dict(answer, steps.classes) for answer in counted())
        write_json(rows, sys.stdout, lines=False)
    else:
        print_as_utf8("surrogateescape")
        write_csv(counted(), steps.classes, top, sys.stdout)
    return int(unread == len(paths))
