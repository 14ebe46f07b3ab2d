"""P0, P1 and Frostline, one after the other, on one sweep; and what tiny jobs cost (W6)."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.inputs import new_store, write_images
from benchmarks.jobs import Place, Workload, tiny_workloads


class Systems:
    """Runs them in folders of their own.

    Args:
        scratch: An empty folder.
        device: `cpu` or `cuda`.
        threads: CPU threads; None: all cores.
        image_px: Side of the JPEG files.
    """

    def __init__(self, scratch: Path, device: str, threads: int | None, image_px: int) -> None:
        self.scratch, self.device, self.threads, self.image_px = scratch, device, threads, image_px
        self.template = new_store(scratch)
        self._images: dict[int, Path] = {}
        self._givens: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def images(self, n: int) -> Path:
        """The folder of a data set of n images, written once."""
        if n not in self._images:
            self._images[n] = write_images(self.scratch / f"leaves{n}", n, self.image_px)
        return self._images[n]

    def folder(self) -> Path:
        """A new, empty folder."""
        return Path(tempfile.mkdtemp(dir=self.scratch))

    def place(self, n_images: int) -> Place:
        """A new folder with an empty store of records."""
        folder = self.folder()
        shutil.copyfile(self.template, folder / "mlflow.db")
        store = f"sqlite:///{folder / 'mlflow.db'}"
        return Place(self.images(n_images), store, folder, self.device, self.threads)

    def givens(self, work: Workload, n_images: int) -> tuple[Any, Any]:
        """What the peers start from, and the fastest ways that a probe finds; not timed."""
        from benchmarks.measure import in_warm_process
        from benchmarks.plain import prepare
        from benchmarks.tuned import fastest_modes

        key = (work.jobs, work.image_size, work.batch_size, work.precision)
        if key not in self._givens:
            givens = in_warm_process(prepare, work, self.folder()).value
            place = self.place(n_images)
            ways = in_warm_process(fastest_modes, work, place, givens).value
            self._givens[key] = (givens, ways)
        return self._givens[key]

    def bound_s(self, work: Workload, n_images: int) -> float:
        """The least that the sweep could take here."""
        from benchmarks.bound import bound_s
        from benchmarks.measure import in_warm_process

        givens, _ = self.givens(work, n_images)
        seconds: float = in_warm_process(bound_s, work, self.place(n_images), givens).value
        return seconds

    def round(self, work: Workload, n_images: int) -> Mapping[str, Mapping[str, Any]]:
        """All systems once.

        Returns:
            By system: `seconds`, `peak_mib`, and `test_acc` of each job.
        """
        from benchmarks import ours, tuned, usual
        from benchmarks.measure import Taken, fresh_home, here, in_warm_process

        def noted(taken: Taken, accuracies: list[float]) -> dict[str, Any]:
            return {"seconds": taken.seconds, "peak_mib": taken.peak_mib, "test_acc": accuracies}

        found = {}
        givens, ways = self.givens(work, n_images)
        taken = in_warm_process(usual.usual_sweep, work, self.place(n_images), givens)
        found["P0"] = noted(taken, taken.value)
        taken = in_warm_process(tuned.tuned_sweep, work, self.place(n_images), givens, ways)
        found["P1"] = noted(taken, taken.value[0])
        fresh_home(self.folder())
        for system in ("cold", "warm"):
            place = self.place(n_images)
            taken = here(ours.our_sweep, work, place)
            found[system] = noted(taken, ours.our_accuracies(work, place))
        return found

    def tiny_jobs(self, n_images: int, *, tiny: bool) -> dict[str, Any]:
        """W6: many tiny jobs, by themselves and as one batch; what a step costs."""
        from benchmarks import ours, tuned
        from benchmarks.measure import fresh_home, here, in_warm_process
        from benchmarks.steps import step_overhead

        found: dict[str, Any] = {}
        for name, work in tiny_workloads(tiny=tiny).items():
            given = self.givens(work, n_images)
            place = self.place(n_images)
            loop_s = in_warm_process(tuned.tuned_sweep, work, place, *given).value[1]
            fresh_home(self.folder())
            taken = here(ours.our_sweep, work, self.place(n_images))
            found[f"{name}_jobs"] = len(work.jobs)
            found[f"{name}_s_per_job"] = taken.seconds / len(work.jobs)
            found[f"{name}_loop_s_per_job"] = loop_s / len(work.jobs)
        found["step"] = in_warm_process(step_overhead, self.folder()).value
        return found
