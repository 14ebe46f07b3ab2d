"""How sure a verdict is, and what would make it surer, in sentences."""

from collections.abc import Sequence

from frostline.reporting.number_text import points, times
from frostline.stats.planning import need_of, seeds_for
from frostline.stats.verdict import Verdict

_ASSUMED_SEED_SD = 0.01


def certainty(verdict: Verdict) -> str:
    """How many seeds and images the verdict rests on, and how many more would settle it."""
    seeds = [len(row.cell.run_ids) for row in verdict.rows]
    text = _evidence(verdict, seeds)
    rivals = [row for row in verdict.rows if row.standing == "open" and row.comparison is not None]
    if not rivals:
        return text
    gap = max(abs(rivals[0].value - verdict.top.value), verdict.rules.equivalence)
    if max(seeds) == 1:
        needed = seeds_for(gap, _ASSUMED_SEED_SD, level=verdict.rules.level)
        return (
            f"{text} If seeds differ by one point (standard deviation), which is common, about "
            f"{needed} seeds each would show a difference of {points(gap)}; 3 to 5 show how much "
            "they differ here. Run the same command with more values of seed."
        )
    rival = rivals[0]
    assert rival.comparison is not None
    if rival.comparison.spread.n_seeds < 2:
        return f"{text} The first two share one seed only: give both the same seeds."
    need = need_of(
        rival.comparison.spread,
        equivalence=verdict.rules.equivalence,
        level=verdict.rules.level,
    )
    names = f"{verdict.top.cell.name} from {rival.cell.name}"
    text += f"\nTo distinguish {names} ({points(need.gap)} apart) "
    if need.seeds is not None and need.seeds > rival.comparison.spread.n_seeds:
        return text + f"about {need.seeds} seeds each would be needed."
    if need.seeds is not None:
        return (
            text + "the seeds are about enough; the correction for all pairs asks for a few more."
        )
    return text + (
        "more seeds alone are not enough: about "
        f"{times(need.images_factor)} times as many validation images would."
    )


def _evidence(verdict: Verdict, seeds: Sequence[int]) -> str:
    spread = verdict.top.spread
    images = f" on images of {spread.n_groups:,} groups" if spread is not None else ""
    if max(seeds) == 1:
        return (
            f"Every configuration was run with one seed{images}. The intervals hold for other "
            "images, not for other seeds: nothing here shows how much the order would change if "
            "the same were run again."
        )
    many = f"{min(seeds)} to {max(seeds)}" if min(seeds) < max(seeds) else str(max(seeds))
    text = f"{many} seeds for each configuration{images}."
    if min(seeds) == 1:
        text += " The intervals of those with one seed cover images alone."
    pairs = verdict.family_size
    if pairs > 1:
        text += (
            f" Claims are corrected for all {pairs:,} pairs of configurations: 19 of 20 such "
            "sweeps make no wrong one."
        )
    return text
