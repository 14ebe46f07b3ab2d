"""YAML by libyaml is the text that PyYAML and OmegaConf write."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from frostline.redact import redacted
from frostline.sweeps.hydra_files import save_hydra_files
from frostline.yaml_text import yaml_text
from tests.composed import settings

TEXTS = [
    "", " ", "a b " * 60, "x" * 200, "ä b " * 60, "🌿 leaf", "a\nb\n", "trail ", " lead", "a: b",
    "it's", "a #b", "a\tb", "a\x01", "a\x85b", "a\u2028b", "\ufeffa", "1e-3", "1_000", "0x1f",
    "null", "~", "yes", "on", "2026-01-01", "12:30", "a: b " * 40, 'a"b\x07' * 30, "%a", "@a",
    "- a", "? a", "!a", "&a", "*a", "a\r\nb", "C:\\photos", "${x}", "[a", "{a", "a, b", "=", "<<",
    "password=x",
]  # fmt: skip
VALUES = {
    "texts": TEXTS,
    "keys": {text: number for number, text in enumerate(TEXTS)},
    "numbers": [0, -1, 10**30, 1e-05, 1e22, 0.1, float("inf"), True, None],
    "nested": [[1, [2, []]], {"a": [{}, {"b": {"c": []}}]}],
    "long": {"k" * 150: 1, "k " * 80: 2},
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_written_as_pyyaml_writes_it(text: str) -> None:
    values = {"key": text, text: [text]}
    assert yaml_text(values) == yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def test_all_values_together_are_too() -> None:
    assert yaml_text(VALUES) == yaml.safe_dump(VALUES, sort_keys=False, allow_unicode=True)


def _saved(values: Any, words: list[str], folder: Path) -> list[str]:
    save_hydra_files(values, words, folder)
    return [(folder / ".hydra" / name).read_text() for name in ("config.yaml", "overrides.yaml")]


def test_a_job_has_the_files_that_hydra_writes(tmp_path: Path) -> None:
    words = ["backbone=test_resnet", "freeze=2", "+tags.note='1e-3: on'", "+tags.b='🌿'", "lr=1e-3"]
    values = settings(*words).model_dump(mode="json")
    values["more"] = {key: each for key, each in VALUES.items() if key != "keys"}
    values["more"]["texts"] = [text for text in TEXTS if text not in {"${x}", "password=x"}]
    config, overrides = _saved(values, words, tmp_path)
    assert config == OmegaConf.to_yaml(OmegaConf.create(values))
    assert overrides == OmegaConf.to_yaml(OmegaConf.create(words))


def test_secrets_are_not_in_them(tmp_path: Path) -> None:
    values = {"tracking": {"uri": "postgresql://me:hush@host/db"}, "n": "${x}"}
    words = ["+password=hush", "lr=1"]
    config, overrides = _saved(values, words, tmp_path)
    assert config == redacted(OmegaConf.to_yaml(OmegaConf.create(values)))
    assert "hush" not in config + overrides
    assert "postgresql://me:***@host/db" in config
    assert yaml.safe_load(overrides) == ["+password=***", "lr=1"]
