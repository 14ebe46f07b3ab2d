"""Words that stand for longer ones."""

import pytest
from hydra import compose, initialize_config_dir

from frostline.config.conf_files import CONF
from frostline.config.identity import config_digest
from frostline.config.read import settings_of
from frostline.config.schema import Settings
from frostline.config.short_words import spell_out
from frostline.errors import ConfigError


def settings(*words: str) -> Settings:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return settings_of(compose("train", spell_out(words)))


def test_tags_and_the_registered_name_change_nothing_that_counts() -> None:
    given = settings("tags.project=leaves", "tags={year: 2026}", "register=leaf-doctor")
    assert given.tags == {"project": "leaves", "year": "2026"}
    assert given.register_as == "leaf-doctor"
    assert config_digest(given) == config_digest(settings())


@pytest.mark.parametrize("name", ["mlflow.user", "frostline.kind"])
def test_a_tag_with_a_name_of_ours_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="a name of your own"):
        settings(f"tags={{{name}: x}}")


def test_own_callbacks_count_and_loggers_do_not() -> None:
    callback = "callbacks.own=[{_target_: pytorch_lightning.callbacks.Timer, duration: null}]"
    logger = "callbacks.loggers=[{_target_: pytorch_lightning.loggers.CSVLogger, save_dir: x}]"
    assert config_digest(settings(callback)) != config_digest(settings())
    assert config_digest(settings(logger)) == config_digest(settings())
    assert [part.name for part in settings(callback).own_parts] == ["Timer"]
