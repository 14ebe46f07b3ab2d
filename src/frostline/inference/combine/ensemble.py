"""Ensembles of runs that were trained anyway: means of their recorded probabilities."""

from pathlib import Path

import numpy as np

from frostline.inference.combine.combined import Combined, combined_of, row_of, write_combined
from frostline.inference.combine.members import Members
from frostline.stats.ensemble_choice import averaged, greedy_counts


def ensemble_of(members: Members, folder: Path) -> Combined:
    """Judge ensembles of a sweep's runs: of all alike, and of those that validation chooses.

    Nothing is computed but means: each run has recorded what it answers.

    Args:
        members: Runs of the same images and splits.
        folder: Where the files go.
    """
    runs, base = members.runs, members.base
    vals, tests = [run.val for run in runs], [run.test for run in runs]
    alike = [1] * len(runs)
    counts = greedy_counts([one.probs.astype(np.float64) for one in vals], base.val.labels)
    chosen = averaged(vals, counts), averaged(tests, counts)
    taken = [run.record.run_id for run, n in zip(runs, counts, strict=True) if n > 0]
    is_base = taken == [base.record.run_id]
    rows = [
        row_of("recommended run", 1, base.val, base.test, None),
        row_of(
            "all, equal weights", len(runs), averaged(vals, alike), averaged(tests, alike), base
        ),
        row_of("chosen on validation", len(taken), *chosen, None if is_base else base),
    ]
    weights = [(run, n / sum(counts)) for run, n in zip(runs, counts, strict=True)]
    found = combined_of("ensemble", members, rows, weights, (), folder)
    write_combined(found, *chosen)
    return found
