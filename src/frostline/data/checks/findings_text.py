"""Print the results of the checks to the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from frostline.data.checks.checkup import Checkup
from frostline.invocation import as_called

COLOURS = {"error": "bold red", "leak": "bold red", "warning": "yellow", "note": "dim"}
MAX_ROWS = 60


def show(checkup: Checkup, *, page: str) -> None:
    """Print classes, probes and findings, with the worst finding at the end, next to the prompt.

    Args:
        checkup: The results of the checks.
        page: File of the page with sample images; empty if none was written.
    """
    console = Console()
    table = checkup.table
    console.print(
        f"[bold]{escape(table.name)}[/]: {len(table)} images, {len(table.classes)} classes, "
        f"{table.profile()['groups']} groups"
    )
    counts = Table("class", "images", box=None, padding=(0, 2))
    for name, count in list(table.counts().items())[:MAX_ROWS]:
        counts.add_row(escape(name), str(count))
    console.print(counts)
    if len(table.classes) > MAX_ROWS:
        console.print(f"and {len(table.classes) - MAX_ROWS} more classes")
    probes = Table("evidence alone", "macro accuracy", "guessing", box=None)
    for probe in checkup.probes:
        score = f"{probe.acc_macro:.1%} +- {probe.margin:.1%}"
        probes.add_row(probe.evidence, score, f"{probe.chance:.1%}")
    console.print(probes)
    for finding in reversed(checkup.findings):
        colour = COLOURS[finding.level]
        text = f"[{colour}]{finding.level}: {escape(finding.title)}.[/] {escape(finding.text)}"
        console.print(as_called(text), soft_wrap=True)
    if page:
        console.print(f"page with sample images: {escape(page)}")
