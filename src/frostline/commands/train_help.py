"""`python -m src.train --help`, from the files of conf/ alone.

Hydra's own page imports every installed launcher first, which takes seconds; `--hydra-help` has it.
"""

import re

from frostline.config.conf_files import CONF, default_choices
from frostline.invocation import as_called

_EXAMPLES = """\
Train one run, or with -m a sweep: which pretrained backbone, how deep to freeze it.

python -m src.train data.path=photos backbone=resnet50 freeze=2      # one run
python -m src.train -m backbone=resnet50,vgg16 freeze=0,2,4          # a sweep, with a report
python -m src.train -m data.path=photos freeze=0,2,all dry_run=true  # its plan only
python -m src.train -m +experiments=photographs                      # a study of experiments/

Settings are written key=value, values to sweep over key=value,value. The same command again goes on
where it was. Switches: -m (a sweep), --cfg job (all keys with their values), --version."""
_KEY = re.compile(r"^([a-z_]+): (\S+) +# (.*)$|^([a-z_]+): (\S+)$", re.MULTILINE)
_LAUNCHERS = "hydra/launcher"


def help_page() -> str:
    """The page: examples, keys with defaults and meanings, groups with their options."""
    text = (CONF / "train.yaml").read_text(encoding="utf-8")
    plain = text[text.index("\nbackbone:") : text.index("\nsweep:")]
    keys = []
    for match in _KEY.finditer(plain):
        name, default, meaning = match[1] or match[4], match[2] or match[5], match[3] or ""
        keys.append(f"  {name:16}{default:24}{meaning}".rstrip())
    groups = [_group(name, choice) for name, choice in sorted(default_choices().items())]
    launchers = ", ".join(sorted(file.stem for file in (CONF / _LAUNCHERS).glob("*.yaml")))
    return as_called(
        "\n".join(
            [
                _EXAMPLES,
                "\nkeys, with their defaults:",
                *keys,
                "\ngroups, the default first:",
                *groups,
                f"  {_LAUNCHERS:16}isolated, {launchers.replace('isolated, ', '')}",
            ]
        )
    )


def _group(name: str, default: str) -> str:
    options = sorted(file.stem for file in (CONF / name).glob("*.yaml"))
    others = [option for option in options if option != default]
    return f"  {name:16}{', '.join([default, *others])}"
