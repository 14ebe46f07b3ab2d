"""Complete commands, keys, options and switches in bash, for `frostline` and `python -m src.`.

python -m src.completion > completion.bash; source completion.bash    # in this shell
python -m src.completion >> ~/.bash_completion     # in all that begin from now on
python -m src.completion | grep 'augment='         # what it knows

Completed are what follows `python -m src.` or `frostline`; keys of `train`, the options of a group
behind `=` and `,`, studies behind `+experiments=`; switches of the other commands; files elsewhere.
"""

import contextlib
import io
import re
import shlex
from collections.abc import Sequence
from importlib import import_module

from frostline.commands import COMMANDS
from frostline.commands.arguments import command_parser
from frostline.config.conf_files import CONF, STUDIES, default_choices
from frostline.config.likely_key import known_keys

_SWITCH = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_LAUNCHERS = "hydra/launcher"
# Keys that only a file of conf/ or the command itself sets.
_NOT_TYPED = re.compile(
    r"sweep.*|plugins.*|own_.*|strategy\..*|data\.source|tune\.(preset|seed)|.*\.name"
)
# bash puts the completed part in the place of what stands behind the last `=`, where `=` is one of
# the characters that divide words, as it is from the start.
_SCRIPT = """\
# Completion of Frostline's commands, by `python -m src.completion`.
declare -gA _frostline_words=(
{words}
)
_frostline() {{
    local line="${{COMP_LINE:0:COMP_POINT}}" word command begun
    word="${{line##* }}"
    case "$line" in
        *" -m src."*) command="${{line#* -m src.}}" ;;
        *" -m frostline "*) command="${{line#* -m frostline }}" ;;
        frostline\\ * | */frostline\\ *) command="${{line#*frostline }}" ;;
        *) return ;;
    esac
    COMPREPLY=()
    if [[ "$command" != *" "* ]]; then
        begun="${{word%"$command"}}"
        COMPREPLY=($(compgen -P "$begun" -W "{commands}" -- "$command"))
        return
    fi
    command="${{command%% *}}"
    if [[ "$command" == train && "$word" == *=* ]]; then
        local value="${{word#*=}}" key="${{word%%=*}}="
        begun="${{value%"${{value##*,}}"}}"
        COMPREPLY=($(compgen -P "$begun" -W "${{_frostline_words[$key]}}" -- "${{value##*,}}"))
        [[ "$COMP_WORDBREAKS" == *=* ]] || COMPREPLY=("${{COMPREPLY[@]/#/$key}}")
    else
        COMPREPLY=($(compgen -W "${{_frostline_words[$command]}}" -- "$word"))
        [[ "${{COMPREPLY[0]}}" != *= ]] || compopt -o nospace
    fi
}}
complete -o default -F _frostline frostline python python3
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: prints the script for bash."""
    command_parser("src.completion", __doc__).parse_args(arguments)
    print(completion_script(), end="")


def completion_script() -> str:
    """The functions and words that bash completes with, from conf/ and the commands' own help."""
    words = {name: switches_of(name) for name in COMMANDS if name != "train"}
    words["train"] = [f"{key}=" for key in typed_keys()] + ["-m", "--cfg", "--help", "--version"]
    words |= {f"{name}=": options for name, options in options_of_keys().items()}
    lines = (
        f"    [{shlex.quote(name)}]={shlex.quote(' '.join(each))}" for name, each in words.items()
    )
    return _SCRIPT.format(words="\n".join(lines), commands=" ".join(COMMANDS))


def typed_keys() -> list[str]:
    """The keys that people type behind `train`."""
    keys = [key for key in known_keys() if not _NOT_TYPED.fullmatch(key)]
    return [*keys, _LAUNCHERS, "+experiments"]


def options_of_keys() -> dict[str, list[str]]:
    """The options of each group, and the values of keys that have a few."""
    groups = {name: _stems(name) for name in default_choices()}
    return {
        **{name: options for name, options in groups.items() if options},
        _LAUNCHERS: ["isolated", *(name for name in _stems(_LAUNCHERS) if name != "isolated")],
        "+experiments": sorted(file.stem for file in STUDIES.glob("*.yaml")),
        "weights": ["pretrained", "random"],
        "freeze": ["0", "all", "middle", "lora"],
        "lr": ["auto"],
        "reuse": ["auto", "off"],
        **{name: ["true", "false"] for name in ("rerun", "dry_run", "report")},
    }


def switches_of(command: str) -> list[str]:
    """The switches of a command, as its own help names them."""
    page = io.StringIO()
    with contextlib.redirect_stdout(page), contextlib.suppress(SystemExit):
        import_module(f"frostline.commands.{command}").main(["--help"])
    return sorted(set(_SWITCH.findall(page.getvalue())))


def _stems(group: str) -> list[str]:
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))
