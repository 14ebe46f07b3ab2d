"""mixup and cutmix from torchvision, with draws that depend on (seed, epoch, batch)."""

from typing import TYPE_CHECKING

from torch import Tensor

from frostline.data.seeds import derive_seed, own_draws
from frostline.errors import ConfigError

if TYPE_CHECKING:
    from torchvision.transforms import v2

MIXES = ("none", "mixup", "cutmix")


class BatchMix:
    """Mixes the images of a training batch and, in the same shares, their labels.

    Args:
        name: One of `MIXES`.
        alpha: Both parameters of the beta distribution of the shares, > 0.
        n_classes: K.
        seed: The run's seed.

    Raises:
        ConfigError: If there is no such mix.

    Source: mixup, Zhang 2018 (arXiv:1710.09412); CutMix, Yun 2019 (arXiv:1905.04899).
    """

    def __init__(self, name: str, *, alpha: float, n_classes: int, seed: int) -> None:
        if name not in MIXES:
            raise ConfigError(f"mix={name}: there is no such mix", ", ".join(MIXES))
        self.name = name
        self._seed = seed
        self._mix = _build(name, alpha, n_classes)

    def __call__(
        self, images: Tensor, labels: Tensor, *, epoch: int, batch_idx: int
    ) -> tuple[Tensor, Tensor]:
        """Mix one batch.

        Args:
            images: (B, 3, S, S) float, normalised.
            labels: (B) int64.
            epoch: 0-based; determines the draw, with the seed and `batch_idx`.
            batch_idx: 0-based within the epoch.

        Returns:
            The mixed images, and labels as shares (B, K) float that sum to 1; with `none`, both
            unchanged.
        """
        if self._mix is None:
            return images, labels
        # torchvision draws from the global CPU generator, which is restored afterwards.
        with own_draws(derive_seed(self._seed, "mix", epoch, batch_idx), images):
            mixed, shares = self._mix(images, labels)
        return mixed, shares


def _build(name: str, alpha: float, n_classes: int) -> "v2.Transform | None":
    if name == "none":
        return None
    from torchvision.transforms import v2

    kind = {"mixup": v2.MixUp, "cutmix": v2.CutMix}[name]
    return kind(alpha=alpha, num_classes=n_classes)
