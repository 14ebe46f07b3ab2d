"""How seconds, memory and disk grow with the images: the real commands on 1,000 to 70,000 of them.

python -m benchmarks.many_images [--data DIR] [--sizes 1000 10000 70000]

DIR holds a data set in MNIST's form; Debian's package `dataset-fashion-mnist` puts 70,000 real
images of clothes into the default one. Each size takes the first images of both parts, six sevenths
of them for training. All commands of a size share a cache, which the first one fills.
"""

import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from frostline.data.sources.idx_file import read_idx

ROOT = Path(__file__).resolve().parent.parent
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
PARTS = {"train": 6 / 7, "t10k": 1 / 7}
NET = ("backbone=tf_efficientnet_lite0", "image_size=32", "evidence=off", "report=false")
HEADS = ("freeze=all", "lr=1e-3,1e-2", "seed=0,1", "epochs=5")
DEPTHS = ("freeze=0,4", "lr=1e-3", "epochs=1")
_LOOK_EVERY_S = 0.1
# How the data check ends where it found a leak: Fashion-MNIST has the same images in both parts.
_FOUND = 1


@dataclass(frozen=True)
class Taken:
    """Wall seconds, largest memory of all processes together in MiB, disk used in MiB."""

    seconds: float
    memory_mib: float
    disk_mib: float


def main() -> None:
    """Time each command at each size and print a row for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DEBIAN)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 70_000])
    given = parser.parse_args()
    print("| images | command | seconds | memory, MiB | disk, MiB |\n|---|---|---|---|---|")
    for n_images in given.sizes:
        with tempfile.TemporaryDirectory(prefix="many-images-") as name:
            folder = Path(name)
            cut(given.data, folder / "photos", n_images)
            for what, words in commands("photos").items():
                taken = timed(words, folder)
                print(
                    f"| {n_images:,} | {what} | {taken.seconds:.0f} | {taken.memory_mib:,.0f} "
                    f"| {taken.disk_mib:,.0f} |",
                    flush=True,
                )


def commands(data: str) -> dict[str, list[str]]:
    """What is timed, in order."""
    train = ["src.train", "-m", "data=idx", f"data.path={data}", *NET]
    plan = [*train, "freeze=0,2,4,all", "lr=1e-3", "dry_run=true"]
    return {
        "plan": plan,
        "plan, again": plan,
        "data check": ["src.data", data],
        "4 heads, 5 epochs": [*train, *HEADS],
        "freeze=0 and 4, an epoch": [*train, *DEPTHS],
    }


def cut(source: Path, folder: Path, n_images: int) -> None:
    """Write the first images and labels of each part in MNIST's form."""
    folder.mkdir()
    for part, share in PARTS.items():
        rows = round(n_images * share)
        for kind, dims in (("images", 3), ("labels", 1)):
            (file,) = source.glob(f"{part}-{kind}-idx{dims}-ubyte*")
            values = read_idx(file)[:rows].astype("u1")
            head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
            (folder / f"{part}-{kind}-idx{dims}-ubyte").write_bytes(head + values.tobytes())


def timed(words: list[str], folder: Path) -> Taken:
    """Run a command of the project in a folder."""
    env = os.environ | {"FROSTLINE_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    before = size_of(folder)
    begun_s = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        peak = Peak(child.pid)
        peak.start()
        said = child.communicate()[1]
    seconds = time.monotonic() - begun_s
    peak.join()
    if child.returncode not in {0, _FOUND if words[0] == "src.data" else 0}:
        raise SystemExit(f"{json.dumps(words)} ended with {child.returncode}:\n{said[-2000:]}")
    return Taken(seconds, peak.bytes / 2**20, (size_of(folder) - before) / 2**20)


class Peak(threading.Thread):
    """Watches how much memory a process and its descendants take together, shared pages once."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.bytes = 0

    def run(self) -> None:
        while True:
            try:
                root = psutil.Process(self._pid)
                family = [root, *root.children(recursive=True)]
                self.bytes = max(self.bytes, sum(map(_own_bytes, family)))
            except psutil.Error:
                return
            time.sleep(_LOOK_EVERY_S)


def _own_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.Error, AttributeError):
        return 0


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    main()
