"""Find the recorded runs of a study's jobs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from experiments.tools.study_jobs import Study, StudyJob
from frostline.config.identity import config_digest
from frostline.config.recorded_config import recorded_settings
from frostline.errors import ConfigError
from frostline.stats.predictions import Predictions
from frostline.tracking.records import RunRecord
from frostline.tracking.run_contents import Source

if TYPE_CHECKING:
    from frostline.tracking.reader import Reader


@dataclass(frozen=True)
class Recorded:
    """A study with its recorded runs.

    Attributes:
        study: The study.
        runs: Cell to seed to run; jobs without a run are missing.
        source: Reads the predictions of runs.
    """

    study: Study
    runs: Mapping[str, Mapping[int, RunRecord]]
    source: Source

    @property
    def missing(self) -> list[StudyJob]:
        """The jobs without a finished run."""
        return [j for j in self.study.jobs if j.settings.seed not in self.runs.get(j.label, {})]

    def predictions(self, label: str, split: str) -> dict[str, Predictions]:
        """Read the predictions of a cell's runs on `val` or `test`, by seed."""
        by_seed = {
            str(seed): self.source.predictions(run.run_id, split)
            for seed, run in self.runs.get(label, {}).items()
        }
        return {seed: one for seed, one in by_seed.items() if one is not None}

    def values(self, label: str, metric: str) -> list[float]:
        """Return a metric of all seeds of a cell that have it."""
        runs = self.runs.get(label, {}).values()
        return [run.metrics[metric] for run in runs if metric in run.metrics]


def find_recorded(study: Study, store: "Reader", source: Source) -> Recorded:
    """Find the newest finished run of each job.

    A run belongs to a job if its config is the same; keys that were added after the run count with
    their defaults. The version of the results is not compared here, but the tables name it.

    Args:
        study: The study.
        store: Where runs are recorded.
        source: Reads the files of runs.
    """
    finished = store.find_runs({"frostline.kind": "job"}, status=("FINISHED",), everywhere=True)
    wanted = {job.key for job in study.jobs}
    newest: dict[tuple[str, str], RunRecord] = {}
    for run in sorted(finished, key=lambda run: run.start_ms):
        for key in _keys(run, wanted, source):
            newest[key] = run
    runs: dict[str, dict[int, RunRecord]] = {label: {} for label in study.labels}
    for job in study.jobs:
        if job.key in newest:
            runs[job.label][job.settings.seed] = newest[job.key]
    return Recorded(study, runs, source)


def versions_of(runs: Sequence[RunRecord]) -> list[str]:
    """Return the results versions of runs; of older runs, what identified their code."""
    return sorted({_version_of(run.tags) for run in runs})


def _version_of(tags: Mapping[str, str]) -> str:
    earlier = tags.get("frostline.code_version", "not recorded")
    return tags.get("frostline.results_version", earlier)


def _keys(
    run: RunRecord, wanted: set[tuple[str, str]], source: Source
) -> Iterator[tuple[str, str]]:
    data = run.params.get("data", "")
    digest = run.tags.get("frostline.config_digest", "")
    if (digest, data) in wanted:
        yield digest, data
    elif data in {name for _, name in wanted}:
        text = source.text(run.run_id, "config.yaml")
        try:
            settings = recorded_settings(yaml.safe_load(text)) if text else None
        except (ConfigError, yaml.YAMLError):
            settings = None
        if settings is not None and (config_digest(settings), data) in wanted:
            yield config_digest(settings), data
