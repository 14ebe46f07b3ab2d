"""A small network of one's own, registered with timm as timm's own are."""

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

WIDTHS = (16, 32, 64)


class LeafNet(nn.Module):
    """Three blocks, each half as large and twice as wide as the one before."""

    def __init__(
        self, num_classes: int = 1000, in_chans: int = 3, global_pool: str = "avg", **_: Any
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.num_features = self.head_hidden_size = WIDTHS[-1]
        self.global_pool = global_pool
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ReLU())
                for before, after in zip((in_chans, *WIDTHS), WIDTHS, strict=False)
            )
        )
        # From these Frostline reads the stages that `freeze` counts.
        self.feature_info = [
            {"num_chs": width, "reduction": 2 ** (number + 1), "module": f"blocks.{number}"}
            for number, width in enumerate(WIDTHS)
        ]
        self.fc = nn.Linear(WIDTHS[-1], num_classes) if num_classes else nn.Identity()

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Give it a new last layer, or none with 0 classes."""
        self.global_pool = self.global_pool if global_pool is None else global_pool
        self.num_classes = num_classes
        self.fc = nn.Linear(WIDTHS[-1], num_classes) if num_classes else nn.Identity()

    def forward_features(self, images: Tensor) -> Tensor:
        """Images (N, 3, S, S) to maps (N, 64, S/8, S/8)."""
        return self.blocks(images)

    def forward_head(self, maps: Tensor, pre_logits: bool = False) -> Tensor:
        """Maps to features (N, 64), and on to the classes."""
        pooled = maps.mean((2, 3)) if self.global_pool else maps
        return pooled if pre_logits else self.fc(pooled)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, S, S) to logits (N, classes)."""
        return self.forward_head(self.forward_features(images))


default_cfgs = generate_default_cfgs(
    {
        "leafnet": {
            "input_size": (3, 64, 64),
            "mean": (0.5, 0.5, 0.5),
            "std": (0.25, 0.25, 0.25),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "first_conv": "blocks.0.0",
            "classifier": "fc",
        }
    }
)


@register_model
def leafnet(pretrained: bool = False, **kwargs: Any) -> LeafNet:
    """Build it; there are no pretrained weights, so take weights=random or weights=PATH."""
    return build_model_with_cfg(LeafNet, "leafnet", pretrained, **kwargs)
