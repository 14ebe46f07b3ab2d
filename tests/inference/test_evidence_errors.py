"""Evidence that cannot be written: the run is whole, and the reason is said."""

import json

import pytest

from frostline.errors import DataChangedError
from frostline.inference.explain.evidence import write_run_evidence

CHANGED = DataChangedError("a.png: it holds other bytes", todo="give the command again")


class Broken:
    """A run whose parts cannot be read."""

    def __init__(self, error):
        self._error = error

    @property
    def backbone(self):
        raise self._error


@pytest.mark.parametrize(
    ("error", "reason", "traces"),
    [(CHANGED, str(CHANGED), 0), (RuntimeError("no font"), "RuntimeError: no font", 1)],
)
def test_a_known_reason_comes_without_a_trace(tmp_path, caplog, error, reason, traces):
    said = []
    metrics = write_run_evidence(
        "light", tmp_path, Broken(error), pool="avg", on_progress=lambda text: said.append(text)
    )
    assert metrics == {}
    assert said == [f"the evidence of this run is incomplete: {reason}"]
    assert json.loads((tmp_path / "error.json").read_text()) == {"error": reason}
    assert sum(record.exc_info is not None for record in caplog.records) == traces
