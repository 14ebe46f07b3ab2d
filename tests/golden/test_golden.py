"""Results change only together with their version.

A finished run answers the same command again, and stored features are read again, as long as the
versions in src/frostline/config/versions.py are equal. So this compares tiny runs with recorded
figures: whoever changes figures has to raise the version, or earlier results would be mixed with
later ones.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from frostline.config.versions import (
    FEATURES_VERSION,
    MEASURES_VERSION,
    RESULTS_VERSION,
    installed_libraries,
)
from tests.golden.measured import RECORDED, digests, features, measures, runs

# CPUs round differently. With the instruction sets AVX2 and SSE4 instead of AVX-512 the figures of
# runs moved by 2.3e-4 at most, those of features by 5e-7 (measured on one machine, torch 2.14). A
# change of the code moves some of them by percents.
RUN_TOLERANCE = 1e-3
FEATURE_TOLERANCE = 1e-4
# An image more or less of the ten of the test split, a few of the 120 that are measured.
ACCURACY_TOLERANCE = 0.11
MEASURE_ACCURACY_TOLERANCE = 0.04
REWRITE = "rewrite the figures with `python -m tests.golden.write`"


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(RECORDED.read_text())
    return content


def test_digests_of_settings_are_as_recorded(recorded: dict[str, Any]) -> None:
    explain("RESULTS_VERSION", RESULTS_VERSION, recorded, [])
    assert digests() == recorded["digests"], (
        "jobs are recognised by other digests than before, so that no finished run answers a "
        f"command any more; if that is meant, say so in CHANGELOG.md and {REWRITE}"
    )


def test_runs_give_the_recorded_figures(
    recorded: dict[str, Any], tmp_path: Path, empty_store_file: Path
) -> None:
    explain("RESULTS_VERSION", RESULTS_VERSION, recorded, [])
    shutil.copyfile(empty_store_file, tmp_path / "mlflow.db")
    differences = list(compared(recorded["runs"], runs(tmp_path), RUN_TOLERANCE))
    explain("RESULTS_VERSION", RESULTS_VERSION, recorded, differences)


def test_prefixes_give_the_recorded_outputs(recorded: dict[str, Any], tmp_path: Path) -> None:
    explain("FEATURES_VERSION", FEATURES_VERSION, recorded, [])
    differences = list(compared(recorded["features"], features(tmp_path), FEATURE_TOLERANCE))
    explain("FEATURES_VERSION", FEATURES_VERSION, recorded, differences)


def test_measures_are_as_recorded(recorded: dict[str, Any]) -> None:
    explain("MEASURES_VERSION", MEASURES_VERSION, recorded, [])
    differences = list(
        compared(
            recorded["measures"], measures(), RUN_TOLERANCE, accuracy=MEASURE_ACCURACY_TOLERANCE
        )
    )
    explain("MEASURES_VERSION", MEASURES_VERSION, recorded, differences)


def explain(name: str, version: int, recorded: Mapping[str, Any], differences: list[str]) -> None:
    """Fail with what to do, if the recorded figures are of another version or differ."""
    if recorded[name.lower()] != version:
        pytest.fail(f"{name} is {version}, {recorded[name.lower()]} in {RECORDED.name}: {REWRITE}")
    if not differences:
        return
    listed = "\n  ".join(differences)
    libraries = recorded["libraries"]
    if libraries != installed_libraries():
        pytest.fail(
            f"recorded with {libraries}, now with {installed_libraries()}: if only the libraries "
            f"changed, {REWRITE}\n  {listed}"
        )
    pytest.fail(
        f"figures differ from those recorded with {name}={version}. If that is meant: raise {name} "
        f"in src/frostline/config/versions.py, add a line on what changed, and {REWRITE}.\n"
        f"  {listed}"
    )


def compared(
    then: Mapping[str, Any],
    now: Mapping[str, Any],
    tolerance: float,
    *,
    accuracy: float = ACCURACY_TOLERANCE,
) -> Iterator[str]:
    """Each figure that differs by more than rounding, in a line."""
    assert then.keys() == now.keys(), f"other cases than in {RECORDED.name}: {REWRITE}"
    for case, figures in then.items():
        for name, value in figures.items():
            allowed = accuracy if "acc" in name else tolerance
            if now[case][name] != pytest.approx(value, rel=allowed, abs=allowed):
                yield f"{case} {name}: {value} then, {now[case][name]} now"
