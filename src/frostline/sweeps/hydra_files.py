"""The config and the overrides of a job, where Hydra's users look for them."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf._utils import get_omega_conf_dumper

from frostline.redact import redacted
from frostline.yaml_text import dumped


def save_hydra_files(config: Any, overrides: Any, folder: Path) -> None:
    """Leave `.hydra/config.yaml` and `.hydra/overrides.yaml` as Hydra writes them, without secrets.

    Args:
        config: Plain values.
        overrides: The words of the command.
        folder: The job's.

    Raises:
        OSError: If they cannot be written.
    """
    place = folder / ".hydra"
    place.mkdir(parents=True, exist_ok=True)
    for name, values in (("config", config), ("overrides", overrides)):
        text = redacted(dumped(values, get_omega_conf_dumper(), _fast_dumper()))
        (place / f"{name}.yaml").write_text(text, encoding="utf-8")


@cache
def _fast_dumper() -> type[Any] | None:
    """OmegaConf's dumper, which quotes texts that could be read as numbers, over libyaml."""
    base = getattr(yaml, "CDumper", None)
    if base is None:
        return None
    made: type[Any] = type("FastDumper", (base,), {})
    made.add_representer(str, get_omega_conf_dumper().str_representer)
    return made
