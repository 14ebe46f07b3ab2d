"""What a folder, a value in a table or a split of the hub is called if it is a split."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import takewhile

from frostline.data.sample_table import SPLIT_NAMES, name_some
from frostline.errors import DataError

# The plain names; a single one of them beside "train" is enough to make folders splits.
SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_WORDS = SPLIT_FOLDERS | {
    "trn": "train",
    "trainval": "train",
    "trainvalid": "train",
    "dev": "val",
    "devel": "val",
    "development": "val",
    "tst": "test",
    "holdout": "test",
    "heldout": "test",
    # Validation to some and the test to others: decided by the names beside it.
    "eval": "eval",
    "evaluation": "eval",
}
# What people add to these words: train_set, TestImages, seg_train, x_val, train2017, test_v2.
_ADDED = (
    "set|sets|seg|cls|data|dataset|images?|imgs?|pics?|pictures?|photos?|split|folder|dir|full|"
    "final|raw|orig|original|resized|cropped|samples?|subset|large|small|clean|jpe?g|png|ds|my|the|"
    "px|new|x|v"
)
_LIKE = 0.75  # difflib's ratio: `tset` for `test`, `trian` for `train`
_SPLIT_WORD = re.compile(
    f"(?:{_ADDED})*?({'|'.join(sorted(_WORDS, key=len, reverse=True))})(?:{_ADDED})*"
)


def splits_by_name(names: Iterable[str]) -> dict[str, str]:
    """Find the names that mean a split.

    Words around it and numbers do not count (`train2017`, `seg_test`, `Validation Set`), nor does
    what all names have in common (`birds_train`, `birds_test`). `eval` is validation beside a test
    and the test beside validation; alone with train it may be either, and is not decided.

    Args:
        names: Of folders beside each other, or all values of a column.

    Returns:
        Name to "train", "val" or "test", for those that are plain.
    """
    ordered = sorted(set(names))
    words = {name: SPLIT_FOLDERS.get(name.casefold()) or _word(_tokens(name)) for name in ordered}
    if len(ordered) > 1 and not all(words.values()):
        shortened = _without_common(ordered)
        words = {name: words[name] or _word(shortened[name]) for name in ordered}
    known = set(words.values())
    meaning = {word: word for word in SPLIT_NAMES}
    if "eval" in known and "test" in known and "val" not in known:
        meaning["eval"] = "val"
    elif "eval" in known and "val" in known and "test" not in known:
        meaning["eval"] = "test"
    return {name: meaning[word] for name, word in words.items() if word in meaning}


def splits_by_likeness(names: Iterable[str]) -> dict[str, str]:
    """Find the names that mean a split, and those that would if one or two letters were right.

    Good enough to ask, not to read: `trail` is a class, `tset` is not.

    Args:
        names: Of folders beside each other.

    Returns:
        Name to "train", "val" or "test".
    """
    ordered = sorted(set(names))
    found = splits_by_name(ordered)
    for name in ordered:
        letters = "".join(token for token in _tokens(name) if not token.isdigit())
        near = difflib.get_close_matches(letters, SPLIT_FOLDERS, n=1, cutoff=_LIKE)
        if name not in found and near:
            found[name] = SPLIT_FOLDERS[near[0]]
    return found


def split_of_each(
    names: Iterable[str],
    given: Mapping[str, str | None] | None,
    what: Callable[[str], str],
) -> dict[str, str | None]:
    """Return the split of every name, all of which must be splits.

    Args:
        names: All values of a column, or all splits of a data set of the hub.
        given: The value of data.splits, which wins: name to split, None to leave it out.
        what: From a name to what has it, for the message.

    Raises:
        DataError: If it is not plain which split a name means.
    """
    distinct = sorted(set(names))
    by_name = splits_by_name(name for name in distinct if name not in (given or {}))
    found = {**by_name, **{name: given[name] for name in distinct if given and name in given}}
    unknown = [name for name in distinct if name not in found]
    if unknown:
        raise DataError(
            f"{what(unknown[0])} has the split {name_some(unknown)}",
            ", ".join(SPLIT_FOLDERS),
            f"say what it is: {splits_setting(distinct, found)}",
        )
    return found


def makes_splits(meanings: Iterable[str | None]) -> bool:
    """Whether names are those of a divided data set: train, and validation or test."""
    distinct = {meaning for meaning in meanings if meaning}
    return "train" in distinct and len(distinct) > 1


def splits_setting(names: Iterable[str], known: Mapping[str, str | None] | None = None) -> str:
    """Write data.splits for some names as one types it, with a proposal for those not known."""
    names = list(names)
    rest = iter(split for split in SPLIT_NAMES if split not in (known or {}).values())
    pairs = [f"{name}: {(known or {}).get(name) or next(rest, 'train')}" for name in names[:3]]
    pairs += ["..."] if len(names) > 3 else []
    return "'data.splits={" + ", ".join(pairs) + "}'"


def _tokens(name: str) -> list[str]:
    """Divide a name into words and numbers: `TrainSet_2017` is train, set, 2017."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", " ", name)
    return [token.casefold() for token in re.split(r"[\W_]+", apart) if token]


def _word(tokens: list[str]) -> str | None:
    letters = "".join(token for token in tokens if not token.isdigit())
    match = _SPLIT_WORD.fullmatch(letters)
    return _WORDS[match[1]] if match else None


def _without_common(names: list[str]) -> dict[str, list[str]]:
    """Return the words of each name without those at its start and end that all names have."""
    tokens = {name: _tokens(name) for name in names}
    start = _n_alike(list(tokens.values()))
    end = _n_alike([words[start:][::-1] for words in tokens.values()])
    return {name: words[start : len(words) - end] for name, words in tokens.items()}


def _n_alike(lists: list[list[str]]) -> int:
    columns = zip(*lists, strict=False)  # as far as the shortest goes
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
