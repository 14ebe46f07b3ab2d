"""Write the leaderboard of a report into the page of a study that is one grid.

python -m src.train -m +experiments=photographs
python -m src.report --experiment photographs
python -m experiments.tools.leaderboard photographs outputs/reports/photographs

A page with a second table names it: `--part NAME`, which its marker line repeats.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.tools.markers import fill
from frostline.commands.arguments import command_parser, reported_errors
from frostline.errors import FrostlineError

COMMAND = "experiments.tools.leaderboard"
FOLDER = Path(__file__).resolve().parents[1]
_SHARE = 100.0  # the report's table has shares of 1


def main() -> None:
    """The command line."""
    parser = command_parser(COMMAND, __doc__)
    parser.add_argument("study", help="NAME of experiments/NAME.md")
    parser.add_argument("report", type=Path, help="the folder that the report was written to")
    parser.add_argument("--part", help="which table, where the page has several")
    given = parser.parse_args()
    with reported_errors():
        file = given.report / "tables" / "leaderboard.csv"
        if not file.is_file():
            raise FrostlineError(
                f"{file}: there is no such file",
                todo=f"write the report: python -m src.report --experiment {given.study}",
            )
        with file.open(newline="") as rows:
            text = table(list(csv.DictReader(rows)))
        fill(FOLDER / f"{given.study}.md", markers(given.part), text, what="the table")


def markers(part: str | None) -> tuple[str, str]:
    """The lines around a page's table, or around one of several."""
    command = f"python -m {COMMAND}" + (f" --part {part}" if part else "")
    return f"<!-- tables: {command} -->", "<!-- end of tables -->"


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Configurations best first: verdict, scores in percent with 95 % intervals, rate, seconds."""
    score = next(key for key in rows[0] if key.startswith("val ") and key.endswith(" %"))
    name = score.removeprefix("val ").removesuffix(" %")
    lines = [
        f"| configuration | seeds | validation {name} | from the highest | expected loss, points "
        f"| chance of being best | test {name} | lr | a run alone |",
        "|---" * 9 + "|",
    ]
    for row in rows:
        low, high = _points(row["low 95 %"]), _points(row["high 95 %"])
        difference = "–"
        if row["from top, points"]:
            ends = f"{_points(row['low'], '+')} to {_points(row['high'], '+')}"
            difference = f"{_points(row['from top, points'], '+')} ({ends})"
        cells = [
            row["configuration"],
            row["seeds"],
            f"{_points(row[score])} ({low} to {high})",
            difference,
            _points(row["expected loss, points"]),
            f"{_points(row['chance of being best'], digits=0)} %",
            _points(row[f"test {name} %"]),
            row["learning rate"],
            f"{float(row['a run alone']):.0f} s",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _points(value: str, sign: str = "", digits: int = 1) -> str:
    return f"{_SHARE * float(value):{sign}.{digits}f}".replace("-", "−")


if __name__ == "__main__":
    main()
