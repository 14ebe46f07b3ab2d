"""What the documents show exists: commands, keys, flags, targets, links, files."""

import importlib.util
import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from frostline.config.conf_files import CONF
from frostline.config.read import settings_of
from frostline.config.schema import Settings
from frostline.config.short_words import spell_out
from frostline.config.study_scale import spell_out_scale
from frostline.plugins.folders import VARIABLE, config_folders, remember
from tests.integration.documented import PAGES, ROOT, Command, documented

COMMANDS = documented()
PLACEHOLDER = re.compile(r"\b(NAME|ID|RUN|DIR)\b")
CALLS = [c for c in COMMANDS if c.words[:2] == ("python", "-m")]
OTHERS = [c for c in CALLS if c.words[2] != "src.train"]
# "+experiments=NAME" is a pattern, not a command.
TRAINING = [c for c in CALLS if c not in OTHERS and not PLACEHOLDER.search(" ".join(c.words))]
MAKING = [c for c in COMMANDS if c.words[0] == "make"]
# Those that runs write, and those of the project.
FILE_NAMES = (
    {"config.yaml", "full.yaml"}
    | {path.name for folder in ("src", "tests") for path in (ROOT / folder).rglob("*.py")}
    | {
        # As they are in a user's own folder.
        path.relative_to(folder).as_posix()
        for folder in (ROOT / "examples").iterdir()
        for path in folder.rglob("*.*")
    }
)


def test_the_pages_show_commands() -> None:
    assert Command("README.md", ("make", "sweep")) in MAKING
    main = "python -m src.train -m backbone=resnet50,vgg16 freeze=0,2,4"
    assert Command("README.md", tuple(main.split())) in TRAINING
    assert len(OTHERS) > 10


@pytest.mark.parametrize("command", TRAINING, ids=str)
def test_each_training_command_composes(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    given = spell_out([word for word in command.words[3:] if not word.startswith("-")])
    if "--cfg" in command.words:
        given.remove("job")
    chosen = []
    for override in OverridesParser.create().parse_overrides(spell_out_scale(given)):
        line = str(override.input_line)
        if override.is_sweep_override():
            line = f"{line.partition('=')[0]}={next(iter(override.sweep_string_iterator()))}"
        chosen.append(line)
    own = [str(ROOT / folder) for folder in config_folders(command.words)]
    monkeypatch.setenv(VARIABLE, "")
    remember(own)
    if own:
        chosen.append(f"hydra.searchpath=[file://{own[0]}]")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", chosen, return_hydra_config=bool(own))
    if own:
        settings_of(config)
        return
    values = OmegaConf.to_container(config, resolve=True, throw_on_missing=False)
    assert isinstance(values, dict)
    if values["data"].get("path") == "???":  # a study says in words what data it wants
        values["data"]["path"] = "photos"
    Settings.model_validate(values)


@pytest.mark.parametrize("command", OTHERS, ids=str)
def test_each_other_command_exists_with_its_flags(command: Command) -> None:
    module = command.words[2]
    found = importlib.util.find_spec(module)
    if found is not None and found.submodule_search_locations is not None:
        found = importlib.util.find_spec(f"{module}.__main__")
    assert found is not None and found.origin is not None, module
    entry = re.search(r"^from ([\w.]+) import main$", Path(found.origin).read_text(), re.MULTILINE)
    if entry is not None:  # src/NAME.py, which has the command from the package
        found = importlib.util.find_spec(entry[1])
    assert found is not None and found.origin is not None, module
    text = Path(found.origin).read_text(encoding="utf-8")
    # Commands that share a parser: benchmarks.asked_sets.
    for shared in re.findall(r"^from ([\w.]+) import .*\w+_parser", text, re.MULTILINE):
        place = importlib.util.find_spec(shared)
        assert place is not None and place.origin is not None, shared
        text += Path(place.origin).read_text(encoding="utf-8")
    for flag in re.findall(r" (--[a-z-]+)", " ".join(command.words)):
        assert f'"{flag}"' in text, flag


@pytest.mark.parametrize("command", MAKING, ids=str)
def test_each_target_is_in_the_makefile(command: Command) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert command.words[1] in targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_each_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_each_file_that_is_named_exists(page: Path) -> None:
    """Also the short names of the walk through the code: `sweeps/execute.py`, `plan.py`."""
    named = re.findall(r"`([\w./-]+\.(?:py|yaml|toml))`", page.read_text(encoding="utf-8"))
    for name in (name for name in named if not PLACEHOLDER.search(name)):
        places = (ROOT / name, ROOT / "src/frostline" / name)
        assert any(place.exists() for place in places) or name in FILE_NAMES, name
