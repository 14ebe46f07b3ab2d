"""Exercise everything of Frostline that computes on a card, in under nine minutes.

Usage:
python -m benchmarks.gpu                          # all parts; ends at once without a card
python -m benchmarks.gpu --only depths,reuse      # some of them
python -m benchmarks.gpu --device cpu --tiny      # tries the code on the CPU, with tiny nets

Each part is a process of its own with a store of its own; what it has found survives its death.
The whole report is written as JSON, the sweeps into benchmarks/results/CARD-first-look.json. Exit
code 1 if a check does not hold, 2 if nothing can be run here.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.gpu.card import why_unusable
from benchmarks.gpu.catalogue import PARTS
from benchmarks.gpu.checks import Checks

UNUSABLE = 2


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--tiny", action="store_true", help="tiny nets, to try the code")
    parser.add_argument("--only", help=f"some of {','.join(part.name for part in PARTS)}")
    parser.add_argument(
        "--at-once", type=int, default=max(1, min(4, (os.cpu_count() or 1) // 4)),
        help="parts side by side, of those that measure nothing",
    )  # fmt: skip
    parser.add_argument("--minutes", type=float, default=9.0, help="no part goes on after this")
    parser.add_argument("--out", type=Path, help="write the report and the sweeps there")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    reason = why_unusable(chosen.device)
    if reason:
        print(f"nothing was run: {reason}")
        sys.exit(UNUSABLE)
    if chosen.part:
        _carry_out(chosen.part, chosen.device, chosen.tiny)
        return
    names = chosen.only.split(",") if chosen.only else [part.name for part in PARTS]
    if unknown := sorted(set(names) - {part.name for part in PARTS}):
        parser.error(f"--only={','.join(unknown)}: no such part")
    from benchmarks.gpu.rounds import Rounds

    with tempfile.TemporaryDirectory(prefix="frostline-gpu-") as scratch:
        rounds = Rounds(Path(scratch), chosen.device, tiny=chosen.tiny, minutes=chosen.minutes)
        rounds.run([part for part in PARTS if part.name in names], chosen.at_once)
        sys.exit(0 if rounds.report(chosen.out) else 1)


def _carry_out(name: str, device: str, tiny: bool) -> None:
    """One part in this process, whose working directory is its folder."""
    import frostline.sweeps.preload  # noqa: F401  (as a job's process has it)

    found = Checks(Path.cwd(), device, tiny)
    (part,) = [part for part in PARTS if part.name == name]
    with found.tried("the part ran through"):
        part.function()(found)


if __name__ == "__main__":
    main()
