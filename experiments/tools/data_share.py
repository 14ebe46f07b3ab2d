"""Write the table and the figure of experiments/data_share.md from the recorded runs of the study.

python -m src.train -m +experiments=data_share
python -m experiments.tools.data_share            # --partial: with the runs that exist so far

A size counts once every depth has a run of the same seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.tools.crossing import as_text, crossing
from experiments.tools.markers import fill
from frostline.commands.arguments import add_store, command_parser, reported_errors
from frostline.errors import TrackingError

if TYPE_CHECKING:
    from experiments.tools.comparisons import Measured
    from experiments.tools.recorded_runs import Recorded

NAME = "data_share"
MARKERS = (f"<!-- tables: python -m experiments.tools.{NAME} -->", "<!-- end of tables -->")
PAGE = Path(__file__).resolve().parents[1] / f"{NAME}.md"
FIGURE = PAGE.parent / NAME / "depth_by_images.svg"
REFERENCE = "all"


@dataclass(frozen=True)
class Size:
    """All depths of one data set at one number of images.

    Attributes:
        data: The data set.
        images: Of a class, in training.
        seeds: That every depth has.
        scores: Depth to test accuracy with its interval, shares of 1.
        ahead: Depth to its accuracy minus that of `freeze=all`: value and standard error.
    """

    data: str
    images: int
    seeds: int
    scores: "Mapping[str, Measured]"
    ahead: Mapping[str, tuple[float, float]]

    @property
    def best(self) -> str:
        """The depth with the highest accuracy."""
        return max(self.scores, key=lambda depth: self.scores[depth].value)


def main() -> None:
    """The command line."""
    parser = command_parser(f"experiments.tools.{NAME}", __doc__)
    add_store(parser)
    parser.add_argument("--partial", action="store_true", help="write even if runs are missing")
    given = parser.parse_args()
    with reported_errors():
        write(given.uri, is_partial=given.partial)


def write(uri: str | None, *, is_partial: bool) -> None:
    """Fill the page and draw the figure.

    Raises:
        TrackingError: If runs are missing, without `is_partial`, or no size has all its depths.
    """
    from experiments.tools.data_share_figure import draw
    from experiments.tools.recorded_runs import find_recorded
    from experiments.tools.study_jobs import compose_study
    from frostline.tracking.run_contents import StoreSource
    from frostline.tracking.store import open_store

    study = compose_study(NAME, ())
    store = open_store(uri, NAME)
    recorded = find_recorded(study, store, StoreSource(store))
    if recorded.missing and not is_partial:
        raise TrackingError(
            f"{len(recorded.missing)} of {len(study.jobs)} runs of {NAME} are missing",
            todo=f"run them: {study.command} ; or write without them: --partial",
        )
    sizes = collect(recorded)
    if not sizes:
        raise TrackingError(
            f"no number of images of {NAME} has a run of each depth", todo=study.command
        )
    n_runs = sum(len(seeds) for seeds in recorded.runs.values())
    fill(PAGE, MARKERS, tables(sizes, n_runs, len(study.jobs)), what="the tables")
    draw(sizes, FIGURE)


def collect(recorded: "Recorded") -> list[Size]:
    """The sizes at which every depth has runs, each compared on the seeds that all of them have."""
    from experiments.tools.comparisons import LEVEL, Measured
    from frostline.stats.intervals import share_interval
    from frostline.stats.paired import cell_spread, pair_spread, scored
    from frostline.stats.variance import estimate, learn_prior

    cells: dict[tuple[str, int], dict[str, str]] = {}
    for label in recorded.study.labels:
        data, share, freeze = label.split(", ")
        cells.setdefault((data, int(share.split()[0])), {})[freeze.partition("=")[2]] = label
    spreads, pairs, seeds_of = {}, {}, {}
    for size, labels in cells.items():
        answers = {
            depth: {
                seed: scored(one, "acc_micro")
                for seed, one in recorded.predictions(label, "test").items()
            }
            for depth, label in labels.items()
        }
        common = set.intersection(*(set(seeds) for seeds in answers.values()))
        if not common:
            continue
        same = {
            depth: {seed: seeds[seed] for seed in sorted(common)}
            for depth, seeds in answers.items()
        }
        seeds_of[size] = len(common)
        for depth, seeds in same.items():
            spreads[*size, depth] = cell_spread(seeds)
            pair = pair_spread(seeds, same[REFERENCE]) if depth != REFERENCE else None
            if pair is not None:
                pairs[*size, depth] = pair
    prior, pair_prior = (learn_prior(list(each.values())) for each in (spreads, pairs))
    sizes = []
    for (data, images), n_seeds in seeds_of.items():
        scores = {}
        for depth in cells[data, images]:
            spread = spreads[data, images, depth]
            low, high = share_interval(estimate(spread, prior), LEVEL, spread.n_groups)
            scores[depth] = Measured(spread.value, low, high)
        ahead = {}
        for depth in scores:
            if (data, images, depth) in pairs:
                found = estimate(pairs[data, images, depth], pair_prior)
                ahead[depth] = (found.value, found.se)
        sizes.append(Size(data, images, n_seeds, scores, ahead))
    return sizes


def tables(sizes: Sequence[Size], n_runs: int, n_jobs: int) -> str:
    """Accuracy by size and depth, then where each depth gets ahead of `freeze=all`."""
    depths = list(sizes[0].scores)
    lines = [
        f"{n_runs} of {n_jobs} runs. Test accuracy in %, 95 % intervals over images and seeds.",
        "",
        "| data | images a class | seeds | "
        + " | ".join(f"freeze={d}" for d in depths)
        + " | highest |",
        "|---" * (4 + len(depths)) + "|",
    ]
    for one in sizes:
        shown = [
            f"{100 * m.value:.1f} ({100 * m.low:.1f} to {100 * m.high:.1f})"
            for m in one.scores.values()
        ]
        lines.append(
            f"| {one.data} | {one.images} | {one.seeds} | {' | '.join(shown)} | {one.best} |"
        )
    lines += [
        "",
        f"| data | depth | ahead of freeze={REFERENCE} from so many images a class (95 %) |",
        "|---|---|---|",
    ]
    for data in dict.fromkeys(one.data for one in sizes):
        own = sorted((one for one in sizes if one.data == data), key=lambda one: one.images)
        grid = [float(one.images) for one in own]
        for depth in own[0].ahead:
            values, errors = zip(*(one.ahead[depth] for one in own), strict=True)
            lines.append(
                f"| {data} | freeze={depth} | {as_text(crossing(grid, values, errors), grid)} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
