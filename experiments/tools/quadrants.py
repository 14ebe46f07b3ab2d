"""The tables of experiments/quadrants.md, from the recorded runs of the study.

python -m experiments.tools.quadrants --into experiments/quadrants.md

Run it where the study ran: the data must lie where the runs found it, since the scores whose
rankings are judged are measured here, on the training images of each run.
"""

import json
from pathlib import Path

from experiments.tools.study_text import fill
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
    """All tables as Markdown; also writes the reliability of rankings for src.advise.

    Raises:
        TrackingError: If the experiment has no finished runs with a strategy.
    """
    from experiments.tools import quadrant_tables as shown
    from experiments.tools.quadrant_cells import gather, rankings
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
    cells, at_hand = gather(runs, source)
    found = rankings(cells)
    RELIABILITY.write_text(json.dumps({"study": experiment, "rankings": found}, indent=1) + "\n")
    backbones = sorted({run.params["backbone"] for run in runs})
    head = f"{len(runs)} runs of {', '.join(backbones)}."
    return "\n".join(
        [
            head,
            "",
            *shown.where_they_stand(at_hand),
            "",
            *shown.verdicts(cells, at_hand),
            "",
            *shown.accuracies(cells),
            "",
            *shown.rank_lines(found),
        ]
    )


if __name__ == "__main__":
    main()
