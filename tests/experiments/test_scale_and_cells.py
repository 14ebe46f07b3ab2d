"""What a study is made of: scales as Hydra overrides, cells, axes, and what goes wrong there."""

from pathlib import Path

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.override_parser.overrides_parser import OverridesParser

from experiments.tools.study_jobs import compose_study
from frostline.config.study_scale import scales_of, spell_out_scale
from frostline.errors import ConfigError
from frostline.sweeps.compose import study_cells, words_of


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    for file in ("one.yaml", "two.yaml", "two/full.yaml", "two/small.yaml"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    return tmp_path


def test_a_scale_is_a_choice_of_the_study(studies: Path) -> None:
    words = ["-m", "scale=full", "+experiments=two", "lr=1"]
    message = ["-m", "experiments/two@_global_=full", "+experiments=two", "lr=1"]
    assert spell_out_scale(words, studies) == message
    assert spell_out_scale(["-m", "freeze=0"], studies) == ["-m", "freeze=0"]
    assert scales_of("two", studies) == ["small", "full"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["scale=full"], "scale=full: a scale belongs to a study.*\n.*two"),
        (["+experiments=two", "scale=huge"], "the study two has no such scale\n.*small, full"),
        (["+experiments=one", "scale=full"], "the study one has one size only"),
    ],
)
def test_a_wrong_scale_is_an_error(studies: Path, words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        spell_out_scale(words, studies)


def test_axes_cross_and_cells_do_not() -> None:
    cells = {"a": ["lr=1"], "b": ["lr=2"]}
    axes = {"net": {"n": ["backbone=n"], "m": ["backbone=m"]}}
    assert [cell.label for cell in study_cells(cells, None)] == ["a", "b"]
    crossed = study_cells(cells, axes)
    assert [cell.label for cell in crossed] == ["n, a", "n, b", "m, a", "m, b"]
    assert crossed[1].words == ("backbone=n", "lr=2")
    assert [cell.words for cell in study_cells(None, None)] == [()]


def test_what_is_typed_and_what_a_cell_says_win_over_the_grid() -> None:
    parser = OverridesParser.create()
    (cell,) = study_cells({"a": ["seed=7", "lr=1"]}, None)
    grid = {"seed": "0,1,2", "freeze": "0,2"}
    words = words_of(cell, grid, ["+experiments=x", "freeze=4", "lr=3"], parser)
    assert words == ["seed=7", "lr=1", "+experiments=x", "freeze=4", "lr=3"]


@pytest.mark.parametrize("cells", [["lr=1"], {"a": "lr=1"}, {"a": ["lr"]}, {"a": [3]}, {}], ids=str)
def test_cells_written_otherwise_are_errors(cells: object) -> None:
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.cells.*\n.*NAME: \[key=value"):
        study_cells(cells, None)


def test_a_word_that_hydra_cannot_read_is_an_error_with_its_cell() -> None:
    (cell,) = study_cells({"broken": ["lr=[1"]}, None)
    with pytest.raises(ConfigError, match="cell broken"):
        words_of(cell, {}, [], OverridesParser.create())


@pytest.mark.parametrize("word", ["freeze=glob(*)", "freeze=range(3,0)", "head=glob(z*)"])
def test_a_word_that_sweeps_over_nothing_is_an_error(word: str) -> None:
    (cell,) = study_cells(None, None)
    repository = Path(__file__).resolve().parents[2] / "conf"
    loader = ConfigLoaderImpl(create_config_search_path(str(repository)))
    with pytest.raises(ConfigError, match="no value fits") as caught:
        words_of(cell, {}, [word], OverridesParser.create(config_loader=loader))
    assert word in str(caught.value)
    assert words_of(cell, {}, ["head=glob(*)", "lr=interval(0,1)", "freeze=range(0,2)"],
                    OverridesParser.create(config_loader=loader))  # fmt: skip


def test_a_depth_from_the_end_is_found_as_what_it_is(tmp_path, monkeypatch):
    (tmp_path / "photos" / "a").mkdir(parents=True)
    study = compose_study(
        "photographs", ["freeze=-1,middle", "seed=0", f"data.path={tmp_path / 'photos'}"]
    )
    assert {job.settings.freeze for job in study.jobs} == {4, "[2,3,4]"}
