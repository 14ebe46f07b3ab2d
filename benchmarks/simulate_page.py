"""Check every claim and interval of a report's page on simulated sweeps with a known truth.

python -m benchmarks.simulate_page [--sweeps 400] [--write]

The functions are the report's own: `reach_verdict`, `main_effects`, `interactions`. Prints, for
each world, how often intervals contain the truth, and the share of sweeps whose page makes any
false claim. `--looks` does the latter for a page that is looked at after each added seed, and
`--one-seed` counts what pages of one seed would claim if they spoke of configurations. `--write`
puts the table into docs/report.md. Shares have their Monte Carlo error (one standard error) behind
them.
"""

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.docs_tables import write_between
from benchmarks.page_worlds import (
    LOOKS_WORLD,
    PAGE_WORLDS,
    Drawn,
    PageWorld,
    draw_page,
    first_seeds,
)
from frostline.stats.cell import Cell
from frostline.stats.contrasts import Lineup, line_up
from frostline.stats.effects import interactions, main_effects
from frostline.stats.intervals import share_interval
from frostline.stats.looks import alpha_of_look
from frostline.stats.paired import compare_with_top
from frostline.stats.rules import SCORES, Rules
from frostline.stats.variance import estimate, learn_prior
from frostline.stats.verdict import Verdict, reach_verdict

LEVEL = 0.95
_NOTHING = 1e-9
_LOOKS = 10


def verdict_of(drawn: Drawn, world: PageWorld, rules: Rules, look: int = 1) -> Verdict:
    """What the report concludes of a sweep."""
    cells = [
        Cell(
            name=f"cell{k}",
            params=params,
            facts={},
            run_ids={seed: f"{k}-{seed}" for seed in seeds},
            metrics={s: {rules.metric: r.value, "time/train_s": 1.0} for s, r in seeds.items()},
        )
        for k, (params, seeds) in enumerate(zip(world.params, drawn.cells, strict=True))
    ]
    by_cell = {cell.name: seeds for cell, seeds in zip(cells, drawn.cells, strict=True)}
    verdict = reach_verdict(cells, by_cell, rules, look)
    assert verdict is not None
    return verdict


def page_of(
    world: PageWorld, drawn: Drawn, rules: Rules, truth: np.ndarray, look: int = 1
) -> dict[str, list[bool] | list[float]]:
    """What one page holds: each quantity's hits or values."""
    got: dict[str, list] = defaultdict(list)
    verdict = verdict_of(drawn, world, rules, look)
    place = {f"cell{k}": k for k in range(len(truth))}
    top = place[verdict.top.cell.name]
    row = verdict.top
    assert row.interval is not None
    assert row.spread is not None
    low, high = row.interval
    got["top"].append(low <= truth[top] <= high)
    prior = learn_prior([r.spread for r in verdict.rows if r.spread is not None])
    low, high = share_interval(estimate(row.spread, prior), rules.level, row.spread.n_groups)
    got["top, as if not picked"].append(low <= truth[top] <= high)
    got["too high"].append(row.value - truth[top])
    for claim in compare_with_top(
        drawn.cells[0],
        {f"cell{k}": seeds for k, seeds in enumerate(drawn.cells) if k},
        family_size=len(truth) - 1,
        level=rules.level,
        equivalence=rules.equivalence,
        is_accuracy=False,
    ):
        low, high = claim.interval
        got["pair"].append(low <= truth[place[claim.name]] - truth[0] <= high)
    worse = [place[r.cell.name] for r in verdict.rows if r.standing == "worse"]
    got["false worse"].append(any(truth[k] >= truth[top] - _NOTHING for k in worse))
    lineup = line_up(drawn.cells, [0.0] * len(truth))
    assert lineup is not None
    _effects(got, world, lineup, truth, alpha_of_look(rules.level, look), rules.level)
    names = ("false worse", "false effect", "false interaction")
    got["any false"].append(any(got[name][0] for name in names))
    return got


def _effects(
    got: dict[str, list],
    world: PageWorld,
    lineup: Lineup,
    truth: np.ndarray,
    alpha: float,
    level: float,
) -> None:
    factors = list(world.factors)
    true = {
        (e.factor, e.level): e.effect
        for e in main_effects(world.params, truth.tolist(), factors, alpha, None)
    }
    effects = main_effects(world.params, [], factors, alpha, lineup)
    for e in effects:
        assert e.own is not None
        low, high = e.own.interval(level)
        got["effect"].append(low <= true[e.factor, e.level] <= high)
    got["all effects"].append(all(e.low <= true[e.factor, e.level] <= e.high for e in effects))
    got["false effect"].append(
        any(
            (e.low > 0 and true[e.factor, e.level] < _NOTHING)
            or (e.high < 0 and true[e.factor, e.level] > -_NOTHING)
            for e in effects
        )
    )
    true_off = {
        (one.first, one.second): one.explained
        for one in interactions(world.params, truth.tolist(), factors, alpha, None)
        if abs(one.off) > 1e-3
    }
    shown = [one for one in interactions(world.params, [], factors, alpha, lineup) if one.shown]
    got["false interaction"].append(any((o.first, o.second) not in true_off for o in shown))


def simulate(world: PageWorld, *, sweeps: int, score: str, seed: int) -> Mapping[str, Sequence]:
    """All quantities of one world, over many sweeps."""
    rng = np.random.default_rng(seed)
    score = world.score or score
    rules = Rules(score=score, level=LEVEL)
    drawings = [draw_page(world, rng, score) for _ in range(sweeps)]
    # The mean macro F1 of few images is not that of many: what all cells have on average is true.
    usual = None
    if score == "f1_macro":
        values = [r.value for d in drawings for seeds in d.cells for r in seeds.values()]
        usual = float(np.mean(values))
    tally: dict[str, list] = defaultdict(list)
    for drawn in drawings:
        truth = drawn.of_models if world.n_seeds == 1 else drawn.truth
        truth = truth if usual is None else np.full(len(truth), usual)
        for name, values in page_of(world, drawn, rules, truth).items():
            tally[name].append(float(np.mean(values)))
    return tally


def looked_at(world: PageWorld, *, sweeps: int, score: str, seed: int) -> dict[str, list[bool]]:
    """Whether any of ten pages makes a false claim: one after each seed, from the second on."""
    rng = np.random.default_rng(seed)
    rules = Rules(score=score, level=LEVEL)
    found: dict[str, list[bool]] = {"each look as if the only one": [], "looks counted": []}
    for _ in range(sweeps):
        drawn = draw_page(world, rng, score)
        for name, is_counted in (("looks counted", True), ("each look as if the only one", False)):
            pages = (
                page_of(
                    world,
                    first_seeds(drawn, look + 1),
                    rules,
                    drawn.truth,
                    look if is_counted else 1,
                )
                for look in range(1, _LOOKS + 1)
            )
            found[name].append(any(page["any false"][0] for page in pages))
    return found


COVERAGE = ("pair", "effect", "all effects", "top", "top, as if not picked")
FALSE = ("false worse", "false effect", "false interaction", "any false")


def share(values: Sequence[float]) -> str:
    """A share in percent with its Monte Carlo error."""
    error = np.std(values) / len(values) ** 0.5
    return f"{100 * np.mean(values):.1f} ({100 * error:.1f})"


HEADER = (
    "| world | pairs | effects | all effects | top | top, as if not picked | top too high, points"
    " | false worse | effect | interaction | any of them |",
    "|" + "---|" * 11,
)


def page_table(sweeps: int, score: str, seed: int, only: str) -> list[str]:
    """Lines of the table, each printed when it is known."""
    lines = list(HEADER)
    print("\n".join(lines), flush=True)
    for world in PAGE_WORLDS:
        if only in world.name:
            got = simulate(world, sweeps=sweeps, score=score, seed=seed)
            cells = [share(got[name]) for name in COVERAGE]
            cells.append(f"{100 * np.mean(got['too high']):.1f}")
            cells += [share(got[name]) for name in FALSE]
            lines.append(f"| {world.name} | " + " | ".join(cells) + " |")
            print(lines[-1], flush=True)
    return lines


def looks_table(sweeps: int, score: str, seed: int) -> list[str]:
    """False claims where a page is looked at after each added seed."""
    lines = ["| ten looks, 8 equal cells | any false claim in any look |", "|---|---|"]
    found = looked_at(LOOKS_WORLD, sweeps=sweeps, score=score, seed=seed)
    lines += [f"| {name} | {share(values)} |" for name, values in found.items()]
    print("\n".join(lines), flush=True)
    return lines


def one_seed_table(sweeps: int, score: str, seed: int) -> list[str]:
    """Equal configurations that would be called worse if one seed were taken for all of them."""
    lines = ["| one seed | called worse, were models taken for configurations |", "|---|---|"]
    for world in PAGE_WORLDS:
        if world.n_seeds != 1:
            continue
        rng = np.random.default_rng(seed)
        kind = world.score or score
        rules = Rules(score=kind, level=LEVEL)
        called = []
        for _ in range(sweeps):
            drawn = draw_page(world, rng, kind)
            verdict = verdict_of(drawn, world, rules)
            top = drawn.truth[int(verdict.top.cell.name.removeprefix("cell"))]
            worse = [
                drawn.truth[int(row.cell.name.removeprefix("cell"))]
                for row in verdict.rows
                # A page of one seed claims nothing; this is what it would claim.
                if row.comparison is not None
                and row.comparison.interval[1] < 0
                and row.comparison.p_holm < 1 - LEVEL
            ]
            called.append(any(value >= top - _NOTHING for value in worse))
        lines.append(f"| {world.name} | {share(called)} |")
    print("\n".join(lines), flush=True)
    return lines


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sweeps", type=int, default=400)
    parser.add_argument("--score", choices=SCORES, default="acc_micro")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="worlds whose name contains this")
    parser.add_argument("--looks", action="store_true", help="ten looks instead of one")
    parser.add_argument("--one-seed", action="store_true", help="what a lone seed would claim")
    parser.add_argument("--write", action="store_true", help="into docs/report.md")
    given = parser.parse_args()
    if given.looks:
        name, lines = "simulate_page_looks", looks_table(given.sweeps, given.score, given.seed)
    elif given.one_seed:
        lines = one_seed_table(given.sweeps, given.score, given.seed)
        name = "simulate_page_one_seed"
    else:
        lines = page_table(given.sweeps, given.score, given.seed, given.only)
        name = "simulate_page"
    if given.write:
        write_between(name, [f"{given.sweeps} sweeps of each kind, in %.", "", *lines])


if __name__ == "__main__":
    main()
