"""From what Hydra composed to checked settings, with one readable message for all mistakes."""

import difflib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pydantic import ValidationError

from frostline.config.conf_files import GROUPS_WITHOUT_DEFAULT, default_choices
from frostline.config.credentials import put_aside
from frostline.config.likely_key import likely_keys
from frostline.config.own_options import hydra_node, name_own_options, use_own_folders, with_plugins
from frostline.config.renamed_backbones import present_name
from frostline.config.schema import Settings, better_direction
from frostline.config.strict_model import members_of
from frostline.config.tune_grid import check_tuning, with_middle_rate
from frostline.config.value_errors import wrong_value
from frostline.config.value_origins import typed_keys
from frostline.errors import ConfigError

# What pydantic adds to a location that no key is called.
_NO_KEYS = {"int", "str", "constrained-int", "none", "own", "named"}


def settings_of(config: DictConfig) -> Settings:
    """Check a composed config, with or without its `hydra` node.

    An address with a password is put aside (`config.credentials`); the settings hold it without.

    A backbone that timm has renamed gets its present name. Whether the backbone exists is not
    checked here: see `backbones.names.check_backbone_name`.

    Raises:
        ConfigError: If a value is missing, or as `read_settings`.
    """
    if "hydra" in config:
        _check_single_options(config)
    hydra = hydra_node(config)
    if hydra is not None:
        use_own_folders(hydra)
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    missing = sorted(OmegaConf.missing_keys(own))
    if missing:
        raise ConfigError(
            "; ".join(f"{key}=???: a value is missing" for key in missing),
            todo=" ".join(f"{key}=VALUE" for key in missing),
        )
    values = OmegaConf.to_container(own, resolve=True)
    assert isinstance(values, dict)
    if isinstance(values.get("backbone"), str):
        values["backbone"] = present_name(values["backbone"])
    tracking = values.get("tracking")
    if isinstance(tracking, dict) and isinstance(tracking.get("uri"), str):
        tracking["uri"] = put_aside(tracking["uri"])
    if hydra is not None:
        name_own_options(values, hydra.runtime.choices)
    strategy = values.get("strategy")
    if "hydra" in config and isinstance(strategy, dict) and strategy.get("typed") is None:
        strategy["typed"] = typed_keys(config)
    settings = with_plugins(read_settings({str(key): value for key, value in values.items()}))
    _check_direction(settings)
    _check_fold(settings)
    check_tuning(settings)
    return with_middle_rate(settings)


def _check_single_options(config: DictConfig) -> None:
    """Refuse `augment=[flip,crop]`: Hydra merges such options, and the last one wins.

    Raises:
        ConfigError: If a group was given a list of options.
    """
    # A group that got a list has no entry among Hydra's choices.
    chosen = config.hydra.runtime.choices
    for group in (*default_choices(), *GROUPS_WITHOUT_DEFAULT):
        if (group in config or group in GROUPS_WITHOUT_DEFAULT) and group not in chosen:
            given = _options_given(group, list(config.hydra.overrides.task))
            raise ConfigError(
                f"{group}={given}: several options for one group",
                f"{group}=NAME: one of the files of conf/{group}/",
                f"for one job each: -m {group}={given.strip('[]').replace(' ', '')}",
            )


def _options_given(group: str, words: list[str]) -> str:
    typed = [word.partition("=")[2] for word in words if word.lstrip("+").startswith(f"{group}=")]
    return typed[-1] if typed else "[...]"


def read_settings(values: dict[str, Any]) -> Settings:
    """Check composed values against the schema and against the disk.

    Args:
        values: The resolved config as plain containers.

    Raises:
        ConfigError: If a key is missing, unknown or of a wrong type, or a path does not exist.
    """
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise _readable(error) from None
    _check_paths(settings)
    return settings


def _check_direction(settings: Settings) -> None:
    """Not part of the schema: runs that were recorded with it can still be used."""
    monitor, mode = settings.callbacks.monitor, settings.callbacks.mode
    better = better_direction(monitor)
    if mode != better:
        raise ConfigError(
            f"callbacks.mode={mode} with callbacks.monitor={monitor}: the worst epoch would be "
            "kept as the best",
            f"callbacks.mode={better}, or null, which follows the metric",
            "leave callbacks.mode out",
        )


def _check_fold(settings: Settings) -> None:
    """Refuse a fold that does not exist, or that changes nothing; see `_check_direction`."""
    folds, fold = settings.data.folds, settings.data.fold
    if folds is None and fold != 0:
        raise ConfigError(
            f"data.fold={fold}: there are no folds, as data.folds is not set, so every fold would "
            "be the same training",
            f"data.folds=5 data.fold={fold}, or data.folds=5 with -m for all of them",
        )
    if folds is not None and settings.data.split_file is not None:
        raise ConfigError(
            f"data.folds={folds} with data.split_file={settings.data.split_file}: the file says "
            "which image is in which split, so every fold would be the same training",
            "one of them",
        )
    if folds is not None and fold >= folds:
        raise ConfigError(
            f"data.fold={fold} with data.folds={folds}: there is no such fold",
            f"0 to {folds - 1}",
        )


def _check_paths(settings: Settings) -> None:
    path = getattr(settings.data, "path", None)
    # A data set of the hub has a name there, which looks like a path.
    if path is not None and settings.data.source != "hub" and not Path(path).expanduser().exists():
        raise ConfigError(
            f"data.path={path}: there is no such file or folder (seen from {Path.cwd()})"
            f"{similar_path(Path(path).expanduser())}",
            todo="give the path of your data set: data.path=DIR",
        )
    if settings.tracking.system_metrics and find_spec("psutil") is None:
        raise ConfigError(
            "tracking.system_metrics=true: psutil is not installed here",
            todo="pip install psutil; for the GPU pip install nvidia-ml-py as well",
        )
    if settings.callbacks.tensorboard and find_spec("tensorboard") is None:
        raise ConfigError(
            "callbacks.tensorboard=true: TensorBoard is not installed here",
            todo="pip install tensorboard, or take callbacks.csv=true, which needs nothing",
        )
    weights = settings.weights
    is_path = "/" in weights or Path(weights).suffix in {".pth", ".pt", ".ckpt", ".safetensors"}
    if weights in {"pretrained", "random"} or (is_path and Path(weights).expanduser().is_file()):
        return
    if "://" in weights:
        raise ConfigError(
            f"weights={weights}: weights are not fetched from addresses",
            "pretrained, random, or a local .safetensors or .pth file",
            "download the file yourself and give its path",
        )
    close = difflib.get_close_matches(weights, ["pretrained", "random"], n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    what = f"there is no such file{similar_path(Path(weights))}" if is_path else f"unknown{hint}"
    raise ConfigError(
        f"weights={weights}: {what}", "pretrained, random, or a path (.safetensors, .pth)"
    )


def similar_path(missing: Path) -> str:
    """The entry of its folder whose name is most like that of a missing one, as a question."""
    try:
        names = [entry.name for entry in missing.parent.iterdir()]
    except OSError:
        return ""
    close = difflib.get_close_matches(missing.name, names, n=1, cutoff=0.7)
    return f"; did you mean {missing.parent / close[0]}?" if close else ""


def _readable(error: ValidationError) -> ConfigError:
    """One message for everything that the schema rejected: given, allowed, what to do."""
    lines: dict[str, str] = {}
    for problem in error.errors():
        key = _key_of(problem["loc"])
        given = problem.get("input")
        if problem["type"] == "missing" or given == "???":
            lines[key] = f"{key} is missing: give {key}=VALUE"
        elif problem["type"] == "extra_forbidden":
            lines[key] = f"{key}: there is no such key" + "".join(
                f" (nearest: {name})" for name in likely_keys(key, 1)
            )
        else:
            lines[key] = wrong_value(key, dict(problem))
    return ConfigError(
        "\n".join(lines.values()),
        todo="see the keys, their values and defaults with: python -m src.train --cfg job",
    )


def _key_of(location: tuple[int | str, ...]) -> str:
    """The config key of a pydantic location, without the names of union members."""
    first, *inner = (str(part) for part in location)
    key = [first]
    for place, part in enumerate(inner, start=1):
        # An unknown key stands last, and is in no member's fields.
        is_last = place == len(inner)
        is_member = len(key) == 1 and len(inner) > 1 and not is_last and part not in _fields(first)
        if not (is_member or part in _NO_KEYS):
            key.append(part)
    return ".".join(key)


def _fields(group: str) -> set[str]:
    """Names of the keys that any member of a group has."""
    names: set[str] = set()
    if group in Settings.model_fields:
        for member in members_of(Settings.model_fields[group].annotation):
            names |= set(member.model_fields)
    return names
