"""What a recommendation loses and what it saves, on simulated sweeps with a known truth.

python -m benchmarks.simulate_choice [--sweeps 300] [--write]

Cells are scored on the same images: their errors are normal, half of the images' part is shared by
all, and seeds add their own. Costs have nothing to do with quality. Each rule gets the scores and
the covariance of their errors as the report has it, that is without the seeds' part where there is
one seed. Printed: the regret (points below the best cell) above that of taking the highest, and the
cost of what is taken over the cost of the highest. `--write` puts the table into docs/report.md.
"""

import argparse
import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.docs_tables import write_between
from frostline.stats.expected_loss import cheapest_within, expected_loss, posterior_draws

Floats = NDArray[np.float64]
Rule = Callable[[Floats, Floats, Floats], int]
ACCURACY, SEED_SD, SHARED = 0.85, 0.015, 0.5
TOLERANCE, SAME_COST, Z = 0.01, 1.1, 1.96
WORLDS = list(itertools.product((8, 24), (1, 2, 3), (60, 200, 1000), (0, 5, 15)))


def highest(scores: Floats, covariance: Floats, costs: Floats) -> int:  # noqa: ARG001
    """The highest score."""
    return int(scores.argmax())


def cheapest_undistinguished(scores: Floats, covariance: Floats, costs: Floats) -> int:
    """The cheapest cell whose 95 % interval of the difference from the highest holds 0."""
    top = int(scores.argmax())
    variance = covariance[top, top] + np.diag(covariance) - 2 * covariance[top]
    tied = scores[top] - scores <= Z * np.sqrt(np.maximum(variance, 0))
    return int(np.where(tied, costs, np.inf).argmin())


def smallest_loss(scores: Floats, covariance: Floats, costs: Floats) -> int:  # noqa: ARG001
    """The smallest expected loss."""
    return int(expected_loss(posterior_draws(scores, covariance)).argmin())


def recommended(scores: Floats, covariance: Floats, costs: Floats) -> int:
    """The report's rule: the cheapest cell within the tolerance of the smallest expected loss."""
    losses = expected_loss(posterior_draws(scores, covariance))
    return cheapest_within(list(losses), list(costs), TOLERANCE, same_cost=SAME_COST)


RULES: dict[str, Rule] = {
    "take the highest": highest,
    "cheapest that cannot be distinguished from it (the rule before)": cheapest_undistinguished,
    "smallest expected loss": smallest_loss,
    "**cheapest within 1 point of the smallest expected loss**": recommended,
}


def run_world(
    cells: int, seeds: int, images: int, gap: int, sweeps: int
) -> dict[str, tuple[float, float]]:
    """Mean regret in points, and mean cost, of each rule.

    Args:
        cells: Configurations.
        seeds: Of each.
        images: On which they are scored.
        gap: Points over which the true scores are spread evenly at random.
        sweeps: How many are drawn.
    """
    rng = np.random.default_rng([cells, seeds, images, gap])
    image_sd = np.sqrt(ACCURACY * (1 - ACCURACY) / images)
    known = image_sd**2 * (SHARED + (1 - SHARED) * np.eye(cells))
    if seeds > 1:
        known = known + SEED_SD**2 / seeds * np.eye(cells)
    lost: dict[str, list[float]] = {name: [] for name in RULES}
    paid: dict[str, list[float]] = {name: [] for name in RULES}
    for _ in range(sweeps):
        truth = ACCURACY - rng.uniform(0, gap / 100, cells)
        costs = np.exp(rng.normal(0, 1, cells))
        error = image_sd * (
            np.sqrt(SHARED) * rng.normal() + np.sqrt(1 - SHARED) * rng.normal(size=cells)
        )
        scores = truth + error + SEED_SD / np.sqrt(seeds) * rng.normal(size=cells)
        for name, rule in RULES.items():
            chosen = rule(scores, known, costs)
            lost[name].append(100 * (truth.max() - truth[chosen]))
            paid[name].append(costs[chosen])
    return {name: (float(np.mean(lost[name])), float(np.mean(paid[name]))) for name in RULES}


def table(sweeps: int) -> list[str]:
    """The lines of the table."""
    base = next(iter(RULES))
    regret: dict[str, list[float]] = {name: [] for name in RULES}
    above: dict[str, list[float]] = {name: [] for name in RULES}
    cost: dict[str, list[float]] = {name: [] for name in RULES}
    for world in WORLDS:
        got = run_world(*world, sweeps)
        for name, (lost, paid) in got.items():
            regret[name].append(lost)
            above[name].append(lost - got[base][0])
            cost[name].append(paid / got[base][1])
    lines = [
        f"{len(WORLDS)} worlds, {sweeps} sweeps each; the oracle has a regret of 0.",
        "",
        "| rule | mean regret, points | above the highest, mean | in the worst world | cost |",
        "|---|---|---|---|---|",
    ]
    for name in RULES:
        lines.append(
            f"| {name} | {np.mean(regret[name]):.2f} | {np.mean(above[name]):+.2f} | "
            f"{max(above[name]):+.2f} | {np.mean(cost[name]):.2f} |"
        )
    return lines


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sweeps", type=int, default=300)
    parser.add_argument("--write", action="store_true", help="into docs/report.md")
    options = parser.parse_args()
    lines = table(options.sweeps)
    print("\n".join(lines))
    if options.write:
        write_between("simulate_choice", lines)


if __name__ == "__main__":
    main()
