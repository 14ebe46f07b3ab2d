"""`frostline.load(RUN)`: a trained run that classifies images."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from frostline.errors import ConfigError
from frostline.scratch import ScratchFolder

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

    from frostline.inference.answer import Answer
    from frostline.inference.predictor import Predictor

Picture: TypeAlias = "str | Path | Image"
_BATCH = 32
# Modes of Pillow that a PNG holds with its transparency, and others that a TIFF holds.
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
_TIFF_MODES = frozenset({"CMYK", "F", "I", "LAB", "YCbCr"})


class Model:
    """A trained run, ready to classify.

    Attributes:
        name: The run's name.
        classes: Names of its classes, in the order of its probabilities.
    """

    def __init__(self, name: str, classes: tuple[str, ...], predictor: "Predictor") -> None:
        self.name = name
        self.classes = classes
        self._predictor = predictor

    def __repr__(self) -> str:
        return f"Model({self.name}, {len(self.classes)} classes)"

    def __call__(self, images: "Picture | Sequence[Picture]", *, top: int = 1) -> "pd.DataFrame":
        """Classify files, folders, glob patterns or opened pictures of Pillow.

        Args:
            images: One or several of them.
            top: Classes in an answer.

        Returns:
            One row an image, as `python -m src.predict` writes them: `file`, `class`,
            `probability`, `class_2`, ..., `error` where it could not be read.

        Raises:
            DataError: If a file or folder does not exist, or nothing was given.
        """
        import pandas as pd

        from frostline.data.channels import takes_arrays
        from frostline.inference.answer_files import columns_of
        from frostline.inference.image_files import find_images

        given: list[Any] = (
            list(images)
            if isinstance(images, Sequence) and not isinstance(images, str)
            else [images]
        )
        with _as_files(given) as (words, names):
            found = find_images(words, arrays=takes_arrays(self._predictor.geometry.in_chans))
            for note in found.notes():
                warnings.warn(note, stacklevel=2)
            paths = found.files
            top = min(top, len(self.classes))
            answers = self._predictor.answers(paths, top=top, batch_size=_BATCH)
            rows = [_row(answer, self.classes, top) for answer in answers]
        table = pd.DataFrame(rows, columns=columns_of(top))
        table["file"] = [names.get(str(file), str(file)) for file in table["file"]]
        return table


def load(run: str, *, uri: str | None = None, threads: int | None = None) -> Model:
    """Load a trained run.

    Args:
        run: A run id or the beginning of one, a run's name, `best:SWEEP`, or a checkpoint's path.
        uri: Of the tracking store; None for the default one of the current folder.
        threads: CPU threads; None for one a core.

    Raises:
        TrackingError: If there is no such run.
        CheckpointError: If its checkpoint is damaged.
    """
    from frostline.inference.predictor import Predictor
    from frostline.inference.rebuild import rebuild_run
    from frostline.inference.run_engine import engine_here
    from frostline.tracking.store import open_store
    from frostline.training.engine import prepare_process

    prepare_process(threads)
    rebuilt = rebuild_run(lambda: open_store(uri, "Default"), run)
    predictor = Predictor(
        rebuilt.network,
        rebuilt.preprocess,
        rebuilt.geometry,
        engine_here(rebuilt).accelerator,
        "32-true",
        rebuilt.value_range,
    )
    return Model(rebuilt.name, rebuilt.classes, predictor)


def _row(answer: "Answer", classes: Sequence[str], top: int) -> list[Any]:
    best = [
        cell
        for place, probability in zip(answer.top, answer.probs, strict=True)
        for cell in (classes[place], probability)
    ]
    return [str(answer.path), *best, *[None] * (2 * top - len(best)), answer.error or None]


def _is_picture(value: Any) -> bool:
    from PIL.Image import Image

    return isinstance(value, Image)


def _saved(picture: "Image", path: Path) -> Path:
    """Write a picture as it is decoded, turned upright later by what it says of itself.

    Args:
        picture: Of any mode.
        path: The file, without the suffix of the format that holds this mode.
    """
    exif = picture.getexif()
    if picture.mode not in _PNG_MODES | _TIFF_MODES:
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    file = path.with_suffix(".png" if picture.mode in _PNG_MODES else ".tiff")
    picture.save(file, exif=exif) if exif else picture.save(file)
    return file


@contextmanager
def _as_files(given: "Sequence[Any]") -> Iterator[tuple[list[str], dict[str, str]]]:
    """Words for `find_images`, opened pictures as files, and what those are called in answers."""
    with ScratchFolder("pictures") as folder:
        words: list[str] = []
        names: dict[str, str] = {}
        for place, each in enumerate(given):
            if isinstance(each, str | Path):
                words.append(str(each))
            elif _is_picture(each):
                file = _saved(each, folder / str(place))
                words.append(str(file))
                names[str(file)] = getattr(each, "filename", "") or f"picture {place}"
            else:
                raise ConfigError(
                    f"a {type(each).__name__} is no picture",
                    "paths, patterns or pictures of Pillow",
                )
        yield words, names
