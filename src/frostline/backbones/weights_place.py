"""Where in a file a backbone's weights are: behind which prefix, under which key.

Trainings save a backbone as a part of something: `module.` of several GPUs, `encoder_q` of a
contrastive learner, `teacher` beside `student`. Nested keys and dotted names are one path here, so
one search finds all of them; no list of known prefixes is needed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from frostline.backbones.tensor_files import TensorMatch

# A user's key for what is under no other.
WHOLE_FILE = "."
# How many places are tried of those where names alone do not decide.
_MOST_TRIED = 8
# What a place must hold, of the model's number of tensors, to be tried without known names.
_MIN_SHARE = 0.5


@dataclass(frozen=True)
class Place:
    """A part of a file, compared with the model.

    Attributes:
        path: Its path, such as `teacher.backbone`; empty for the whole file.
        match: How its tensors match the model's.
        adapted: What was done to them first; empty if nothing.
    """

    path: str
    match: TensorMatch
    adapted: str


def candidate_paths(names: Iterable[str], wanted: Sequence[str]) -> list[str]:
    """List the parts of a file that may be the model, the most likely first.

    Args:
        names: Dotted names of all tensors of the file.
        wanted: Names of the model's tensors, without counters.

    Returns:
        Paths without their last dot. Where parts have all the wanted names, only these.
    """
    known = set(wanted)
    named: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for name in names:
        path, rest = "", name
        while True:
            held[path] += 1
            named[path] += rest in known
            part, dot, rest = rest.partition(".")
            if not dot:
                break
            path = f"{path}.{part}" if path else part
    whole = [path for path, count in named.items() if known and count == len(known)]
    if whole:
        return sorted(whole, key=len)
    # Names of another form, which timm converts, or a part of the names.
    likely = [
        path
        for path, count in held.items()
        if named[path] or count >= _MIN_SHARE * max(1, len(known))
    ]
    order = sorted(likely, key=lambda path: (-named[path], -held[path], len(path)))
    return order[:_MOST_TRIED] or [""]


def below(tensors: Mapping[str, Tensor], path: str) -> dict[str, Tensor]:
    """The tensors of a part of a file, by their names within it."""
    if not path:
        return dict(tensors)
    start = f"{path}."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def is_within(path: str, key: str) -> bool:
    """Whether `key`, such as `teacher`, stands in a path, such as `teacher.backbone`."""
    return f".{key.strip('.')}." in f".{path}."


def best_places(
    tensors: Mapping[str, Tensor],
    wanted: Sequence[str],
    compare: Callable[[dict[str, Tensor]], tuple[TensorMatch, str]],
    key: str | None,
) -> list[Place]:
    """Find the parts of a file that fit a model best.

    Args:
        tensors: All tensors of the file, by dotted names.
        wanted: Names of the model's tensors, without counters.
        compare: Compares the tensors of one part with the model, and says how it adapted them.
        key: The user's choice of a part, `.` for the whole file; None for none.

    Returns:
        One place, or several that fit equally with different values. Empty if `key` names none.
    """
    paths = _chosen_paths(tensors, wanted, key)
    if not paths:
        return []
    places = [Place(path, *compare(below(tensors, path))) for path in paths]
    whole = [place for place in places if place.match.is_whole]
    if not whole:
        most = max(place.match.n_values for place in places)
        whole = [place for place in places if place.match.n_values == most]
    best: list[Place] = []
    for place in whole:
        if not any(_same_values(place.match.fitting, other.match.fitting) for other in best):
            best.append(place)
    return best


def _chosen_paths(
    tensors: Mapping[str, Tensor], wanted: Sequence[str], key: str | None
) -> list[str]:
    """The parts of a file to compare: all likely ones, or those that the user's key is about."""
    if key is None:
        return candidate_paths(tensors, wanted)
    if key == WHOLE_FILE:
        return [""]
    names = [name for name in tensors if is_within(name, key)]
    paths = candidate_paths(names, wanted) if names else []
    return [key] if key in paths else paths


def _same_values(some: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> bool:
    return some.keys() == others.keys() and all(
        value is others[name] or torch.equal(value, others[name])
        for name, value in some.items()
        if not (value.is_meta or others[name].is_meta)
    )
