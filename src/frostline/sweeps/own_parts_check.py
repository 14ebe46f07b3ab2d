"""A user's own parts, tried on a few numbers before the first job starts."""

import torch

from frostline.config.image_size import sides_of
from frostline.config.own_part import OwnHead, OwnLoss, OwnOptimizer
from frostline.config.schema import Settings
from frostline.errors import FrostlineError
from frostline.plugins.part import failed
from frostline.training.epoch_logs import own_callbacks
from frostline.training.head import build_own_head
from frostline.training.loss import build_own_loss
from frostline.training.optim import build_optimizer
from frostline.training.parts import augment_of

_SMALL_PX = 32


def check_own_parts(settings: Settings) -> None:
    """Build and try each of the user's own parts on a few numbers.

    Args:
        settings: Of a job that has parts of the user's own.

    Raises:
        PluginError: If one cannot be imported, built or used.
    """
    if isinstance(settings.head, OwnHead):
        build_own_head(settings.head, 8, 3, seed=settings.seed)
    if isinstance(settings.loss, OwnLoss):
        weights = torch.ones(3) if settings.loss.class_weights else None
        build_own_loss(settings.loss, weights)
    if isinstance(settings.optimizer, OwnOptimizer):
        build_optimizer(settings.optimizer, [torch.nn.Parameter(torch.zeros(2, 2))], 1e-3)
    own_callbacks(settings.callbacks.own)
    if (augment := augment_of(settings)) is not None:
        shape = (settings.in_chans, *_small_sides(settings))
        images = torch.full((2, *shape), 128, dtype=torch.uint8)
        try:
            augment(images, 0)
        except FrostlineError:
            raise
        except Exception as error:
            raise failed(
                getattr(settings.augment, "target", ""),
                f"fails on an image {shape}",
                error,
            ) from error


def _small_sides(settings: Settings) -> tuple[int, int]:
    """Height and width of a small image that lies or stands as those of the run do."""
    height, width = sides_of(settings.image_size or _SMALL_PX)
    lies, stands = width > height, height > width
    return _SMALL_PX * (1 + stands), _SMALL_PX * (1 + lies)
