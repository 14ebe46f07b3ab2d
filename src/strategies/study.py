"""The tables of experiments/quadrants.md, from the recorded runs of the study.

python -m src.strategies.study --into experiments/quadrants.md

Run it where the study ran: the data must lie where the runs found it, since the scores whose
rankings are judged are measured here, on the training images of each run.
"""

import json
from pathlib import Path

from src.advice.hint import RELIABILITY
from src.command import add_store, command_parser, mistakes_told
from src.errors import FrostlineError, TrackingError

BEGIN, END = "<!-- tables: python -m src.strategies.study -->", "<!-- end of tables -->"


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
            put_into(given.into, text)


def put_into(file: Path, text: str) -> None:
    """Put the tables between the two marks of a Markdown file.

    Raises:
        FrostlineError: If the file lacks the marks.
    """
    old = file.read_text(encoding="utf-8") if file.is_file() else ""
    if BEGIN not in old or END not in old:
        raise FrostlineError(f"{file} has no place for the tables", f"{BEGIN} ... {END}")
    before, _, rest = old.partition(BEGIN)
    _, _, after = rest.partition(END)
    file.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


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
