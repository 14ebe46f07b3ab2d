"""Both notebooks run from their first cell to their last, each in an empty folder."""

import os
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.documents.blocks import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a notebook as Jupyter does; its outputs as text, by cell."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def run(name: str) -> list[str]:
        book = nbformat.read(ROOT / f"docs/notebooks/{name}.ipynb", as_version=4)
        client = NotebookClient(
            book, timeout=800, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
        )
        client.execute()
        return [_text(cell) for cell in book.cells if cell.cell_type == "code"]

    return run


def _text(cell) -> str:
    """What a cell shows, without the colours of a terminal."""
    parts = []
    for output in cell.outputs:
        parts.append(output.get("text", ""))
        parts.append(str(output.get("data", {}).get("text/plain", "")))
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(parts))


def test_there_are_two() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["first_sweep", "own_photographs"]


def test_first_sweep(ran, tmp_path: Path) -> None:
    outputs = ran("first_sweep")
    assert "['reused', 'reused', 'reused', 'reused', 'reused', 'reused']" in outputs[1]
    assert outputs[2].count("\n") >= 6 and "val_best/f1_macro" in outputs[2]
    assert list(tmp_path.glob("multirun/python/*/report/report.html"))


def test_own_photographs(ran, tmp_path: Path) -> None:
    outputs = ran("own_photographs")
    assert "150 images, 3 classes" in outputs[1]
    assert (tmp_path / "shapes_model/predict.py").is_file()
    last = outputs[-1].strip().splitlines()[-1]
    assert "new.png" in last and any(kind in last for kind in ("circle", "square", "triangle"))
