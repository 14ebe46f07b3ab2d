"""The plain facts about a backbone: its input, where its weights came from, its stages."""

from dataclasses import dataclass, field
from typing import Literal

WeightsOrigin = Literal["packaged", "cache", "hub", "path", "random"]


@dataclass(frozen=True)
class InputSpec:
    """How an image is prepared for a backbone, as its weights were trained and evaluated.

    Attributes:
        size_px: Side of the square input in pixels.
        mean: Mean per RGB channel, of values in [0, 1].
        std: Standard deviation per RGB channel, of values in [0, 1].
        interpolation: Name of the resampling filter, such as `bicubic`.
        crop_pct: Side of the evaluation crop as a share of the resized image, in (0, 1].
        crop_mode: How the evaluation crop is taken: `center`, `squash` or `border`.
        fixed_size: True where the model is built for one size and takes no other.
    """

    size_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    crop_pct: float
    crop_mode: str
    fixed_size: bool


@dataclass(frozen=True)
class WeightsInfo:
    """Where the weights of a backbone came from.

    Attributes:
        source: The kind of place.
        where: A name that is the same on every machine: a package and its version, a hub
            repository, a file's name; never an absolute path.
        digest: sha256 hex over the names, shapes and bytes of all parameters and buffers.
        missing: Tensors of the model that the file does not have.
        unexpected: Tensors of the file that the model does not have, except the classifier's.
        mismatched: Tensors in both whose shapes differ.
        file_digest: sha256 hex of the file's bytes; empty for random weights.
        path: Where in the file they were, such as `teacher.backbone`; empty for the whole file.
        adapted: What was done to a first layer of other channels; empty if nothing.
        partial: The share of the model that the file has; empty if it has all of it.
    """

    source: WeightsOrigin
    where: str
    digest: str
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()
    file_digest: str = ""
    path: str = ""
    adapted: str = ""
    partial: str = ""


@dataclass(frozen=True)
class Boundary:
    """A point in the forward pass: just before or just after a module of the model.

    Attributes:
        module: Path of the module inside the model.
        edge: `enter` is just before it runs, `exit` just after.
    """

    module: str
    edge: Literal["enter", "exit"]


@dataclass(frozen=True)
class Stage:
    """One step of the stage scale; stages are numbered from 1 in the order in which they run.

    Attributes:
        number: 1 for the stage next to the image.
        modules: The largest modules that lie wholly in this stage, and tensors outside of modules.
        tensors: Names of its parameters and buffers in the model's state.
        params: Number of values in its parameters.
        flops: Floating-point operations of its forward pass for one image.
        end: Where it ends; None for the last one, which ends with the model.
        out_shape: Shape of its output, without the batch axis.
    """

    number: int
    modules: tuple[str, ...]
    tensors: tuple[str, ...]
    params: int
    flops: int
    end: Boundary | None
    out_shape: tuple[int, ...] = field(default=())
