"""How a sweep ended, as a table in the terminal: the runs, best first, and what failed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from frostline.reporting.cell_settings import PARTIAL_WEIGHTS, partial_percent
from frostline.stats.rules import DEFAULT_RULES
from frostline.sweeps.fold_means import COLUMN, are_folds, means_over_folds
from frostline.sweeps.outcome import Outcome
from frostline.sweeps.progress import clock

RANKED_BY = DEFAULT_RULES.metric
PARTIAL = "PARTIAL WEIGHTS"
FILE = "outcome.md"
# Macro first: under imbalance plain accuracy favours a model that only knows the largest class.
FIGURES = {
    "val F1": RANKED_BY,
    "val acc": "val_best/acc_micro",
    "test F1": "test/f1_macro",
    "test acc": "test/acc_micro",
}
# What is left out first where a terminal is too narrow for all.
SPARE = ("trainable", "test acc", "val acc", "frozen", "s", "")


def best_first(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Finished runs by macro F1 on validation, then the others in their order."""
    finished = [o for o in outcomes if o.succeeded]
    others = [o for o in outcomes if not o.succeeded]
    return sorted(finished, key=lambda o: -o.metrics.get(RANKED_BY, float("-inf"))) + others


def rows(outcomes: Sequence[Outcome]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table, with a column for every swept value.

    Folds are one row a configuration and seed, with the means of their figures.
    """
    finished = means_over_folds([o for o in outcomes if o.succeeded])
    swept = _swept_params([o.params for o in finished])
    unlogged = _swept_further(finished)
    partial = [PARTIAL] if any(partial_percent(o.params) for o in finished) else []
    folds = [COLUMN] if are_folds(outcomes) else []
    shown = [*swept, *unlogged, *partial, *folds]
    header = ["backbone", "freeze", *shown, "frozen", "trainable", *FIGURES, "s"]
    if any(o.state == "reused" for o in finished):
        header.append("")
    cells = []
    for outcome in best_first(finished):
        row = [_param(outcome, key) for key in ("backbone", "freeze", *swept)]
        row += [outcome.swept.get(key, "") for key in unlogged]
        row += [partial_percent(outcome.params) for _ in partial]
        row += [outcome.params.get(COLUMN, "") for _ in folds]
        row.append(_percent(outcome.params.get("frozen_params_frac")))
        row.append(_thousands(outcome.params.get("trainable_params")))
        row += [_points(outcome.metrics.get(metric)) for metric in FIGURES.values()]
        row.append(_seconds(_cost_s(outcome.metrics)))
        if len(row) < len(header):
            row.append("reused" if outcome.state == "reused" else "")
        cells.append(row)
    return header, cells


def _param(outcome: Outcome, key: str) -> str:
    if key == "lr" and outcome.is_solved:
        return "solved"
    return outcome.params.get(key, outcome.swept.get(key, "?"))


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The table as Markdown."""
    header, cells = rows(outcomes)
    lines = [header, ["---"] * len(header), *([_cell(value) for value in line] for line in cells)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _cell(text: str) -> str:
    """Text that neither ends a cell of Markdown nor is taken for markup or a formula."""
    return re.sub(r"([\\`*\[\]<>|$])", r"\\\1", text)


def title(n_runs: int, seconds: float) -> str:
    """What stands above the table of a sweep."""
    return f"{'1 run' if n_runs == 1 else f'{n_runs} runs'} in {clock(seconds)}"


def show(outcomes: Sequence[Outcome], console: Console, *, title: str) -> None:
    """Print the table, then every failed job with its reason."""
    header, cells = rows(outcomes)
    if cells:
        left_out: list[str] = []
        while console.is_terminal and _width(header, cells) > console.width:
            spare = next((name for name in SPARE if name in header), None)
            if spare is None:
                break
            at = header.index(spare)
            header, cells = _without(header, at), [_without(row, at) for row in cells]
            left_out.append(spare or "reused")
        if are_folds(outcomes):
            title += ", figures are means over folds"
        table = Table(
            title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False
        )
        table.add_column(header[0], no_wrap=True)
        for name in header[1:]:
            table.add_column(name, justify="right", no_wrap=True)
        for cell in cells:
            table.add_row(*map(Text, cell))
        # A figure that is cut short is a wrong figure: rather lines that the terminal breaks.
        whole = Console(
            file=console.file,
            highlight=False,
            width=max(console.width, _width(header, cells)),
            color_system=console.color_system,  # type: ignore[arg-type]
        )
        whole.print(table)
        if left_out:
            console.print(f"left out, the window being narrow: {', '.join(left_out)}")
    for outcome in outcomes:
        if outcome.state == "failed":
            console.print(f"FAILED  {outcome.name}: {outcome.reason}", markup=False)
        elif outcome.state == "not run":
            console.print(f"NOT RUN {outcome.name}: {outcome.reason}", markup=False)


def _width(header: list[str], cells: list[list[str]]) -> int:
    """Columns of the terminal that the table takes: its cells, a space around each, a gap."""
    widths = [max(map(cell_len, column)) for column in zip(header, *cells, strict=True)]
    return sum(widths) + 3 * len(widths)


def _without(values: list[str], at: int) -> list[str]:
    return values[:at] + values[at + 1 :]


def _swept_params(params: Sequence[Mapping[str, str]]) -> list[str]:
    """Further parameters that differ between the runs, in the order in which runs log them."""
    own = {"backbone", "freeze", PARTIAL_WEIGHTS, COLUMN}
    derived = {"frozen_stages", "frozen_params_frac", "frozen_flops_frac", "trainable_params"}
    logged = dict.fromkeys(key for one in params for key in one)  # some only where they are used
    keys = [key for key in logged if key not in own | derived]
    # An image size that follows from the backbone says nothing new.
    sizes = {(p.get("backbone"), p.get("image_size")) for p in params}
    if len(sizes) == len({p.get("backbone") for p in params}):
        keys = [key for key in keys if key != "image_size"]
    return [key for key in keys if len({p.get(key) for p in params}) > 1]


def _swept_further(finished: Sequence[Outcome]) -> list[str]:
    """Swept keys that are no parameters and differ between the runs, in the order typed."""
    logged = {key for o in finished for key in o.params}
    keys = [
        key
        for key in dict.fromkeys(key for o in finished for key in o.swept)
        if key not in logged and key.replace(".", "_") not in logged
    ]
    return [key for key in keys if len({o.swept.get(key) for o in finished}) > 1]


def _cost_s(metrics: Mapping[str, float]) -> float | None:
    """Seconds of training, those of candidates that were not chosen included."""
    own = metrics.get("time/train_s")
    return None if own is None else own + metrics.get("time/tune_s", 0.0)


def _percent(value: Any) -> str:
    return "?" if value is None else f"{100 * float(value):.1f} %"


def _points(value: float | None) -> str:
    return "?" if value is None else f"{100 * value:.1f}"


def _thousands(value: Any) -> str:
    return "?" if value is None else f"{int(value):,}"


def _seconds(value: float | None) -> str:
    return "?" if value is None else f"{value:.0f}"
