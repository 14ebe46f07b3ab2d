"""From what Hydra composed to checked settings."""

from omegaconf import DictConfig, OmegaConf

from frostline.config.read import read_settings
from frostline.config.schema import Settings
from frostline.config.value_origins import typed_keys
from frostline.errors import ConfigError


def settings_of(config: DictConfig) -> Settings:
    """Check a composed config, with or without its `hydra` node.

    Whether the backbone exists is not checked here: see `backbones.names.check_backbone_name`.

    Raises:
        ConfigError: If a value is missing, or as `read_settings`.
    """
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    missing = sorted(OmegaConf.missing_keys(own))
    if missing:
        raise ConfigError(
            "; ".join(f"{key}=???: a value is missing" for key in missing),
            todo=" ".join(f"{key}=VALUE" for key in missing),
        )
    values = OmegaConf.to_container(own, resolve=True)
    assert isinstance(values, dict)
    strategy = values.get("strategy")
    if "hydra" in config and isinstance(strategy, dict) and strategy.get("typed") is None:
        strategy["typed"] = typed_keys(config)
    return read_settings({str(key): value for key, value in values.items()})
