"""A first guess at which backbones suit the images: it orders a race's cells, and drops none.

Under a budget a race may end before all cells were looked at, so the order matters. Nearest
neighbours on a backbone's last features cost one pass over the training images, a thousand of them
at most, and are kept for the next command. They say something about backbones, and nothing proven
about depths (docs/strategies.md), which therefore keep their order.

Source:
    arXiv:2503.18528: nearest neighbours as a cheap predictor of what fine-tuning reaches.
"""

from collections.abc import Callable, Mapping, Sequence

from frostline.config.data_settings import RGB_CHANNELS
from frostline.config.schema import Settings
from frostline.errors import FrostlineError

# What cells must share, so that their backbones are measured on the same images.
_SHARED = ("data", "image_size", "in_chans", "weights", "weights_key", "weights_partial")


def can_guess(cells: Sequence[Settings]) -> bool:
    """Whether there are several pretrained backbones to put in order, on the same images."""
    first = cells[0]
    return (
        len({one.backbone for one in cells}) > 1
        and first.weights != "random"
        and first.in_chans == RGB_CHANNELS
        and all(getattr(one, key) == getattr(first, key) for one in cells for key in _SHARED)
    )


def guess(cells: Sequence[Settings], *, on_progress: Callable[..., None]) -> dict[str, float] | str:
    """Measure each backbone on the training images of the first seed, or read what is kept.

    Args:
        cells: One job of each cell.
        on_progress: Receives `text=`.

    Returns:
        Backbone to the macro accuracy of nearest neighbours; or why there is no guess.
    """
    from frostline.advice.choose import split_seed_of
    from frostline.advice.measures.measurement_cache import cached_measure
    from frostline.data.load import load_table, split_of

    first = cells[0]
    table = load_table(first.data, in_chans=first.in_chans)
    train = split_of(table, first.data, seed=first.seed).train
    found = {}
    for backbone in dict.fromkeys(one.backbone for one in cells):
        try:
            measured = cached_measure(
                table,
                train,
                backbone=backbone,
                weights=first.weights,
                weights_key=first.weights_key,
                weights_partial=first.weights_partial,
                image_size=first.image_size,
                seed=split_seed_of(first),
                on_progress=lambda text: on_progress(text=f"a first guess from {text}"),
            )
        except FrostlineError as error:
            return f"{backbone}: {error.given}"
        found[backbone] = measured.stages[-1].knn
    return found


def guess_line(found: Mapping[str, float] | str) -> str:
    """A line for the terminal."""
    if isinstance(found, str):
        return f"no first guess ({found}): cells keep their order"
    order = sorted(found, key=lambda name: -found[name])
    scores = ", ".join(f"{name} {100 * found[name]:.0f} %" for name in order)
    return (
        f"first guess, by nearest neighbours on the last features: {scores}; "
        f"at equal depth cells of {order[0]} begin"
    )
