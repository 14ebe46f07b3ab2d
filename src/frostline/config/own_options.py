"""What a user's own conf folders add to a composed config: names, places, and no ambiguity."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from frostline.config.conf_files import CONF
from frostline.config.own_part import TARGET, OwnPart
from frostline.config.schema import OWN_GROUPS, Settings
from frostline.config.strict_model import members_of
from frostline.errors import ConfigError
from frostline.plugins.folders import conf_folders, remember
from frostline.plugins.own_backbones import backbone_code

# Who Hydra says has a folder that is none of a user's.
_NOT_OWN = {"hydra", "main", "schema"}
_FILE = "file://"


def hydra_node(config: DictConfig) -> Any:
    """The node `hydra` of a composed config, or of the command that it is the job of; else None."""
    if "hydra" in config:
        return config.hydra
    return HydraConfig.get() if HydraConfig.initialized() else None


def use_own_folders(hydra: Any) -> None:
    """Remember where Hydra looks besides our conf/, and refuse options of which there are two.

    Args:
        hydra: The node `hydra` of what Hydra composed.

    Raises:
        ConfigError: If a chosen option has one name with another.
    """
    sources = hydra.runtime.config_sources
    remember(
        source.path.removeprefix(_FILE)
        for source in sources
        if source.provider not in _NOT_OWN and source.schema == "file"
    )
    check_single_files(hydra.runtime.choices)


def check_single_files(choices: Mapping[str, Any]) -> None:
    """Refuse a chosen option that two folders have: which one counts would be a matter of order.

    Args:
        choices: Group to the option chosen, as Hydra lists them.

    Raises:
        ConfigError: If there is one.
    """
    own = conf_folders()
    for group, choice in choices.items():
        files = [folder / str(group) / f"{choice}.yaml" for folder in (CONF, *own)]
        found = [file for file in files if file.is_file()]
        if len(found) > 1:
            by = "Frostline's own" if found[0].is_relative_to(CONF) else str(found[0])
            raise ConfigError(
                f"{group}={choice}: the name is taken: {found[1]} beside {by}",
                todo=f"rename yours, such as {found[1].parent.name}/my_{choice}.yaml",
            )


def name_own_options(values: dict[Any, Any], choices: Mapping[str, Any]) -> None:
    """Give an own part or strategy the name of its file, where the file says none.

    Args:
        values: The composed config as plain containers; changed.
        choices: Group to the option chosen.
    """
    for group, choice in choices.items():
        node = values.get(group)
        if isinstance(node, dict) and TARGET in node:
            node.setdefault("name", str(choice))
    if not isinstance(values.get("strategy"), dict):
        values["strategy"] = {}
    values["strategy"].setdefault("name", str(choices.get("strategy")))


def with_plugins(settings: Settings) -> Settings:
    """The settings with where own things were found, and the code of an own backbone."""
    for group in OWN_GROUPS:
        _check_name(group, getattr(settings, group))
    code = backbone_code(settings.backbone)
    if code is None and not settings.own_parts:
        return settings
    own = settings.plugins.model_copy(
        update={"folders": [str(Path(each)) for each in conf_folders()], "backbone": code}
    )
    return settings.model_copy(update={"plugins": own})


def _check_name(group: str, part: Any) -> None:
    """Refuse an own part with the name of one of ours: what is decided by name would be wrong."""
    if not isinstance(part, OwnPart):
        return
    members = members_of(Settings.model_fields[group].annotation)
    named = [each for each in members if not issubclass(each, OwnPart)]
    taken = {name for each in named for name in each.model_fields["name"].annotation.__args__}  # type: ignore[union-attr]
    if part.name in taken:
        raise ConfigError(
            f"{group}: name: {part.name}, for {part.target}: the name is taken",
            f"any but {', '.join(sorted(taken))}",
        )
