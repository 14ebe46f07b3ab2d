"""Parts of a run that its settings alone determine: the cut of its backbone, its head, its views.

Whoever rebuilds a trained run needs these, and nothing that trains.
"""

from torch import nn

from frostline.backbones.backbone import AsBuilt, Backbone
from frostline.backbones.split.cut import Cut, cut
from frostline.config.own_part import OwnAugment, OwnHead
from frostline.config.recipe import MlpHead
from frostline.config.schema import Settings
from frostline.data.augmentations import RandomRecipe, own_recipe
from frostline.plugins.part import build_part
from frostline.training.head import build_head, build_own_head


def cut_of(
    settings: Settings, backbone: Backbone, freeze: int | str, as_built: AsBuilt | None = None
) -> Cut:
    """A run's backbone frozen and cut at a depth.

    Args:
        settings: Of the run.
        backbone: Its backbone.
        freeze: The depth.
        as_built: What is known of its weights, while nothing has trained.
    """
    pool, depth = settings.head.pool, backbone.depth(freeze)
    return cut(backbone, depth, pool=pool, frozen_bn=settings.frozen_bn, as_built=as_built)


def head_of(settings: Settings, num_features: int, num_classes: int) -> nn.Sequential:
    """A run's classifier as it is before training."""
    if isinstance(settings.head, OwnHead):
        return build_own_head(settings.head, num_features, num_classes, seed=settings.seed)
    mlp = settings.head if isinstance(settings.head, MlpHead) else None
    return build_head(
        num_features,
        num_classes,
        hidden=mlp.hidden if mlp else None,
        dropout=settings.head.dropout,
        batch_norm=mlp is not None and mlp.batch_norm,
        seed=settings.seed,
    )


def augment_of(settings: Settings) -> RandomRecipe | None:
    """A run's own augmentation; None where it has one of ours."""
    augment = settings.augment
    if not isinstance(augment, OwnAugment):
        return None
    return own_recipe(build_part(augment), augment.name)
