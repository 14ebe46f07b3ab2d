"""The plain facts about a backbone: its input, where its weights came from, its stages."""

from dataclasses import dataclass, field
from typing import Literal

from frostline.config.data_settings import RGB_CHANNELS
from frostline.config.image_size import Sides, size_label

WeightsOrigin = Literal["packaged", "cache", "hub", "path", "random"]


@dataclass(frozen=True)
class InputSpec:
    """How an image is prepared for a backbone, as its weights were trained and evaluated.

    Attributes:
        size_px: Side of the square input in pixels; its height where it is no square.
        mean: Mean per channel (red, green, blue, if three), of values in [0, 1].
        std: Standard deviation per channel, of values in [0, 1].
        interpolation: Name of the resampling filter, such as `bicubic`.
        crop_pct: Side of the evaluation crop as a share of the resized image, in (0, 1].
        crop_mode: How the evaluation crop is taken: `center`, `squash` or `border`.
        fixed_size: True where the model is built for one size and takes no other.
        width_px: Width of a rectangle; None for a square.
    """

    size_px: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str
    crop_pct: float
    crop_mode: str
    fixed_size: bool
    width_px: int | None = None

    @property
    def in_chans(self) -> int:
        """Number of channels of an image."""
        return len(self.mean)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        return self.in_chans, self.size_px, self.width_px or self.size_px

    @property
    def sides(self) -> Sides:
        """Its one side if it is a square, else height and width, as timm's `img_size` takes it."""
        return self.size_px if self.width_px is None else (self.size_px, self.width_px)

    @property
    def size_label(self) -> int | str:
        """The size for tables and names: the side of a square, else such as `96x128`."""
        return size_label(*self.shape[1:])


def shape_text(shape: tuple[int, int, int]) -> str:
    """The size of an image in words: `224`, `224 x 320`; `5 x 224` with five channels."""
    channels, height, width = shape
    size = str(height) if height == width else f"{height} x {width}"
    return size if channels == RGB_CHANNELS else f"{channels} x {size}"


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
