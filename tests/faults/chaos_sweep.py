"""The sweep that chaos strikes: its command, its processes, and every state of its photos."""

import os
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from PIL import Image

from tests.faults.conftest import as_from_a_terminal
from tests.integration.conftest import draw_classes

LONGEST_S = 400
EPOCHS = 3
PER_CLASS = 16
FIRST = "first"
WEIGHTS = "start.safetensors"


@dataclass
class ChaosSweep:
    """A sweep of tiny jobs, half of them on stored features of one frozen backbone.

    Attributes:
        folder: Photos, store and logs lie here.
        jobs: How many jobs the sweep has.
        starts: How often it was begun.
        states: The states that its photos have had, by name: folders with their copies.
    """

    folder: Path
    jobs: int
    starts: int = 0
    states: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.log = self.folder / "chaos.log"
        self.photos = self.folder / "photos"
        draw_classes(self.photos, per_class=PER_CLASS)
        self.keep_photos(FIRST)
        _draw_weights(self.folder / WEIGHTS)

    def command(self) -> list[str]:
        """Enough rate and steps that runs differ in their scores: all alike would prove nothing."""
        return [
            sys.executable, "-m", "src.train", "-m", "backbone=test_resnet", f"weights={WEIGHTS}",
            "image_size=32", "data=folder", "data.path=photos", "data.split_seed=0",
            f"epochs={EPOCHS}", "freeze=0,all", "lr=0.01", "batch_size=4", "report=false",
            "seed=" + ",".join(map(str, range(self.jobs // 2))),
        ]  # fmt: skip

    def start(
        self, *, file_limit_bytes: int | None = None, folder: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Begin it, in another folder if that is given; its output is added to the log.

        Args:
            file_limit_bytes: Beyond it no file takes a byte, as on a full disk.
            folder: Holds photos and weights of its own.
        """

        def restrict() -> None:
            as_from_a_terminal()
            if file_limit_bytes is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit_bytes, file_limit_bytes))

        self.starts += folder is None
        here = folder or self.folder
        with (here / self.log.name).open("a") as out:
            return subprocess.Popen(
                self.command(),
                cwd=here,
                env=os.environ | {"FROSTLINE_CACHE": str(here / "cache")},
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=restrict,
            )

    def started_jobs(self) -> int:
        """How many jobs have started so far, as the log has it."""
        return self.log.read_text().count("  starts\n") if self.log.exists() else 0

    def end_alone(self) -> None:
        """Begin it once more, and let it end: nothing may be left that one command cannot mend."""
        code = self.start().wait(3 * LONGEST_S)
        assert code == 0, self.log.read_text()[-5000:]

    def keep_photos(self, name: str) -> None:
        """Keep a copy of the photos as they are now."""
        self.states[name] = self.folder / "states" / name
        shutil.copytree(self.photos, self.states[name])

    def show_photos(self, name: str) -> None:
        """Put the photos back into a state that they have had."""
        shutil.rmtree(self.photos)
        shutil.copytree(self.states[name], self.photos)

    def copy_undisturbed(self, folder: Path) -> None:
        """Make a folder in which the sweep can run with the first photos as if nothing had been."""
        folder.mkdir()
        shutil.copytree(self.states[FIRST], folder / self.photos.name)
        shutil.copyfile(self.folder / WEIGHTS, folder / WEIGHTS)


def change_photo(path: Path, shade: int) -> None:
    """Write another image over a photo, in place, as a copying program does."""
    Image.new("RGB", (32, 32), (shade, 9, 9)).save(path)


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """A command's process with all that it has started; none if it has ended."""
    try:
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def end(processes: list[psutil.Process], *, kill: bool = True) -> None:
    """Wait for processes, which end by themselves with their sweep, or are killed here."""
    for one in processes if kill else []:
        if one.is_running():
            one.kill()
    _, alive = psutil.wait_procs(processes, timeout=LONGEST_S)
    assert not alive, f"processes outlive their sweep: {alive}"


def _draw_weights(path: Path) -> None:
    """One file of weights for all jobs, so that those with frozen stages share their features."""
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    save_file(timm.create_model("test_resnet", num_classes=10).state_dict(), path)
