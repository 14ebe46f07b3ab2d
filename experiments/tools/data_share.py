"""Write tables and figure of a study over images a class from its recorded runs.

python -m src.train -m +experiments=data_share
python -m experiments.tools.data_share            # --partial: with the runs that exist so far
python -m experiments.tools.data_share strategy_share

A size counts once every arm (a depth, a strategy) has a run of the same seeds.
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
    from frostline.stats.intervals import Estimate

COMMAND = "experiments.tools.data_share"
FOLDER = Path(__file__).resolve().parents[1]
# A study to the arms that the others are compared with: first the frozen backbone, of which only a
# head is trained; then what the common table names for few images unlike those of the pretraining.
REFERENCES = {
    "data_share": ("freeze=all",),
    "strategy_share": ("small_similar", "small_different"),
}


@dataclass(frozen=True)
class Size:
    """All arms of one data set at one number of images.

    Attributes:
        data: The data set.
        images: Of a class, in training.
        seeds: That every arm has.
        scores: Arm to test accuracy with its interval, shares of 1.
        ahead: Reference and arm to the arm's accuracy minus that of the reference.
    """

    data: str
    images: int
    seeds: int
    scores: "Mapping[str, Measured]"
    ahead: "Mapping[tuple[str, str], Estimate]"

    @property
    def best(self) -> str:
        """The arm with the highest accuracy."""
        return max(self.scores, key=lambda arm: self.scores[arm].value)


def main() -> None:
    """The command line."""
    parser = command_parser(COMMAND, __doc__)
    parser.add_argument("study", nargs="?", default="data_share", choices=sorted(REFERENCES))
    add_store(parser)
    parser.add_argument("--partial", action="store_true", help="write even if runs are missing")
    given = parser.parse_args()
    with reported_errors():
        write(given.study, given.uri, is_partial=given.partial)


def write(name: str, uri: str | None, *, is_partial: bool) -> None:
    """Fill the page and draw the figure.

    Raises:
        TrackingError: If runs are missing, without `is_partial`, or no size has all its arms.
    """
    from experiments.tools.data_share_figure import draw
    from experiments.tools.recorded_runs import find_recorded
    from experiments.tools.study_jobs import compose_study
    from frostline.tracking.run_contents import StoreSource
    from frostline.tracking.store import open_store

    study = compose_study(name, ())
    store = open_store(uri, name)
    recorded = find_recorded(study, store, StoreSource(store))
    if recorded.missing and not is_partial:
        raise TrackingError(
            f"{len(recorded.missing)} of {len(study.jobs)} runs of {name} are missing",
            todo=f"run them: {study.command} ; or write without them: --partial",
        )
    sizes = collect(recorded, REFERENCES[name])
    if not sizes:
        raise TrackingError(
            f"no number of images of {name} has a run of each arm", todo=study.command
        )
    n_runs = sum(len(seeds) for seeds in recorded.runs.values())
    own = "" if name == "data_share" else f" {name}"
    markers = (f"<!-- tables: python -m {COMMAND}{own} -->", "<!-- end of tables -->")
    text = tables(sizes, n_runs, len(study.jobs))
    fill(FOLDER / f"{name}.md", markers, text, what="the tables")
    draw(sizes, FOLDER / name / "by_images.svg")


def collect(recorded: "Recorded", references: Sequence[str]) -> list[Size]:
    """The sizes at which every arm has runs, each compared on the seeds that all of them have.

    Args:
        recorded: The study's runs.
        references: Arms with which all others are compared, each with those behind it.
    """
    from experiments.tools.comparisons import LEVEL, Measured
    from frostline.stats.intervals import share_interval
    from frostline.stats.paired import cell_spread, pair_spread, scored
    from frostline.stats.variance import estimate, learn_prior

    cells: dict[tuple[str, int], dict[str, str]] = {}
    for label in recorded.study.labels:
        data, share, arm = label.split(", ")
        cells.setdefault((data, int(share.split()[0])), {})[arm] = label
    spreads, pairs, seeds_of = {}, {}, {}
    for size, labels in cells.items():
        answers = {
            arm: {
                seed: scored(one, "acc_micro")
                for seed, one in recorded.predictions(label, "test").items()
            }
            for arm, label in labels.items()
        }
        common = set.intersection(*(set(seeds) for seeds in answers.values()))
        if not common:
            continue
        same = {
            arm: {seed: seeds[seed] for seed in sorted(common)} for arm, seeds in answers.items()
        }
        seeds_of[size] = len(common)
        for arm, seeds in same.items():
            spreads[*size, arm] = cell_spread(seeds)
            for place, reference in enumerate(references):
                if arm in references[: place + 1]:
                    continue
                pair = pair_spread(seeds, same[reference])
                if pair is not None:
                    pairs[*size, reference, arm] = pair
    prior, pair_prior = (learn_prior(list(each.values())) for each in (spreads, pairs))
    sizes = []
    for (data, images), n_seeds in seeds_of.items():
        scores = {}
        for arm in cells[data, images]:
            spread = spreads[data, images, arm]
            low, high = share_interval(estimate(spread, prior), LEVEL, spread.n_groups)
            scores[arm] = Measured(spread.value, low, high)
        ahead = {
            (reference, arm): estimate(pair, pair_prior)
            for (*size, reference, arm), pair in pairs.items()
            if size == [data, images]
        }
        sizes.append(Size(data, images, n_seeds, scores, ahead))
    return sizes


def tables(sizes: Sequence[Size], n_runs: int, n_jobs: int) -> str:
    """Accuracy by size and arm, then how far each arm is ahead of each reference."""
    arms = list(sizes[0].scores)
    lines = [
        f"{n_runs} of {n_jobs} runs. Test accuracy in %, 95 % intervals over images and seeds.",
        "",
        "| data | images a class | seeds | " + " | ".join(arms) + " | highest |",
        "|---" * (4 + len(arms)) + "|",
    ]
    for one in sizes:
        shown = [
            f"{100 * m.value:.1f} ({100 * m.low:.1f} to {100 * m.high:.1f})"
            for m in one.scores.values()
        ]
        lines.append(
            f"| {one.data} | {one.images} | {one.seeds} | {' | '.join(shown)} | {one.best} |"
        )
    for reference in dict.fromkeys(reference for reference, _ in sizes[0].ahead):
        lines += ["", *differences(sizes, reference)]
    return "\n".join(lines)


def differences(sizes: Sequence[Size], reference: str) -> list[str]:
    """How far the arms are ahead of a reference at each size, and from which size on."""
    from experiments.tools.comparisons import LEVEL

    counts = sorted({one.images for one in sizes})
    columns = [f"{count} a class" for count in counts]
    lines = [
        f"Points ahead of {reference} on the same images and seeds; each 95 % interval by itself:",
        "",
        f"| data | arm | {' | '.join(columns)} | ahead from so many images a class (95 %) |",
        "|---" * (3 + len(columns)) + "|",
    ]
    for data in dict.fromkeys(one.data for one in sizes):
        own = sorted((one for one in sizes if one.data == data), key=lambda one: one.images)
        grid = [float(one.images) for one in own]
        for arm in [arm for whom, arm in own[0].ahead if whom == reference]:
            found = [one.ahead[reference, arm] for one in own]
            place = crossing(grid, [one.value for one in found], [one.se for one in found])
            shown = {
                one.images: _points(estimate.value, *estimate.interval(LEVEL))
                for one, estimate in zip(own, found, strict=True)
            }
            cells = [shown.get(count, "") for count in counts]
            lines.append(f"| {data} | {arm} | {' | '.join(cells)} | {as_text(place, grid)} |")
    return lines


def _points(value: float, low: float, high: float) -> str:
    """A difference in points with its interval."""
    return f"{100 * value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


if __name__ == "__main__":
    main()
