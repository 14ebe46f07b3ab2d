"""Values of `freeze`: what may be typed, and the one spelling that each of them comes to.

A depth is a number of stages from the image on, `all`, or a module path. Surgical depths freeze
stages wherever they lie: a list of their numbers, or `middle`, all but the first and the last.
A list that begins at the image without a gap is the number that it comes to: `[1,2]` is `2`.
`lora` freezes all weights and trains adapters beside those of the attention: `backbones/adapters`.

Source: Y. Lee et al., Surgical fine-tuning improves adaptation to distribution shifts
(arXiv:2210.11466), which trains one block and freezes all others, such as `freeze=[1,2,4,5]`.
"""

import re
from collections.abc import Sequence
from typing import Any

ALL = "all"
MIDDLE = "middle"
LORA = "lora"
ALLOWED = (
    "0 .. number of stages, -1 (all but the last) and so on, all, a module path such as layer3.2, "
    "a list of stages such as [3,4], middle (all stages but the first and the last), or lora"
)
# What is typed for a depth and is no module of any backbone.
_WORDS = {
    "0": "none no off nothing unfrozen",
    "-1": "last but_last all_but_last except_last",
    ALL: "full everything whole entire backbone frozen yes on head_only",
    MIDDLE: "mid center centre inner",
    LORA: "peft adapter adapters",
}
_LIST = re.compile(r"\[\s*(?:[+-]?\d+(?:\s*,\s*[+-]?\d+)*)?\s*,?\s*\]")


def checked_freeze(value: Any) -> int | str:
    """Accept what can be a depth; which depths a backbone has is checked later.

    Returns:
        A number, `all`, `middle`, a module path, or a list of stages as `[3,4]`.

    Raises:
        ValueError: If it is none of them.
    """
    if isinstance(value, list | tuple):
        return _of_list(value)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    for depth, words in _WORDS.items():
        if str(value).lower().replace("-", "_") in words.split():
            raise ValueError(f"allowed is {ALLOWED}; did you mean freeze={depth}?")
    if not is_number and not (isinstance(value, str) and value.strip()):
        raise ValueError(f"allowed is {ALLOWED}")
    if is_number:
        return int(value)
    text = str(value)
    if re.fullmatch(r"\d+(-|\.\.+|:)\d+", text):
        first, last = map(int, re.findall(r"\d+", text))
        numbers = ",".join(map(str, range(first, min(last, first + 9) + 1)))
        raise ValueError(
            f"allowed is one depth; for one job each: -m freeze={numbers}; for just these stages: "
            f"freeze=[{numbers}]"
        )
    if re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*)+", text):
        raise ValueError(f"allowed is one depth; for just these stages: freeze=[{text}]")
    if _LIST.fullmatch(text.strip()):
        return _of_list([int(number) for number in re.findall(r"[+-]?\d+", text)])
    word = text.strip().lower()
    return word if word in {MIDDLE, LORA} else text


def _of_list(stages: Sequence[Any]) -> int | str:
    """The spelling of a list of stages, in order and without those that are named twice.

    Raises:
        ValueError: If it names none, or something that is no stage.
    """
    if not stages:
        raise ValueError("allowed is a list of at least one stage; for none write freeze=0")
    for stage in stages:
        if not isinstance(stage, int) or isinstance(stage, bool) or stage < 1:
            text = ",".join(map(str, stages))
            raise ValueError(
                f"allowed is a list of stages by number, from 1 on, such as [3,4], not {stage}; "
                f"for one job each: -m freeze={text}"
            )
    return depth_of(stages)


def depth_of(stages: Sequence[int]) -> int | str:
    """The value of `freeze` that freezes these stages: a number where there is no gap below."""
    numbers = sorted(set(stages))
    if numbers == list(range(1, len(numbers) + 1)):
        return len(numbers)
    return f"[{','.join(map(str, numbers))}]"


def listed_stages(freeze: int | str) -> tuple[int, ...] | None:
    """The stages of a list such as `[3,4]`, ascending; None for any other value."""
    if isinstance(freeze, str) and _LIST.fullmatch(freeze.strip()):
        return tuple(sorted({int(number) for number in re.findall(r"\d+", freeze)}))
    return None


def counted(freeze: int | str, num_stages: int) -> int | str:
    """A depth that depends on the number of stages as what it comes to: `-1` as 4, `middle` a list.

    Args:
        freeze: Any value.
        num_stages: Of the backbone.
    """
    if isinstance(freeze, int) and freeze < 0:
        return num_stages + freeze
    if freeze == MIDDLE:
        return depth_of(range(2, num_stages))
    return freeze


def depends_on_stages(freeze: int | str) -> bool:
    """Whether it is known only with the backbone which stages a value names."""
    return freeze == MIDDLE or (isinstance(freeze, int) and freeze < 0)


def thawing(freeze: int | str, *, prefix_stages: int, num_stages: int) -> list[int | str]:
    """Depths from the last stage alone down to `freeze`, one more stage that trains in each.

    Args:
        freeze: The last one.
        prefix_stages: Whole stages that it freezes from the image on.
        num_stages: Stages of the backbone.
    """
    frozen = listed_stages(freeze)
    if frozen is None:
        return [*range(num_stages - 1, prefix_stages, -1), freeze]
    train = [stage for stage in range(num_stages, 0, -1) if stage not in frozen]
    return [
        depth_of([stage for stage in range(1, num_stages + 1) if stage not in train[:count]])
        for count in range(1, len(train) + 1)
    ]


def name_of(freeze: int | str) -> str:
    """A depth in the name of a run or a file: `3+4` for `[3,4]`, which shells would expand."""
    return "+".join(map(str, stages)) if (stages := listed_stages(freeze)) else str(freeze)
