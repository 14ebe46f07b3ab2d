"""Letters of other languages in a command: read by Hydra as they were written."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from frostline.config.foreign_letters import quoted_words


def read(word: str) -> list[object]:
    (override,) = OverridesParser.create().parse_overrides([word])
    if override.is_sweep_override():
        return [getattr(each, "text", each) for each in override.sweep_iterator()]
    return [override.value()]


@pytest.mark.parametrize(
    "value",
    ["Blätter", "fotos/Блестящий", "日本/葉", "мои листья", "🍁", "a&b", "x#1", "50~60", "a;b",
     "a!b", "<x>", "C:\\Users\\Jürgen", "ناصر", "é.png", "a^b`c"],
)  # fmt: skip
def test_a_value_is_read_as_it_was_written(value: str) -> None:
    (word,) = quoted_words([f"data.path={value}"])
    assert read(word) == [value]


def test_a_sweep_stays_one() -> None:
    (word,) = quoted_words(["data.path=Blätter,Bäume,leaves"])
    assert read(word) == ["Blätter", "Bäume", "leaves"]


@pytest.mark.parametrize(
    "word",
    ["freeze=0,2", "lr=1e-3", "data.path=my leaves", "+experiments=book", "data.path='Blätter'",
     "head={pool: ä}", "seed=range(3)", "a=${oc.env:ÄÖ}", "~data", "--help", "x=", "tag=[ä,ö]"],
)  # fmt: skip
def test_what_hydra_reads_by_itself_stays(word: str) -> None:
    assert quoted_words([word]) == [word]
