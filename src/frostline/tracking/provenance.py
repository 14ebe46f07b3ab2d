"""Where a run comes from: code, versions, machine, command and data."""

import importlib.metadata
import os
import platform
import shlex
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frostline.redact import redacted, redacted_values

# What a result may depend on; other installed packages are not listed.
PACKAGES = (
    "torch",
    "torchvision",
    "pytorch-lightning",
    "timm",
    "torchmetrics",
    "mlflow",
    "hydra-core",
    "omegaconf",
    "numpy",
    "pandas",
    "pillow",
    "safetensors",
    "scikit-learn",
    "scipy",
    "pyarrow",
)
_GIT_TIMEOUT_S = 10


def read_provenance(
    folder: Path, *, command: Sequence[str], data: Mapping[str, str]
) -> dict[str, Any]:
    """Describe this process and where its code comes from, in plain values.

    Args:
        folder: A folder of the code's repository; git may be missing, and so may the repository.
        command: The command line, as a list of words.
        data: Name, fingerprint and split digest of the data, as far as they are known.

    Returns:
        A dict with the keys git, packages, python, machine, command, folder and data, whose values
        JSON and YAML can hold; without secrets.
    """
    origin = {
        "command": redacted(shlex.join(command)),
        "folder": str(Path.cwd()),
        "git": read_git(folder),
        "python": platform.python_version(),
        "packages": read_versions(PACKAGES),
        "machine": read_machine(),
        "data": dict(data),
    }
    return {key: redacted_values(value) for key, value in origin.items()}


def provenance_tags(
    provenance: Mapping[str, Any], *, accelerator: str | None = None
) -> dict[str, str]:
    """The tags from which MLflow's page shows a run's origin.

    Args:
        provenance: What `read_provenance` returned.
        accelerator: On what the run computes, since a machine with cards may use its processor;
            None where that is not known: the cards, if there are any.
    """
    git, machine = provenance["git"], provenance["machine"]
    cards = "" if accelerator == "cpu" else machine["gpus"]
    tags = {
        "mlflow.source.name": provenance["command"],
        "mlflow.source.type": "LOCAL",
        "frostline.python": provenance["python"],
        "frostline.torch": provenance["packages"].get("torch", "missing"),
        "frostline.timm": provenance["packages"].get("timm", "missing"),
        "frostline.device": cards or machine["cpu"],
    }
    if git["commit"]:
        tags["mlflow.source.git.commit"] = git["commit"]
        tags["mlflow.source.git.branch"] = git["branch"]
        tags["frostline.git_dirty"] = str(git["dirty"]).lower()
    if "fingerprint" in provenance["data"]:
        tags["frostline.data_fingerprint"] = provenance["data"]["fingerprint"]
    return tags


def read_git(folder: Path) -> dict[str, Any]:
    """The commit, the branch and whether tracked files differ from it.

    Returns:
        commit and branch, empty if there is no git, no repository or no commit yet; dirty, None if
        git gives no answer.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": "", "branch": "", "dirty": None}
    branch = _git(folder, "rev-parse", "--abbrev-ref", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {
        "commit": commit,
        "branch": branch or "",
        "dirty": None if changes is None else bool(changes),
    }


def read_versions(packages: Sequence[str]) -> dict[str, str]:
    """Installed versions of packages, without importing them; those not installed are left out."""
    versions = {}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def read_machine() -> dict[str, Any]:
    """The machine: host, system, processor, cores, memory in GiB, and GPUs if torch is loaded."""
    import psutil

    return {
        "host": socket.gethostname(),
        "system": platform.platform(),
        "cpu": _cpu_name(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": _gpu_names(),
    }


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _gpu_names() -> str:
    """Names of the CUDA devices; torch is asked only where it is loaded, for its import is slow.

    A card whose driver PyTorch cannot use raises here, and the run computes on the CPU.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return ""
    try:
        if not torch.cuda.is_available():
            return ""
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    except (RuntimeError, AssertionError):
        return ""
    return ", ".join(names)
