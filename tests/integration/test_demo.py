"""The demo: what it says it runs can be run, with weights and without."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from frostline.commands.demo import introduction, words
from frostline.config.conf_files import CONF
from frostline.config.read import settings_of
from tests.integration.conftest import start


@pytest.mark.parametrize("pretrained", [True, False])
def test_its_words_compose_and_are_shown(pretrained: bool) -> None:
    given = words(pretrained=pretrained)
    assert given[0] == "-m"
    first = [word.split(",")[0] for word in given[1:]]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        settings = settings_of(compose("train", first))
    assert settings.data.source == "leaves"  # drawn here: no download
    assert (settings.weights == "pretrained") is pretrained
    assert " ".join(given) in introduction(given, pretrained=pretrained)


@pytest.mark.slow
def test_it_ends_with_the_report_and_the_next_commands(place: Path) -> None:
    ended = start(place, "--folder", "shown", module="src.demo")
    assert ended.returncode == 0, ended.stderr
    assert "report with intervals and the verdict:" in ended.stdout
    assert "python -m src.predict best:" in ended.stdout.partition("  cd shown\n")[2]
    assert list((place / "shown").glob("multirun/*/*/report/report.html"))
