"""How far the quick answer is behind the full sweep of the same cells, on sets with known scores.

    python -m benchmarks.quick --folder FOLDER [--stamps STAMPS] [--write]

The full sweep's runs are recorded in benchmarks/results/regret.jsonl.gz (`benchmarks.regret`): one
backbone at depths 0, 2, 4 and all, 64 px, five seeds, the rate chosen by the product's rule. What a
depth is worth is its mean over the seeds: one run's test score is off by several points. The quick
answer is made anew, on the same images and split, with as much time as it needs for these depths;
its processor seconds are kept. Answers that are in the results already are not made again.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any
from unittest import mock

from benchmarks.docs_tables import write_between
from benchmarks.regret_data import SETS, make_sets, settings_for
from benchmarks.regret_rows import AUTO, Job, Row, Rows, read_rows
from benchmarks.regret_rules import PRODUCT, RULES, chosen
from frostline.advice.quick import prepared_backbone, quick_session
from frostline.advice.quick.answer import RECORD
from frostline.advice.quick.quick import quick_answer
from frostline.files import replacing

RESULTS = Path(__file__).parent / "results"
ANSWERS = RESULTS / "quick.json"
PAGE = Path(__file__).parents[1] / "docs" / "quick.md"
NAMES = tuple(name for name in SETS if name != "leaves1000")
DEPTHS = ("0", "2", "4")
ALL = "all"
VAL, TEST = "val_best/f1_macro", "test/f1_macro"
SEEDS = range(5)
MINUTES = 300.0  # what is measured is the choice, not a busy machine
Truth = dict[str, list[Row]]


def truth_of(name: str, rows: Rows) -> Truth:
    """The full sweep's runs at each depth, one a seed, each at the rate that it chose."""
    return {
        freeze: [_run_of(name, freeze, seed, rows) for seed in SEEDS] for freeze in (*DEPTHS, ALL)
    }


def mean_of(runs: Sequence[Row], score: str) -> float:
    """Over seeds, in points."""
    return fmean(run.score(score) for run in runs)


def _run_of(name: str, freeze: str, seed: int, rows: Rows) -> Row:
    own = {
        job.step: row
        for job, row in rows.items()
        if job == Job(name, freeze, 1.0, 1.0, 6, seed, job.step)
    }
    if freeze == ALL:
        return own[AUTO]
    step, _ = chosen(RULES[PRODUCT], {s: row.curve for s, row in own.items() if s != AUTO})
    return own[step]


def answer_to(name: str, folder: Path) -> dict[str, Any]:
    """Ask for a quick answer on a set."""
    job = settings_for(Job(name, "0", 1.0, 1.0, 6, 0, AUTO), folder.absolute())
    begun_s = time.process_time()
    with (
        mock.patch.object(prepared_backbone, "depths_by_worth", lambda _: ["4", "0", "2"]),
        mock.patch.object(quick_session, "FIRST_HEAD_S", MINUTES * 60),
    ):
        answer = quick_answer([job], [], minutes=MINUTES, on_progress=_say)
    return {
        "why_not": answer.why_not,
        "n_train": answer.n_train,
        "n_val": answer.n_val,
        "n_groups": answer.n_groups,
        "rows": [[row.freeze, round(row.score, 5), row.is_behind] for row in answer.rows],
        "processor_s": round(time.process_time() - begun_s, 1),
    }


def taken_by_sweep(truth: Truth) -> str:
    """The depth with the highest mean on validation."""
    return max(truth, key=lambda freeze: (mean_of(truth[freeze], VAL), freeze))


def regret_of(truth: Truth, freeze: str) -> float:
    """Test F1 of what the sweep takes minus that of a depth, means over seeds, in points."""
    return mean_of(truth[taken_by_sweep(truth)], TEST) - mean_of(truth[freeze], TEST)


def line_of(name: str, answer: dict[str, Any], truth: Truth) -> tuple[str, float | None]:
    """A line of the table, and the regret in points; None if nothing was proposed."""
    taken = taken_by_sweep(truth)
    tests = {freeze: mean_of(runs, TEST) for freeze, runs in truth.items()}
    images = f"{answer['n_train']} / {answer['n_val']}"
    if answer["why_not"]:
        words = ["cannot tell", "", f"{taken} ({tests[taken]:.1f})", "", "", "", ""]
        return f"| {name} | {images} | {' | '.join(words)} |", None
    proposed = answer["rows"][0][0]
    close = [freeze for freeze, _, behind in answer["rows"] if not behind]
    regret = regret_of(truth, proposed)
    words = [
        f"{proposed} ({tests[proposed]:.1f})",
        ", ".join(one for one in close if one != proposed) or "-",
        f"{taken} ({tests[taken]:.1f})",
        f"{regret:+.1f}",
        f"{regret_of({one: runs[:1] for one, runs in truth.items()}, proposed):+.1f}",
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
        "| set | training / validation images | proposed: its test F1 | cannot be distinguished "
        "| the sweep takes: its test F1 | regret, points | against the runs of one seed "
        "| always all / always 0 | processor s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    regrets, of_heads = [], []
    for name in given.sets:
        if name not in answers:
            make_sets([name], given.folder, given.stamps)
            answers[name] = answer_to(name, given.folder)
            with replacing(ANSWERS) as temporary:
                temporary.write_text(json.dumps(answers, indent=1) + "\n")
        truth = truth_of(name, recorded)
        line, regret = line_of(name, answers[name], truth)
        lines.append(line)
        print(line, flush=True)
        if regret is not None:
            regrets.append(regret)
            of_heads.append(regret_of(truth, ALL))
    mean, most = sum(regrets) / len(regrets), max(regrets)
    lines += [
        "",
        f"Mean regret {mean:+.1f} points over {len(regrets)} sets, most {most:+.1f}; "
        f"of always `all` {fmean(of_heads):+.1f}, most {max(of_heads):+.1f}.",
    ]
    print(lines[-1])
    if given.write:
        write_between("quick", lines, PAGE)
        record = {"sets": len(regrets), "mean": round(mean, 1), "most": round(most, 1)}
        RECORD.write_text(json.dumps(record) + "\n")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
