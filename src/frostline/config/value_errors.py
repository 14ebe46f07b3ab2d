"""What is wrong with a value, in our words: what is allowed for the key, and what was meant."""

import difflib
import re
from typing import Any

from frostline.config.spelling import bare_of

_KINDS = {
    "int": "a whole number",
    "float": "a number, with a point: 0.001 or 1e-3",
    "decimal": "a number",
    "bool": "true or false",
    "string": "a text",
    "list": "a list: [a,b]",
    "dict": "names with values: {name: value}",
    "finite": "a finite number",
}
_BOUNDS = {
    "greater_than": ("gt", "a number above {}"),
    "greater_than_equal": ("ge", "{} or more"),
    "less_than": ("lt", "a number below {}"),
    "less_than_equal": ("le", "{} or less"),
}
# Values that other programs have for the same.
_OTHER_VALUES = {
    "gpu": "cuda", "gpus": "cuda", "fp16": "16-mixed", "half": "16-mixed", "float16": "16-mixed",
    "bfloat16": "bf16-mixed", "bf16": "bf16-mixed", "fp32": "32-true", "float32": "32-true",
    "full": "32-true", "acc": "val/acc_micro", "accuracy": "val/acc_micro",
    "valaccuracy": "val/acc_micro", "valacc": "val/acc_micro", "f1": "val/f1_macro",
    "loss": "val/loss", "valloss": "val/loss", "mean": "avg", "average": "avg", "gap": "avg",
    "true": "auto", "false": "off", "balancedaccuracy": "val/acc_macro", "skipbad": "skip",
}  # fmt: skip
_RANGE = re.compile(r"(\d{1,6})\s*(?:\.\.\.?|:|-|to)\s*(\d{1,6})")
_SIDES = re.compile(r"(\d+)\s*[x*×]\s*(\d+)")
_WITH_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z%]+)")
_MAX_LISTED = 10


def wrong_value(key: str, problem: dict[str, Any]) -> str:
    """One line about a value that the schema refused: given, allowed, and how to write it.

    Args:
        key: Its key, with dots.
        problem: One of pydantic's errors: `type`, `msg`, `input`, `ctx`.
    """
    given = problem.get("input")
    line = f"{key}={_shown(given)}: allowed is {_allowed(problem)}"
    hint = _meant(key, given, problem)
    return f"{line}; {hint}" if hint else line


def _allowed(problem: dict[str, Any]) -> str:
    kind, context = str(problem["type"]), problem.get("ctx") or {}
    if kind == "literal_error":
        return str(context["expected"])
    if kind in _BOUNDS:
        name, text = _BOUNDS[kind]
        return text.format(context[name])
    if kind in {"union_tag_invalid", "enum"}:
        return str(context.get("expected_tags") or context.get("expected"))
    if kind == "string_too_short":
        return "a text that is not empty"
    if known := _KINDS.get(kind.partition("_")[0]):
        return known
    message = str(problem["msg"]).removeprefix("Value error, ").removeprefix("allowed is ")
    return message.removeprefix("Input should be ")


def _meant(key: str, given: Any, problem: dict[str, Any]) -> str:
    """How to write what was probably meant; empty if that is unclear."""
    kind = str(problem["type"])
    if f"{key}=" in str(problem.get("msg")):
        return ""
    if isinstance(given, list | tuple) and kind not in {"list_type", "dict_type"}:
        return f"for one job each: -m {key}={','.join(map(_shown, given))}"
    if kind == "literal_error":
        return _meant_choice(key, _shown(given), str(problem["ctx"]["expected"]))
    text = _shown(given).strip()
    whole = kind.startswith("int")
    if whole and (span := _RANGE.fullmatch(text)) and int(span[1]) < int(span[2]):
        return f"for one job each: {_each(key, int(span[1]), int(span[2]))}"
    if sides := _SIDES.fullmatch(text):
        if sides[1] == sides[2]:
            return f"one side is enough, images become square: {key}={sides[1]}"
        if key == "image_size":
            return f"height and width are a list: {key}=[{sides[1]},{sides[2]}]"
    if key != "budget" and (number := _WITH_UNIT.fullmatch(text)):  # a budget has a unit
        if number[2] == "%" and not whole:
            return f"write {key}={float(number[1]) / 100:g}"
        if not whole or number[1].isdigit():
            return f"write the number alone: {key}={number[1]}"
    if re.fullmatch(r"\d+,\d+", text):
        return f"write the number with a point: {key}={text.replace(',', '.')}"
    return ""


def _meant_choice(key: str, given: str, expected: str) -> str:
    options = re.findall(r"'([^']+)'", expected)
    bare = {bare_of(option): option for option in options}
    name = bare_of(given)
    other = _OTHER_VALUES.get(name, "")
    meant = bare.get(name) or (other if other in options else None)
    if meant is None and len(name) > 1:
        parts = sorted((each for each in bare if name in each), key=len)
        close = parts or difflib.get_close_matches(name, bare, n=1)
        meant = bare[close[0]] if close else None
    return f"did you mean {key}={meant}?" if meant else ""


def _each(key: str, first: int, last: int) -> str:
    if last - first < _MAX_LISTED:
        return f"-m {key}={','.join(map(str, range(first, last + 1)))}"
    return f"-m '{key}=range({first},{last + 1})'"


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
