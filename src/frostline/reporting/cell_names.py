"""Which parameters make a cell, which of them were swept, and what a cell is called."""

from collections.abc import Mapping, Sequence

# What follows from other parameters.
DERIVED_PARAMS = (
    "frozen_stages",
    "frozen_params_frac",
    "frozen_flops_frac",
    "trainable_params",
)


def configuration(params: Mapping[str, str]) -> dict[str, str]:
    """The parameters that make a cell: all but the seed and derived values."""
    return {k: v for k, v in params.items() if k != "seed" and k not in DERIVED_PARAMS}


def swept_params(params: Sequence[Mapping[str, str]]) -> list[str]:
    """Parameters with several values, `backbone` and `freeze` first, then as logged.

    The image size is left out where it follows from the backbone.
    """
    values_of: dict[str, set[str | None]] = {}
    for one in params:
        for key in configuration(one):
            values_of.setdefault(key, set())
    for key, values in values_of.items():
        values.update(one.get(key) for one in params)
    swept = [key for key, values in values_of.items() if len(values) > 1]
    pairs = {(one.get("backbone"), one.get("image_size")) for one in params}
    if "image_size" in swept and len(pairs) == len({one.get("backbone") for one in params}):
        swept.remove("image_size")
    return sorted(swept, key=lambda key: {"backbone": 0, "freeze": 1}.get(key, 2))


def cell_name(params: Mapping[str, str], swept: Sequence[str]) -> str:
    """Backbone and depth, then what else differs in the sweep and is recorded for this cell."""
    backbone = params.get("backbone", "?")
    rest = [key for key in swept if key not in {"backbone", "freeze"}]
    parts = [backbone, f"freeze={params.get('freeze', '?')}"]
    return " ".join(parts + [f"{key}={params[key]}" for key in rest if key in params])
