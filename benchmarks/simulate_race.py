"""False claims of whole races, on simulated cells with a known truth.

python -m benchmarks.simulate_race [--races 400] [--write]

Each race goes as `frostline.sweeps.race` has it: the first seed of all cells at two rungs and at
their end, then seeds one by one, until it is settled or no seed is left; each comparison of seeds
is a look, and whoever is left is compared as on the report: corrected for all pairs of cells that
entered. What a cell scores at a rung is its ability minus a gap that differs between cells, so that
early scores mislead. All cells are judged by the same images (`one_split`), or each seed by its
own. Where nothing is dropped, most is claimed and looked at. `--write` puts the table into
docs/search.md.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.docs_tables import write_between
from benchmarks.simulate import EQUAL, EQUIVALENCE, LEVEL, MIXED, Scenario, _predictions
from frostline.config.conf_files import CONF
from frostline.config.search_settings import RaceSearch
from frostline.stats.looks import alpha_of_look
from frostline.stats.paired import Scored, compare_with_top, family_pairs, scored
from frostline.sweeps.rounds import Stand, decide

SEARCH = Path(__file__).parents[1] / "docs" / "search.md"
SCORE = "acc_micro"
# On the probit scale: how far below its end a run is at each rung, and how much cells differ in it.
GAPS = ((0.9, 0.4), (0.4, 0.2))
KINDS = (
    Scenario("6 equal cells, 3 seeds", EQUAL, 3),
    Scenario("12 equal cells, 5 seeds", EQUAL * 2, 5),
    Scenario("12 equal cells, 5 seeds, one split", EQUAL * 2, 5, one_split=True),
    Scenario("24 equal cells, 5 seeds, noisy seeds", EQUAL * 4, 5, seed_sd=0.3),
    Scenario("6 cells that differ, 3 seeds", MIXED, 3),
    Scenario("12 cells that differ, 5 seeds, noisy seeds", MIXED * 2, 5, seed_sd=0.3),
    Scenario("12 cells that differ, 5 seeds, 200 images", MIXED * 2, 5, n_leaves=200, photos=1),
)
ALL_TRAIN = (KINDS[1], KINDS[2], KINDS[5])


@dataclass(frozen=True)
class Outcome:
    """How one race ended.

    Attributes:
        is_false: Whether anything untrue is claimed at its end.
        n_claims: Cells that are called worse.
        regret: How far the recommended cell lies below the best, shares of 1.
        lost_best: Whether a cell of the highest accuracy is not among those left.
        is_settled: Whether it ended by expected loss.
        runs: Runs to the end, over all cells and seeds.
    """

    is_false: bool
    n_claims: int
    regret: float
    lost_best: bool
    is_settled: bool
    runs: int


class World:
    """One set of cells and images: what a run of a cell predicts at a rung.

    Args:
        kind: What is drawn.
        rng: Draws it.
    """

    def __init__(self, kind: Scenario, rng: np.random.Generator) -> None:
        self._kind, self._rng = kind, rng
        pool = kind.n_leaves if kind.one_split else 2 * kind.n_leaves
        n_cells = len(kind.cells)
        sd = (1 + kind.leaf_sd**2 + kind.interaction_sd**2 + kind.seed_sd**2) ** 0.5
        self._ability = stats.norm.ppf(kind.cells) * sd
        self._leaf = rng.normal(0, kind.leaf_sd, pool)
        self._own = rng.normal(0, kind.interaction_sd, (n_cells, pool))
        self._seed = rng.normal(0, kind.seed_sd, (n_cells, kind.n_seeds))
        self._gaps = [np.maximum(0, rng.normal(gap, sd, n_cells)) for gap, sd in GAPS]
        self._sides = [
            np.sort(rng.choice(pool, kind.n_leaves, replace=False)) for _ in range(kind.n_seeds)
        ]
        self._names = np.array([f"leaf{k:05d}" for k in range(pool)])
        self._luck = rng.normal(0, 1, (n_cells, kind.n_seeds, kind.n_leaves * kind.photos))

    def run(self, cell: int, seed: int, rung: int | None = None) -> Scored:
        """A scored run; the luck of an image stays from rung to rung.

        Args:
            cell: Its place.
            seed: Its number.
            rung: 0 or 1; None for its end.
        """
        kind = self._kind
        leaves = np.repeat(self._sides[seed], kind.photos)
        ability = self._ability[cell] - (0.0 if rung is None else self._gaps[rung][cell])
        latent = ability + self._seed[cell, seed] + self._leaf[leaves] + self._own[cell][leaves]
        right = latent + self._luck[cell, seed] > 0
        labels = leaves % kind.n_classes
        wrong = (labels + 1) % kind.n_classes
        predicted = np.where(right, labels, wrong)
        return scored(_predictions(self._names[leaves], labels, predicted, kind), SCORE)


def race(kind: Scenario, rules: RaceSearch, rng: np.random.Generator) -> Outcome:
    """One race over one world."""
    world = World(kind, rng)
    alive = list(range(len(kind.cells)))
    runs: dict[int, dict[str, Scored]] = {cell: {} for cell in alive}
    trained = 0
    for rung, share in enumerate(rules.rungs):
        stands = {str(cell): Stand({"0": world.run(cell, 0, rung)}, share) for cell in alive}
        decision = decide(stands, rules, more_seeds=kind.n_seeds > 1)
        alive = [cell for cell in alive if str(cell) not in decision.dropped]
    looks = 0
    for seed in range(kind.n_seeds):
        for cell in alive:
            runs[cell][str(seed)] = world.run(cell, seed)
            trained += 1
        decision = decide(
            {str(cell): Stand(runs[cell]) for cell in alive},
            rules,
            more_seeds=seed + 1 < kind.n_seeds,
        )
        entered = [cell for cell in runs if runs[cell]]
        alive = [cell for cell in alive if str(cell) not in decision.dropped]
        looks += seed > 0
        if decision.settled:
            break
    false, n_claims = _claims(kind, {cell: runs[cell] for cell in entered}, max(looks, 1))
    truth = np.array(kind.cells)
    return Outcome(
        false,
        n_claims,
        float(truth.max() - truth[int(decision.recommended)]),
        not any(truth[cell] == truth.max() for cell in alive),
        decision.settled,
        trained,
    )


def _claims(kind: Scenario, runs: dict[int, dict[str, Scored]], look: int) -> tuple[bool, int]:
    """What the report claims among cells that reached their end."""
    means = {cell: np.mean([run.value for run in seeds.values()]) for cell, seeds in runs.items()}
    top = max(means, key=lambda cell: means[cell])
    claims = compare_with_top(
        runs[top],
        {str(cell): seeds for cell, seeds in runs.items() if cell != top},
        family_size=family_pairs(len(kind.cells)),
        level=LEVEL,
        equivalence=EQUIVALENCE,
        is_accuracy=SCORE == "acc_micro",
        alpha=alpha_of_look(LEVEL, look),
    )
    worse = [int(claim.name) for claim in claims if claim.relation == "worse"]
    return any(kind.cells[cell] >= kind.cells[top] for cell in worse), len(worse)


def race_rules() -> RaceSearch:
    """The race's rules as `conf/search/race.yaml` has them, judged by accuracy."""
    import yaml

    rules = RaceSearch.model_validate(yaml.safe_load((CONF / "search" / "race.yaml").read_text()))
    return rules.model_copy(update={"score": SCORE})


def table(races: int, seed: int) -> list[str]:
    """The lines of the table."""
    lines = [
        f"{races} races of each kind; of a share p of them the standard error is at most "
        f"{100 * 0.5 / races**0.5:.1f} points.",
        "",
        "| cells | races with a false claim | cells called worse | runs to the end | settled | "
        "mean regret, points | best cell dropped |",
        "|---|---|---|---|---|---|---|",
    ]
    usual = race_rules()
    patient = usual.model_copy(update={"drop_loss": 0.0, "settled_at": 0.9999})
    plan = [(kind, usual) for kind in KINDS] + [(kind, patient) for kind in ALL_TRAIN]
    for kind, rules in plan:
        rng = np.random.default_rng(seed)
        ends = [race(kind, rules, rng) for _ in range(races)]
        whole = len(kind.cells) * kind.n_seeds
        lines.append(
            f"| {kind.name}{'' if rules is usual else ', nothing dropped'} | "
            f"{np.mean([e.is_false for e in ends]):.1%} | "
            f"{np.mean([e.n_claims for e in ends]):.1f} | "
            f"{np.mean([e.runs for e in ends]):.1f} of {whole} | "
            f"{np.mean([e.is_settled for e in ends]):.0%} | "
            f"{100 * np.mean([e.regret for e in ends]):.2f} | "
            f"{np.mean([e.lost_best for e in ends]):.0%} |"
        )
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--races", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="into docs/search.md")
    given = parser.parse_args()
    lines = table(given.races, given.seed)
    if given.write:
        write_between("simulate_race", lines, SEARCH)


if __name__ == "__main__":
    main()
