"""How many more photos? The section that says how many there are, and gives the command.

What more of them would bring is measured on features of the images (`frostline.advice.growth`), for
which a report has neither images nor backbone: runs may be of another machine.
"""

import json
import shlex

from frostline.invocation import as_called
from frostline.reporting.page import Section
from frostline.reporting.rerun_command import overrides_of
from frostline.reporting.select import Selection
from frostline.stats.folds import are_folds
from frostline.stats.verdict import Verdict
from frostline.tracking.run_contents import Source

# Of the keys of a job, those that say which images are asked about, and with which weights.
_ASKED = ("data", "weights", "weights_key", "weights_partial", "image_size")
_MOST_BACKBONES = 3


def more_photos_section(verdict: Verdict, selection: Selection, source: Source) -> list[Section]:
    """The section; none where it is not recorded how the runs were made.

    Args:
        verdict: What is known.
        selection: The runs.
        source: Where plans and records of data are.
    """
    runs = {run.run_id: run for run in selection.runs}
    run = runs[next(iter(verdict.recommended.cell.run_ids.values()))]
    overrides = overrides_of(run, source)
    backbone = run.params.get("backbone", "")
    if overrides is None or not backbone or any(word[:1] in "+~-" for word in overrides):
        return []
    rows = [row for row in verdict.rows if row.standing not in {"worse", "not tested"}]
    others = [row.cell.params.get("backbone", backbone) for row in rows]
    names = list(dict.fromkeys([backbone, *others]))[:_MOST_BACKBONES]
    asked = [word for word in overrides if word.partition("=")[0].split(".")[0] in _ASKED]
    words = shlex.join([*asked, f"backbone={','.join(names)}"])
    command = as_called("python -m src.advise ") + words + " --more"
    text = source.text(run.run_id, "data.json")
    try:
        n_train = json.loads(text)["splits"]["train"] if text else None
    except (ValueError, KeyError, TypeError):
        n_train = None
    who = "Runs of a fold" if are_folds(verdict.recommended.cell.run_ids) else "These runs"
    now = f"{who} trained on {n_train:,} images. " if isinstance(n_train, int) else ""
    note = (
        f"{now}The score with twice and four times as many, with intervals, which classes would "
        "gain, and whether another backbone would be ahead then is measured on features of the "
        f"images, most of which these runs have stored: {command}"
    )
    return [Section("more", "How many more photos?", [note])]
