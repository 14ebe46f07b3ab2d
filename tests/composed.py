"""Settings of a command, composed as Hydra composes them, without a process of their own."""

from hydra import compose, initialize_config_dir

from frostline.config.conf_files import CONF
from frostline.config.read import settings_of
from frostline.config.schema import Settings


def settings(*overrides: str) -> Settings:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return settings_of(compose("train", list(overrides), return_hydra_config=True))
