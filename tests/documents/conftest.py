"""A folder with a trained sweep, in which the documents' commands are run."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.documents.blocks import ROOT
from tests.documents.place import lay_out
from tests.documents.warm import WarmProcess
from tests.integration.conftest import environment

# The run of docs/evaluate.md, on fewer and smaller pictures.
TRAINED = (
    "backbone=tf_efficientnet_lite0", "freeze=4,all", "image_size=32", "epochs=1", "lr=1e-3",
    "data.n_images=200",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where commands run, and what the words of the documents stand for there."""

    folder: Path
    warm: WarmProcess
    meant: dict[str, str]

    def words(self, line: list[str]) -> list[str]:
        """The words of a line with what stands there for RUN, ID and their like."""
        meaning = re.compile("|".join(rf"\b{name}\b" for name in self.meant))
        return [meaning.sub(lambda found: self.meant[found[0]], word) for word in line]

    def run(self, line: list[str]) -> tuple[int, str]:
        """Run a command line that begins with `python`, `make` or a word of the environment."""
        for left in ("outputs/exports",):
            shutil.rmtree(self.folder / left, ignore_errors=True)
        return self.warm.run(*self.words(line)[1:])


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, empty_store_file: Path) -> Iterator[Place]:
    """The folder, after a small sweep whose runs and id stand for RUN and ID."""
    folder = tmp_path_factory.mktemp("documents")
    lay_out(folder)
    shutil.copyfile(empty_store_file, folder / "mlflow.db")
    with WarmProcess(folder, environment(folder)) as warm:
        code, printed = warm.run("-m", "src.train", "-m", *TRAINED)
        assert code == 0, printed
        yield Place(folder, warm, _meant(folder))


def _meant(folder: Path) -> dict[str, str]:
    from frostline.tracking.store import open_store

    store = open_store(None, "leaves", folder=folder)
    runs = {run.params["freeze"]: run for run in store.find_runs({"frostline.kind": "job"})}
    return {
        "RUN": runs["4"].run_id,
        "OTHER": runs["all"].run_id,
        "ID": runs["4"].tags["frostline.sweep_id"],
        "PATH": "photos",
        "ROOT": os.fspath(ROOT),
    }
