"""The small CNN that the book trains from scratch, registered with timm like any other model."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from timm.models import build_model_with_cfg, register_model
from timm.models._registry import generate_default_cfgs
from torch import Tensor, nn

_CHANNELS = (32, 64, 64)
_HIDDEN = 512


class BookCNN(nn.Module):
    """Three 3x3 convolutions (32, 64, 64), each ReLU, max-pool, dropout; fc 512; a classifier.

    The layer of 512 is between the last stage and the classifier, so without the classifier it
    is part of the backbone, whose features are 512 wide. With 33 classes and 64 px the
    whole has 2,170,913 parameters.

    Args:
        num_classes: Outputs of the classifier; 0 leaves it out.
        in_chans: Channels of the input.
        img_size: Side of the input in pixels, or height and width, multiples of 8; sets the width
            of the flattened map.
        global_pool: `flatten` keeps the flatten and the layer of 512, an empty string returns
            the map as it is.
        conv_drop_rate: Dropout after each convolution.
        drop_rate: Dropout after the layer of 512.

    Raises:
        ValueError: The size is too small to be halved three times.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_chans: int = 3,
        img_size: int | tuple[int, int] = 64,
        global_pool: str = "flatten",
        conv_drop_rate: float = 0.25,
        drop_rate: float = 0.5,
    ) -> None:
        super().__init__()
        sides = (img_size, img_size) if isinstance(img_size, int) else tuple(img_size)
        if min(sides) < 2 ** len(_CHANNELS):
            raise ValueError(f"book_cnn needs an image of at least 8 px, not {min(sides)}")
        self.num_classes = num_classes
        self.in_chans = in_chans
        self.global_pool = global_pool
        self.feature_info = [
            {"num_chs": channels, "reduction": 2 ** (index + 1), "module": f"features.{index}"}
            for index, channels in enumerate(_CHANNELS)
        ]
        widths = (in_chans, *_CHANNELS)
        self.features = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(before, after, kernel_size=3, padding=1),
                    nn.ReLU(),
                    nn.MaxPool2d(2),
                    nn.Dropout(conv_drop_rate),
                )
                for before, after in pairwise(widths)
            )
        )
        height, width = (side // 2 ** len(_CHANNELS) for side in sides)
        self.hidden = nn.Sequential(
            nn.Flatten(1),
            nn.Linear(_CHANNELS[-1] * height * width, _HIDDEN),
            nn.ReLU(),
            nn.Dropout(drop_rate),
        )
        self.num_features = _CHANNELS[-1]
        self.head_hidden_size = _HIDDEN
        self.fc = nn.Linear(_HIDDEN, num_classes) if num_classes > 0 else nn.Identity()

    def get_classifier(self) -> nn.Module:
        """Return the last layer."""
        return self.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Give the model a new last layer, or none with 0 classes.

        Raises:
            ValueError: The pooling is neither `flatten` nor an empty string.
        """
        if global_pool is not None:
            if global_pool not in ("flatten", ""):
                raise ValueError(f"book_cnn pools with flatten or not at all, not {global_pool}")
            self.global_pool = global_pool
        self.num_classes = num_classes
        self.fc = nn.Linear(_HIDDEN, num_classes) if num_classes > 0 else nn.Identity()

    def forward_features(self, x: Tensor) -> Tensor:
        """Map images `(N, 3, S, S)` float to `(N, 64, S/8, S/8)`."""
        features: Tensor = self.features(x)
        return features

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Map `(N, 64, S/8, S/8)` to `(N, 512)` and on to the classes."""
        if not self.global_pool:
            return x
        x = self.hidden(x)
        return x if pre_logits else self.fc(x)

    def forward(self, x: Tensor) -> Tensor:
        """Map images `(N, 3, S, S)` float to `(N, classes)`."""
        return self.forward_head(self.forward_features(x))


default_cfgs = generate_default_cfgs(
    {
        "book_cnn": {
            "input_size": (3, 64, 64),
            "fixed_input_size": True,
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "first_conv": "features.0.0",
            "classifier": "fc",
        }
    }
)


@register_model
def book_cnn(pretrained: bool = False, **kwargs: Any) -> BookCNN:
    """Build the book's CNN; there are no pretrained weights for it."""
    build: Callable[..., BookCNN] = build_model_with_cfg
    return build(BookCNN, "book_cnn", pretrained, **kwargs)
