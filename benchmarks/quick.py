"""How far the quick answer is behind the full sweep of the same cells, on sets with known scores.

    python -m benchmarks.quick --folder FOLDER [--stamps STAMPS] [--write]

The full sweep's runs are recorded in benchmarks/results/regret.jsonl.gz (`benchmarks.regret`): one
backbone at depths 0, 2, 4 and all, 64 px, seed 0, the rate chosen by the product's rule. The quick
answer is made anew, on the same images and split, with as much time as it needs for these depths;
its processor seconds are kept. Answers that are in the results already are not made again.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.docs_tables import write_between
from benchmarks.regret_data import SETS, make_sets, settings_for
from benchmarks.regret_rows import AUTO, Job, Row, Rows, read_rows
from benchmarks.regret_rules import PRODUCT, RULES, chosen
from frostline.advice.quick import quick
from frostline.advice.quick.answer import RECORD
from frostline.files import replacing

RESULTS = Path(__file__).parent / "results"
ANSWERS = RESULTS / "quick.json"
PAGE = Path(__file__).parents[1] / "docs" / "quick.md"
NAMES = tuple(name for name in SETS if name != "leaves1000")
DEPTHS = ("0", "2", "4")
ALL = "all"
SCORE = "f1_macro"
MINUTES = 300.0  # what is measured is the choice, not a busy machine
Truth = dict[str, Row]


def truth_of(name: str, rows: Rows) -> Truth:
    """The full sweep's run at each depth, at the rate that it chose."""
    found = {}
    for freeze in (*DEPTHS, ALL):
        own = {
            job.step: row
            for job, row in rows.items()
            if job == Job(name, freeze, 1.0, 1.0, 6, 0, job.step)
        }
        if freeze == ALL:
            found[freeze] = own[AUTO]
            continue
        step, _ = chosen(RULES[PRODUCT], {s: row.curve for s, row in own.items() if s != AUTO})
        found[freeze] = own[step]
    return found


def answer_to(name: str, folder: Path) -> dict[str, Any]:
    """Ask for a quick answer on a set."""
    job = settings_for(Job(name, "0", 1.0, 1.0, 6, 0, AUTO), folder.absolute())
    begun_s = time.process_time()
    with (
        mock.patch.object(quick, "_by_worth", lambda _: ["4", "0", "2"]),
        mock.patch.object(quick, "FIRST_HEAD_S", MINUTES * 60),
    ):
        answer = quick.quick_answer([job], [], minutes=MINUTES, on_progress=_say)
    return {
        "why_not": answer.why_not,
        "n_train": answer.n_train,
        "n_val": answer.n_val,
        "n_groups": answer.n_groups,
        "rows": [[row.freeze, round(row.score, 5), row.is_behind] for row in answer.rows],
        "processor_s": round(time.process_time() - begun_s, 1),
    }


def line_of(name: str, answer: dict[str, Any], truth: Truth) -> tuple[str, float | None]:
    """A line of the table, and the regret in points; None if nothing was proposed."""
    taken = max(truth, key=lambda freeze: (truth[freeze].score(f"val_best/{SCORE}"), freeze))
    tests = {freeze: row.score(f"test/{SCORE}") for freeze, row in truth.items()}
    images = f"{answer['n_train']} / {answer['n_val']}"
    if answer["why_not"]:
        words = ["cannot tell", "", f"{taken} ({tests[taken]:.1f})", "", "", ""]
        return f"| {name} | {images} | {' | '.join(words)} |", None
    proposed = answer["rows"][0][0]
    close = [freeze for freeze, _, behind in answer["rows"] if not behind]
    regret = tests[taken] - tests[proposed]
    words = [
        f"{proposed} ({tests[proposed]:.1f})",
        ", ".join(one for one in close if one != proposed) or "-",
        f"{taken} ({tests[taken]:.1f})",
        f"{regret:+.1f}",
        f"{tests[taken] - tests[ALL]:+.1f} / {tests[taken] - tests['0']:+.1f}",
    ]
    return f"| {name} | {images} | {' | '.join(words)} | {answer['processor_s']:.0f} |", regret


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--stamps", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(NAMES), choices=SETS)
    parser.add_argument("--write", action="store_true", help="the table and what answers quote")
    given = parser.parse_args()
    recorded = read_rows(RESULTS / "regret.jsonl.gz")
    os.environ["FROSTLINE_HOME"] = str((given.folder / "quick-home").absolute())
    os.environ["FROSTLINE_CACHE"] = str((given.folder / "quick-cache").absolute())
    answers = json.loads(ANSWERS.read_text()) if ANSWERS.is_file() else {}
    lines = [
        "| set | training / validation images | proposed: its test F1 | not told apart "
        "| the sweep takes: its test F1 | regret, points | always all / always 0 "
        "| processor s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    regrets = []
    for name in given.sets:
        if name not in answers:
            make_sets([name], given.folder, given.stamps)
            answers[name] = answer_to(name, given.folder)
            with replacing(ANSWERS) as temporary:
                temporary.write_text(json.dumps(answers, indent=1) + "\n")
        line, regret = line_of(name, answers[name], truth_of(name, recorded))
        lines.append(line)
        print(line, flush=True)
        regrets += [] if regret is None else [regret]
    mean, most = sum(regrets) / len(regrets), max(regrets)
    lines += ["", f"Mean regret {mean:+.1f} points over {len(regrets)} sets, most {most:+.1f}."]
    print(lines[-1])
    if given.write:
        write_between("quick", lines, PAGE)
        record = {"sets": len(regrets), "mean": round(mean, 1), "most": round(most, 1)}
        RECORD.write_text(json.dumps(record) + "\n")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
