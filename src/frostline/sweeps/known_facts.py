"""What earlier checks found out about backbones on this machine, so that no library need be asked.

Kept is what the libraries alone can say: depth and size of a backbone, the digest of its weights,
how `auto` computes here. The data are read each time, which needs no library. What is kept holds
for the same versions of the libraries, the same devices and the same file of weights.
"""

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from frostline.backbones.packaged_weights import find_packaged
from frostline.config.schema import Settings
from frostline.config.versions import (
    FEATURES_VERSION,
    LIBRARIES,
    RESULTS_VERSION,
    installed_libraries,
)
from frostline.data.cache import cache_folder, keep_sealed, kept_text
from frostline.files import FileStamp
from frostline.sweeps.data_check import DataFacts
from frostline.sweeps.known_depth import code_of_backbones
from frostline.sweeps.plan import JobFacts

# Raised when other facts are kept, or they depend on something else.
_VERSION = 1
# Environment variables that may change on which device and with which kernels is computed.
_DEVICE_WORDS = ("CUDA_", "NVIDIA_", "TORCH_", "ATEN_", "DNNL_", "ONEDNN_", "MKL_", "HIP_", "HF_")
_KEPT = ("weights_digest", "prefix_stages", "num_stages", "input_px", "model_bytes", "numerics")


def remember(
    jobs: Sequence[Settings], facts: Sequence[JobFacts], files: Mapping[tuple[str, str], Path]
) -> None:
    """Keep what was found out about jobs.

    Args:
        jobs: The jobs.
        facts: What was found out about each.
        files: Backbone and `weights` to the file on this machine; none of what is still to be
            downloaded, or random.
    """
    known: dict[str, dict[str, Any]] = {}
    for job, fact in zip(jobs, facts, strict=True):
        file = files.get((job.backbone, job.weights))
        if file is None and job.weights != "random":
            continue
        witness = None if file is None else _witness(file)
        known[_question(job)] = {
            "file": str(file or ""),
            "witness": witness,
            **{name: getattr(fact, name) for name in _KEPT},
        }
    for question, answer in known.items():
        keep_sealed(_place(question), json.dumps(answer), what="what is known of a backbone")


def known_facts(jobs: Sequence[Settings], data: Sequence[DataFacts]) -> list[JobFacts] | None:
    """The facts of jobs as the checks would find them; None if some are not known.

    Args:
        jobs: The jobs.
        data: What was found out about the data of each.
    """
    facts = []
    for job, of_data in zip(jobs, data, strict=True):
        answer = _recall(_question(job))
        if answer is None:
            return None
        kept = {name: answer[name] for name in _KEPT}
        facts.append(
            JobFacts(
                data_fingerprint=of_data.fingerprint,
                split_digest=of_data.split_digest,
                n_train=of_data.n_train,
                libraries=installed_libraries(),
                value_range=of_data.value_range,
                **kept,
            )
        )
    return facts


def are_known(jobs: Sequence[Settings]) -> bool:
    """Whether there are facts of all these jobs."""
    return all(_recall(_question(job)) is not None for job in jobs)


def _recall(question: str) -> dict[str, Any] | None:
    try:
        answer = json.loads(kept_text(_place(question)) or "null")
        if answer["file"] and _witness(Path(answer["file"])) != answer["witness"]:
            return None
        return answer if set(_KEPT) <= set(answer) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _witness(file: Path) -> list[Any]:
    """What shows that a file of weights is the one that would be found, and is unchanged."""
    model = file.parent.parent.parent
    # In the cache of the model hub a newer revision is named beside the files of the older one.
    is_cached = file.parent.parent.name == "snapshots"
    refs = sorted((model / "refs").glob("*")) if is_cached else []
    return [list(FileStamp.of(file.stat())), [ref.read_text() for ref in refs if ref.is_file()]]


def _question(job: Settings) -> str:
    """A digest of all that the kept facts depend on."""
    packaged = find_packaged(job.backbone)
    asked = {
        "version": (_VERSION, RESULTS_VERSION, FEATURES_VERSION),
        "libraries": _versions(),
        "device": _devices(),
        "backbone": (job.backbone, job.weights, job.freeze, job.image_size, job.head.pool),
        "in_chans": job.in_chans,
        "weights": (job.weights_key, job.weights_partial),
        "code": code_of_backbones(),
        "folder": "" if job.weights in {"pretrained", "random"} else str(Path.cwd()),
        "packaged": packaged.where if packaged is not None else "",
        "schedule": (job.schedule.model_dump(mode="json"), job.epochs),
        "trainer": job.trainer.model_dump(mode="json"),
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


@cache
def _versions() -> tuple[str, ...]:
    """Of the libraries; reading them takes milliseconds, and they stay while a process lives."""
    return tuple(version(name) for name in LIBRARIES if name != "pillow")


def _devices() -> dict[str, Any]:
    driver = Path("/proc/driver/nvidia/version")
    return {
        "machine": (platform.machine(), platform.system()),
        "cards": sorted(str(path) for path in Path("/dev").glob("nvidia*"))
        + [str(path) for path in [Path("/dev/dxg")] if path.exists()],  # WSL2
        "driver": driver.read_text() if driver.is_file() else "",
        "environment": _environment(os.environ.items()),
    }


def _environment(variables: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted((key, value) for key, value in variables if key.startswith(_DEVICE_WORDS))


def _place(question: str) -> Path:
    return cache_folder("backbones") / f"{question[:40]}.json"
