"""How sure a verdict is, and what more seeds could show, in sentences."""

from collections.abc import Sequence

from frostline.reporting.number_text import points
from frostline.stats.folds import are_folds, counted, word_for
from frostline.stats.judged_cell import Row
from frostline.stats.looks import alpha_of_look
from frostline.stats.planning import smallest_gap
from frostline.stats.verdict import Verdict

_SEEDS_SHOWN = (5, 10)


def certainty(verdict: Verdict) -> str:
    """What the verdict rests on, and the smallest difference that seeds could show."""
    seeds = [len(row.cell.run_ids) for row in verdict.rows]
    return "\n".join(line for line in (_evidence(verdict, seeds), _reach(verdict)) if line)


def _evidence(verdict: Verdict, seeds: Sequence[int]) -> str:
    images = _images(verdict)
    if max(seeds) == 1:
        return (
            f"Every configuration was run with one seed{images}. All figures hold for these "
            "trained models on other images; nothing here shows how much the order would change if "
            "the same were run again with another seed."
        )
    keys = verdict.top.cell.run_ids
    word = word_for(keys)
    many = f"{min(seeds)} to {max(seeds)} {word}" if min(seeds) < max(seeds) else counted(keys)
    text = f"{many} for each configuration{images}."
    if are_folds(keys):
        text += (
            " Folds share training images and are no independent repeats: their variance counts "
            "more, after Nadeau and Bengio."
        )
    if min(seeds) == 1:
        text += (
            " The intervals of those with one seed cover images alone; their expected loss takes "
            "the seeds' part from the others."
        )
    pairs = verdict.family_size
    if pairs > 1:
        text += (
            f" Claims are corrected for all {pairs:,} pairs of configurations: 19 of 20 such "
            "sweeps make no wrong one, however often they are looked at while seeds are added"
        )
        text += f" (this is look {verdict.look})." if verdict.look > 1 else "."
    return text


def _images(verdict: Verdict) -> str:
    """By how many images the highest was judged; groups where they hold several."""
    spread, runs = verdict.top.spread, verdict.scored.get(verdict.top.cell.name)
    if spread is None or not runs:
        return ""
    n_items = len({item for run in runs.values() for item in run.items})
    groups = f" of {spread.n_groups:,} groups" if spread.n_groups < n_items else ""
    return f", judged by {n_items:,} validation images{groups}"


def _reach(verdict: Verdict) -> str:
    """What this number of seeds, and more, can find between the two that matter most."""
    rival = _rival(verdict)
    if rival is None or rival.comparison is None:
        return ""
    spread = rival.comparison.spread
    alpha = alpha_of_look(verdict.rules.level, verdict.look)
    is_folded = are_folds(verdict.top.cell.run_ids)
    word = word_for(verdict.top.cell.run_ids)
    # More folds do not take away what all of them share.
    later = () if is_folded else (n for n in _SEEDS_SHOWN if n > spread.n_seeds)
    numbers = [spread.n_seeds, *later]
    df = rival.comparison.difference.df
    found = {n: smallest_gap(spread, n, df=df, alpha=alpha) for n in numbers}
    pair = f"Between {verdict.top.cell.name} and {rival.cell.name} alone, "
    # No two scores are further apart than the whole scale.
    gaps = [f"{points(gap)} with {n} {word}" for n, gap in found.items() if gap < 1]
    blind = [str(n) for n, gap in found.items() if gap >= 1]
    none = f"no true difference is found in 4 of 5 sweeps with {' or '.join(blind)} {word}"
    if not gaps:
        return f"{pair}{none}."
    least = (
        f"the smallest true difference that is found in 4 of 5 sweeps is about {', '.join(gaps)}"
    )
    return f"{pair}{least}{f'; {none}' if blind else ''}."


def _rival(verdict: Verdict) -> Row | None:
    """The most likely of those tested against the top and not distinguished from it."""
    able = [
        row
        for row in verdict.rows
        if row.standing in {"open", "behind"} and row.comparison is not None
    ]
    return max(able, key=lambda row: row.chance or 0.0, default=None)
