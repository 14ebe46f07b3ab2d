"""The tables and sentences of a study as Markdown."""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from experiments.tools.background_probe import border_probe
from experiments.tools.comparisons import (
    Difference,
    Measured,
    accuracies,
    accuracy_over_f1,
    differences,
    excess_optimism,
    seed_deviation,
)
from experiments.tools.recorded_runs import Recorded, versions_of
from frostline.data.checks.shortcuts import Probe
from frostline.errors import ConfigError

SHIFT_COLUMNS = {
    "attribution off the leaf, right answers": "test/off_leaf_right",
    "wrong answers": "test/off_leaf_wrong",
    "area off the leaf": "test/off_leaf_area",
}


def write_tables(recorded: Recorded) -> str:
    """Write everything between the markers of a study."""
    table = recorded.study.table
    pairs = table.get("compare") or {}
    sources = table.get("source") or {}
    labels = {*recorded.study.labels}
    for label in [*pairs, *pairs.values()]:
        if label not in labels:
            raise ConfigError(
                f"the table of {recorded.study.name} names {label!r}, which is none of its cells",
                ", ".join(sorted(labels)),
            )
    compared = differences(recorded, pairs)
    parts = [_origin(recorded), main_table(recorded, compared, pairs, sources)]
    if table.get("shift"):
        parts.append(shift_table(recorded))
    if table.get("mistakes"):
        parts.append(mistakes_table(recorded))
    if pairs:
        parts.append(verdict(compared, pairs))
    return "\n\n".join(parts)


def main_table(
    recorded: Recorded,
    compared: dict[str, Difference],
    pairs: dict[str, str],
    sources: dict[str, str],
) -> str:
    """One row a cell: test accuracy and macro F1 with intervals, cost, the figure of the source."""
    accuracy, f1 = accuracies(recorded), accuracies(recorded, score="f1_macro")
    header = ["cell", "seeds", "test accuracy", "test macro F1"]
    header += ["difference in points"] if pairs else []
    header += ["the source"] if sources else []
    header += ["trained parameters", "s a run"]
    rows = []
    for label in recorded.study.labels:
        row = [label, str(len(recorded.runs[label]) or "not run")]
        row += [_share(accuracy.get(label)), _share(f1.get(label))]
        if pairs:
            row.append(_against(compared.get(label)))
        if sources:
            row.append(str(sources.get(label, "")))
        rows.append(
            [*row, _trained(recorded, label), _mean(recorded, label, "time/train_s", "{:.0f}")]
        )
    return as_markdown(header, rows)


def shift_table(recorded: Recorded) -> str:
    """Validation on the training background, test on another one, and where the network looks."""
    as_trained, elsewhere = accuracies(recorded, "val"), accuracies(recorded, "test")
    header = ["cell", "validation (as trained)", "test (elsewhere)", "lost", *SHIFT_COLUMNS]
    header.append("8 border pixels alone")
    probes: dict[str, str] = {}
    rows = []
    for label in recorded.study.labels:
        here, there = as_trained.get(label), elsewhere.get(label)
        lost = "" if here is None or there is None else f"{100 * (here.value - there.value):.1f}"
        row = [label, _share(here), _share(there), lost]
        row += [
            _mean(recorded, label, metric, "{:.1f} %", 100) for metric in SHIFT_COLUMNS.values()
        ]
        job = next(job for job in recorded.study.jobs if job.label == label)
        data = job.settings.data.model_dump_json()
        if data not in probes:
            probes[data] = _probe(border_probe(job.settings))
        rows.append([*row, probes[data]])
    return as_markdown(header, rows)


def mistakes_table(recorded: Recorded) -> str:
    """One row a mistake: its effect in points, with its interval."""
    measures: dict[str, Callable[..., tuple[Measured | None, str]]] = {
        "difference": _difference,
        "promise": _optimism,
        "accuracy over F1": _accuracy_over_f1,
        "seeds": _seeds,
    }
    rows = []
    for mistake, spec in recorded.study.table["mistakes"].items():
        measured, meaning = measures[spec["measure"]](recorded, spec["cell"], spec.get("against"))
        rows.append([mistake, "not run" if measured is None else _points(measured), meaning])
    return as_markdown(["mistake", "effect in points (95 % interval)", "what is measured"], rows)


def verdict(compared: dict[str, Difference], pairs: dict[str, str]) -> str:
    """State the comparisons in sentences; p-values are corrected for all of them."""
    lines = [f"**Verdict** (claims corrected for all {len(pairs)} comparisons of this table):", ""]
    for cell, against in pairs.items():
        one = compared.get(cell)
        if one is None:
            lines.append(f"- *{cell}* against *{against}*: no seed was run for both.")
            continue
        seeds = "a single seed" if one.n_seeds == 1 else f"{one.n_seeds} seeds"
        if one.is_significant:
            word = "better" if one.points.value > 0 else "worse"
            text = f"is {word} than *{against}*"
        else:
            text = f"cannot be distinguished from *{against}*"
        is_borderline = not one.is_significant and not one.points.low <= 0 <= one.points.high
        note = "; its own interval excludes 0, but not after correction for all comparisons"
        lines.append(
            f"- *{cell}* {text}: {_points(one.points)} points, {seeds}{note * is_borderline}."
        )
    return "\n".join(lines)


def as_markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a table as Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _origin(recorded: Recorded) -> str:
    runs = [run for seeds in recorded.runs.values() for run in seeds.values()]
    n_jobs = len(recorded.study.jobs)
    number = f"{len(runs)} runs" if len(runs) == n_jobs else f"{len(runs)} of {n_jobs} runs"
    machines = sorted({_machine(run.tags) for run in runs})
    versions = versions_of(runs)
    text = f"{number}: `{recorded.study.command}`"
    if machines:
        text += f"; {' and '.join(machines)}"
    if len(versions) > 1:
        text += f"; {len(versions)} versions of the results"
    return text + ". Scores in percent, with 95 % intervals over images and seeds."


def _machine(tags: Mapping[str, str]) -> str:
    engine = tags.get("frostline.engine", "").partition(",")[0]
    return f"{tags.get('frostline.device', 'unknown device')} ({engine})"


def _difference(recorded: Recorded, cell: str, against: str) -> tuple[Measured | None, str]:
    difference = differences(recorded, {cell: against}).get(cell)
    meaning = f"test accuracy, *{cell}* minus *{against}*"
    return (None if difference is None else difference.points), meaning


def _optimism(recorded: Recorded, cell: str, against: str) -> tuple[Measured | None, str]:
    meaning = (
        f"validation minus test on further leaves, *{cell}*, beyond that of *{against}*: the part "
        "of the validation score that new leaves do not confirm"
    )
    return excess_optimism(recorded, cell, against), meaning


def _accuracy_over_f1(recorded: Recorded, cell: str, _: str | None) -> tuple[Measured | None, str]:
    meaning = f"accuracy minus macro F1 of the same predictions, *{cell}*"
    return accuracy_over_f1(recorded, cell), meaning


def _seeds(recorded: Recorded, cell: str, against: str | None) -> tuple[Measured | None, str]:
    values = recorded.values(cell, "test/acc_micro")
    meaning = f"standard deviation of test accuracy between {len(values)} seeds, *{cell}*"
    if len(values) > 1:
        meaning += (
            f"; a single run gives anything from {100 * min(values):.1f} to {100 * max(values):.1f}"
        )
    if against is not None and recorded.runs.get(against):
        theirs = recorded.runs[against]
        gaps = [
            run.metrics["test/acc_micro"] - theirs[seed].metrics["test/acc_micro"]
            for seed, run in recorded.runs[cell].items()
            if seed in theirs
        ]
        if gaps:
            meaning += (
                f", and from {_signed(min(gaps))} to {_signed(max(gaps))} against *{against}*"
            )
    return seed_deviation(values), meaning


def _probe(one: Probe | None) -> str:
    if one is None:
        return ""
    return f"{100 * one.acc_macro:.0f} % (chance {100 * one.chance:.0f})"


def _against(one: Difference | None) -> str:
    return "" if one is None else f"{_points(one.points)} against *{one.against}*"


def _points(one: Measured) -> str:
    return f"{_signed(one.value)} ({_signed(one.low)} to {_signed(one.high)})"


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "−")


def _share(one: Measured | None) -> str:
    return (
        ""
        if one is None
        else f"{100 * one.value:.1f} ({100 * one.low:.1f} to {100 * one.high:.1f})"
    )


def _mean(recorded: Recorded, label: str, metric: str, form: str, times: float = 1) -> str:
    values = [value for value in recorded.values(label, metric) if math.isfinite(value)]
    return form.format(times * fmean(values)) if values else ""


def _trained(recorded: Recorded, label: str) -> str:
    counts = {run.params.get("trainable_params") for run in recorded.runs[label].values()}
    return ", ".join(f"{int(count):,}" for count in sorted(counts - {None}, key=str) if count)
