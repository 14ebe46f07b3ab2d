"""The tables of experiments/quadrants.md, from the recorded runs of the study.

python -m src.strategies.study --into experiments/quadrants.md

Run it where the study ran: the data must lie where the runs found it, since the scores whose
rankings are judged are measured here, on the training images of each run.
"""

import json
from pathlib import Path

from src.advice.hint import RELIABILITY
from src.command import add_store, command_parser, mistakes_told
from src.errors import TrackingError
from src.studies.text import fill

MARKERS = ("<!-- tables: python -m src.strategies.study -->", "<!-- end of tables -->")


def main() -> None:
    """The command line."""
    parser = command_parser("src.strategies.study", __doc__)
    parser.add_argument("--experiment", default="quadrants", help="MLflow's; default: quadrants")
    add_store(parser)
    parser.add_argument("--into", type=Path, metavar="FILE.md", help="write the tables into it")
    given = parser.parse_args()
    with mistakes_told():
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
    from src.analysis.source import StoreSource
    from src.strategies import study_tables as shown
    from src.strategies.study_cells import gather, rankings
    from src.tracking.store import open_store

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
