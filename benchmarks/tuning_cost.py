"""What lr=auto costs: the same sweep with it and with a typed rate, each with an empty store.

python -m benchmarks.tuning_cost [--seeds 1 3] [--size 96]

Two pretrained backbones x four depths on the built-in leaves, the real command, in turn.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SWEEP = ("backbone=tf_efficientnet_lite0,tf_efficientnet_lite1", "freeze=0,2,4,all")
TYPED = "lr=1.6e-3"
WAYS = {"typed": TYPED, "auto": "lr=auto"}


def main() -> None:
    """Time both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 3], help="how many")
    parser.add_argument("--size", type=int, default=96, help="image_size")
    given = parser.parse_args()
    print("| seeds | typed, s | lr=auto, s | ratio |\n|---|---|---|---|")
    for count in given.seeds:
        seeds = ",".join(map(str, range(count)))
        words = [*SWEEP, f"seed={seeds}", f"image_size={given.size}"]
        seconds = {way: seconds_of([*words, rate]) for way, rate in WAYS.items()}
        ratio = seconds["auto"] / seconds["typed"]
        print(
            f"| {count} | {seconds['typed']:.0f} | {seconds['auto']:.0f} | {ratio:.2f} |",
            flush=True,
        )


def seconds_of(words: list[str]) -> float:
    """Wall time of a sweep in a folder of its own, with everything cold."""
    with tempfile.TemporaryDirectory(prefix="tuning-cost-") as name:
        env = os.environ | {"FROSTLINE_CACHE": str(Path(name) / "cache"), "PYTHONPATH": str(ROOT)}
        begun_s = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "src.train", "-m", *words],
            cwd=name,
            env=env,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return time.monotonic() - begun_s


if __name__ == "__main__":
    main()
