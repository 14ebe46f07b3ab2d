"""What figures need of a verdict's rows: backbones, the best row of each depth, interval ends."""

from frostline.reporting.cell_settings import partial_mark
from frostline.stats.judged_cell import Row
from frostline.stats.verdict import Verdict


def best_by_depth(verdict: Verdict) -> dict[tuple[str, str], Row]:
    """The best row of each backbone and depth."""
    best: dict[tuple[str, str], Row] = {}
    for row in verdict.rows:  # best first
        best.setdefault((backbone_of(row), row.cell.params.get("freeze", "?")), row)
    return best


def backbones_by_best(verdict: Verdict) -> list[str]:
    """All backbones, the one with the best configuration first."""
    return list(dict.fromkeys(backbone_of(row) for row in verdict.rows))


def backbone_of(row: Row) -> str:
    """The row's backbone, marked where its weights file has only a part of it."""
    params = row.cell.params
    return " ".join([params.get("backbone", "?"), *partial_mark(params)])


def interval_ends(row: Row) -> tuple[float, float]:
    """Interval of images and seeds; over seeds alone where predictions are missing."""
    return row.interval if row.interval is not None else (row.seeds.low, row.seeds.high)


def point_label(row: Row) -> str:
    """What a point shows when it is hovered over."""
    low, high = interval_ends(row)
    return f"{row.cell.name}: {100 * row.value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def first_upper(text: str) -> str:
    """Text with a capital first letter."""
    return text[:1].upper() + text[1:]
