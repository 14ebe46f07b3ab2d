"""The parts in processes of their own, some side by side, within a limit; and their report."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu.catalogue import Part
from benchmarks.gpu.checks import FILE, ending
from benchmarks.gpu.sweeps import RESULTS

_LEAST_S = 20  # a part that has less left is not begun
_SLOWER = 8  # a CPU is given so many times as long
REPORT = "gpu.json"
FIRST_LOOK = "-first-look"  # after the card's name


class Rounds:
    """Runs parts and keeps what they found.

    Args:
        scratch: An empty folder.
        device: `cuda` or `cpu`.
        tiny: Whether tiny nets take the place of real ones.
        minutes: After which nothing goes on; on a CPU there is no such limit.
    """

    def __init__(self, scratch: Path, device: str, *, tiny: bool, minutes: float) -> None:
        self.scratch, self.device, self.tiny = scratch, device, tiny
        self.begun = time.monotonic()
        self.until = self.begun + (60 * minutes if device == "cuda" else float("inf"))
        self.found: dict[str, dict[str, Any]] = {}

    def run(self, parts: Sequence[Part], at_once: int) -> None:
        """Run those that may run beside others, then those that need the machine."""
        queue = [part for part in parts if not part.alone]
        lock = threading.Lock()

        def take() -> None:
            while True:
                with lock:
                    if not queue:
                        return
                    part = queue.pop(0)
                self.run_part(part)

        threads = [threading.Thread(target=take) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for part in parts:
            if part.alone:
                self.run_part(part)

    def run_part(self, part: Part) -> None:
        """One part; it is killed with all its processes if it takes too long."""
        allowed = part.seconds * (1 if self.device == "cuda" else _SLOWER)
        limit = min(allowed, self.until - time.monotonic())
        if limit < _LEAST_S:
            self.found[part.name] = {"left out": "no time was left"}
            return
        place = self.scratch / part.name
        place.mkdir()
        words = ["--part", part.name, "--device", self.device, *(["--tiny"] if self.tiny else [])]
        with (place / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.gpu", *words], cwd=place, stdout=log,
                stderr=log, env=self._environment(place), start_new_session=True,
            )  # fmt: skip
            try:
                code: int | str = process.wait(timeout=limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # its own session: it and what it started
                process.wait()
                code = f"out of time after {limit:.0f} s"
        kept = place / FILE
        self.found[part.name] = json.loads(kept.read_text()) if kept.exists() else {"checks": {}}
        self.found[part.name]["exit"] = code
        if code != 0:
            self.found[part.name]["log"] = ending((place / "log").read_text(errors="replace"))
        print(f"{part.name}: {_told(self.found[part.name])}", flush=True)

    def _environment(self, place: Path) -> dict[str, str]:
        """Stores of its own; the same packages, also where these are carried beside the code."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "FROSTLINE"))}
        given = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        paths = [str(Path(path).resolve()) for path in [str(Path.cwd()), *given]]
        return {
            **kept,
            "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
            "FROSTLINE_CACHE": str(self.scratch / "cache"),
            "FROSTLINE_HOME": str(place / "home"),
        }

    def report(self, out: Path | None) -> bool:
        """Write and print what was found.

        Args:
            out: Folder of the report and the sweeps; None: those of a card go to
                benchmarks/results, and the report to the working directory.

        Returns:
            Whether all holds.
        """
        checks = [
            (part, name, one["holds"])
            for part, found in self.found.items()
            for name, one in found.get("checks", {}).items()
        ]
        failed = [f"{part}: {name}" for part, name, holds in checks if not holds]
        failed += [part for part, found in self.found.items() if found.get("exit", 0) != 0]
        left_out = [part for part, found in self.found.items() if "left out" in found]
        report = {
            "seconds": round(time.monotonic() - self.begun, 1), "device": self.device,
            "tiny": self.tiny, "held": len(checks) - sum(not holds for *_, holds in checks),
            "failed": failed, "left_out": left_out, "parts": self.found,
        }  # fmt: skip
        folder = out or Path.cwd()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REPORT).write_text(json.dumps(report, indent=1, default=str) + "\n")
        sweeps = self.scratch / "sweeps" / "sweeps.json"
        if sweeps.exists() and (out is not None or self.device == "cuda"):
            name = json.loads(sweeps.read_text())["machine"]
            # Beside the rows of `benchmarks.run`, which have another form and are of more images.
            shutil.copyfile(sweeps, (out or RESULTS) / f"{name}{FIRST_LOOK}.json")
        print(
            f"{report['held']} of {len(checks)} checks hold, {report['seconds']:.0f} s; "
            f"{folder / REPORT}"
        )
        for line in failed:
            print(f"does not hold: {line}")
        for name in left_out:
            print(f"left out, no time: {name}")
        return not failed and not left_out


def _told(found: dict[str, Any]) -> str:
    """A part in one line."""
    holds = [one["holds"] for one in found.get("checks", {}).values()]
    over = "" if found["exit"] == 0 else f", ended with {found['exit']}"
    return f"{sum(holds)} of {len(holds)} checks hold{over}"
