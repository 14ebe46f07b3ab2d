"""Write the tables of experiments/quadrants.md from the recorded runs of the study.

python -m experiments.tools.quadrants --into experiments/quadrants.md

Run it in the folder where the study ran, with the data at the same paths: the scores that rank the
depths are measured here, on the training images of each run.
"""

import json
from pathlib import Path

from experiments.tools.markers import fill
from frostline.advice.ranking import RELIABILITY
from frostline.commands.arguments import add_store, command_parser, reported_errors
from frostline.errors import TrackingError

MARKERS = ("<!-- tables: python -m experiments.tools.quadrants -->", "<!-- end of tables -->")


def main() -> None:
    """The command line."""
    parser = command_parser("experiments.tools.quadrants", __doc__)
    parser.add_argument("--experiment", default="quadrants", help="MLflow's; default: quadrants")
    add_store(parser)
    parser.add_argument("--into", type=Path, metavar="FILE.md", help="write the tables into it")
    given = parser.parse_args()
    with reported_errors():
        text = tables(given.experiment, given.uri)
        if given.into is None:
            print(text)
        else:
            fill(given.into, MARKERS, text, what="the tables")


def tables(experiment: str, uri: str | None) -> str:
    """Return all tables as Markdown; also write the reliability of rankings for src.advise.

    Raises:
        TrackingError: If the experiment has no finished runs with a strategy.
    """
    from experiments.tools import quadrant_tables
    from experiments.tools.quadrant_cells import collect_cells, rankings
    from frostline.tracking.run_contents import StoreSource
    from frostline.tracking.store import open_store

    store = open_store(uri, experiment)
    runs = store.find_runs({"frostline.kind": "job"}, status=["FINISHED"])
    runs = [run for run in runs if run.params.get("strategy", "none") != "none"]
    if not runs:
        raise TrackingError(
            f"experiment {experiment} has no finished runs with a strategy",
            todo=f"python -m src.train -m +experiments={experiment}",
        )
    source = StoreSource(store)
    cells, data_sets = collect_cells(runs, source)
    ranked = rankings(cells)
    RELIABILITY.write_text(json.dumps({"study": experiment, "rankings": ranked}, indent=1) + "\n")
    backbones = sorted({run.params["backbone"] for run in runs})
    head = f"{len(runs)} runs of {', '.join(backbones)}."
    return "\n".join(
        [
            head,
            "",
            *quadrant_tables.similarity_table(data_sets),
            "",
            *quadrant_tables.verdicts(cells, data_sets),
            "",
            *quadrant_tables.accuracies(cells),
            "",
            *quadrant_tables.rank_table(ranked),
        ]
    )


if __name__ == "__main__":
    main()
