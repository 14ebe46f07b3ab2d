"""What `*` rows of the quick answer are worth: gains with fewer pixels, projected to full size.

    python -m benchmarks.quick_pixels --folder FOLDER [--stamps STAMPS] [--write]

The full sweeps of `benchmarks.quick` were at 64 px. Here their question is answered as if there
were no time for that: heads are solved at 64 px, depths are looked at with a quarter of the pixels.
What is projected is compared with the validation score of the sweep's run of the same seed, which
is judged on the same images. Then rules choose a row, and what they choose is judged as in
`benchmarks.quick`, by test scores of the sweep, means over its seeds. Answers that are in the
results already are not made again. `--write` writes docs/quick.md.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any
from unittest import mock

from benchmarks.docs_tables import write_between
from benchmarks.quick import (
    ALL,
    DEPTHS,
    MINUTES,
    NAMES,
    PAGE,
    RESULTS,
    VAL,
    Truth,
    regret_of,
    truth_of,
)
from benchmarks.regret_data import make_sets, settings_for
from benchmarks.regret_rows import AUTO, Job, read_rows
from frostline.advice.quick import prepared_backbone, quick_session
from frostline.advice.quick.quick import quick_answer
from frostline.advice.quick.quick_rows import Row, proposed
from frostline.files import replacing

KEPT = RESULTS / "quick_pixels.json"
FEWER_PX = 32
Answers = dict[str, dict[int, list[Row]]]  # set and seed to rows, the best first


def rows_with_fewer(name: str, folder: Path, seed: int) -> list[Row]:
    """The rows of a quick answer whose depths are looked at with a quarter of the pixels."""
    job = settings_for(Job(name, "0", 1.0, 1.0, 6, seed, AUTO), folder.absolute())
    with (
        mock.patch.object(prepared_backbone, "depths_by_worth", lambda _: list(DEPTHS)),
        mock.patch.object(quick_session.QuickSession, "_side", lambda *_: FEWER_PX),
        mock.patch.object(quick_session, "FIRST_HEAD_S", MINUTES * 60),
    ):
        return list(quick_answer([job], [], minutes=MINUTES, on_progress=_say).rows)


def highest(rows: Sequence[Row]) -> Row:
    """The highest score, measured or projected."""
    return rows[0]


def highest_low_end(rows: Sequence[Row]) -> Row:
    """The highest lower end of an interval."""
    return max(rows, key=lambda row: row.low)


def always_all(rows: Sequence[Row]) -> Row:
    """The solved head, whatever the looks say."""
    return next(row for row in rows if row.freeze == ALL)


RULES: dict[str, Callable[[Sequence[Row]], Row]] = {
    "the highest score": highest,
    "the command's: a measured one, unless a `*` is surely above it": proposed,
    "the highest lower end of an interval": highest_low_end,
    "always `all`": always_all,
}


def projection_lines(answers: Answers, truths: dict[str, Truth]) -> Iterator[str]:
    """A line a depth: projected minus measured over all sets and seeds; then all of them."""
    every: list[tuple[float, bool]] = []
    for freeze in DEPTHS:
        gains, found, widths = [], [], []
        for name, seeds in answers.items():
            for seed, rows in seeds.items():
                row = next(row for row in rows if row.freeze == freeze)
                measured = truths[name][freeze][seed].score(VAL)
                head = truths[name][ALL][seed].score(VAL)
                gains.append((measured - head, 100 * (row.gain or 0.0)))
                found.append((100 * row.score - measured, row.low <= measured / 100 <= row.high))
                widths.append(100 * (row.high - row.low))
        every += found
        full, fewer = (fmean(one) for one in zip(*gains, strict=True))
        yield (
            f"| {freeze} | {len(found)} | {full:+.1f} | {fewer:+.1f} | {_errors(found)} | "
            f"{fmean(widths):.0f} | {_held(found)} |"
        )
    yield f"| all of them | {len(every)} |  |  | {_errors(every)} |  | {_held(every)} |"


def rule_lines(answers: Answers, truths: dict[str, Truth]) -> Iterator[str]:
    """A line a rule: the regret of what it chooses, on average, at most, and set by set."""
    for words, rule in RULES.items():
        chosen = {
            name: [rule(rows).freeze for rows in seeds.values()] for name, seeds in answers.items()
        }
        means = [
            fmean(regret_of(truths[name], freeze) for freeze in each)
            for name, each in chosen.items()
        ]
        picks = [freeze for each in chosen.values() for freeze in each]
        counts = ", ".join(f"{one}: {picks.count(one)}" for one in (ALL, *DEPTHS))
        each_set = " | ".join(f"{one:+.1f}" for one in means)
        yield f"| {words} | {counts} | {fmean(means):+.1f} | {max(means):+.1f} | {each_set} |"


def _errors(found: Sequence[tuple[float, bool]]) -> str:
    mean = fmean(error for error, _ in found)
    return f"{mean:+.1f} | {fmean(abs(error) for error, _ in found):.1f}"


def _held(found: Sequence[tuple[float, bool]]) -> str:
    return f"{sum(inside for _, inside in found)} of {len(found)}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--stamps", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(NAMES), choices=NAMES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--write", action="store_true", help="the tables in docs/quick.md")
    given = parser.parse_args()
    os.environ["FROSTLINE_HOME"] = str((given.folder / "quick-home").absolute())
    os.environ["FROSTLINE_CACHE"] = str((given.folder / "quick-cache").absolute())
    kept = json.loads(KEPT.read_text()) if KEPT.is_file() else {}
    answers: Answers = {name: {} for name in given.sets}
    for seed in given.seeds:
        for name in given.sets:
            key = f"{name} {seed}"
            if key not in kept:
                make_sets([name], given.folder, given.stamps)
                kept[key] = [_plain(row) for row in rows_with_fewer(name, given.folder, seed)]
                with replacing(KEPT) as temporary:
                    temporary.write_text(json.dumps(kept, indent=1) + "\n")
            answers[name][seed] = [Row(**values) for values in kept[key]]
    recorded = read_rows(RESULTS / "regret.jsonl.gz")
    truths = {name: truth_of(name, recorded) for name in given.sets}
    lines = [
        "| freeze | cases | gain over `all` at 64 px | gain at 32 px | projected - measured "
        "| without sign | width of the interval | it holds the measured score |",
        "|---|---|---|---|---|---|---|---|",
        *projection_lines(answers, truths),
        "",
        f"| rule | chosen | mean regret | most | {' | '.join(given.sets)} |",
        f"|---|---|---|---|{'---|' * len(given.sets)}",
        *rule_lines(answers, truths),
    ]
    print("\n".join(lines))
    if given.write:
        write_between("quick pixels", lines, PAGE)


def _plain(row: Row) -> dict[str, Any]:
    rounded = {
        key: round(value, 5) if isinstance(value, float) else value
        for key, value in asdict(row).items()
    }
    return rounded | {"behind": [round(one, 5) for one in row.behind]}


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
