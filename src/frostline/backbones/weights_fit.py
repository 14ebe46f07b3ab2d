"""Whether a file's tensors are a backbone's weights: all of them, a part, or of another network."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from frostline.backbones.spec import WeightsOrigin
from frostline.backbones.tensor_files import (
    TensorMatch,
    describe_misfit,
    is_counter,
    match_tensors,
)
from frostline.backbones.weights_hub import adapt_channels, first_layers, timm_filter
from frostline.backbones.weights_place import WHOLE_FILE, Place, best_places
from frostline.errors import WeightsError

# From this share of equal shapes on, a file of unknown names is taken for the same network.
_SAME_NETWORK = 0.9
_FLAT_NDIM = 2  # of a linear layer's weight


@dataclass(frozen=True)
class Fit:
    """What of a file goes into a model.

    Attributes:
        match: How its tensors match the model's.
        path: Where in the file they are, such as `teacher.backbone`; empty for the whole file.
        adapted: What was done to a first layer of other input channels; empty if nothing.
        partial: The share of the model that the file has; empty if it has all.
        positions: What is taken for granted of a file for a rectangle; empty if nothing.
    """

    match: TensorMatch
    path: str = ""
    adapted: str = ""
    partial: str = ""
    positions: str = ""

    @property
    def notes(self) -> list[str]:
        """What the user should know of it, a sentence each."""
        notes = [f"its weights were found under {self.path}"] if self.path else []
        notes += [self.adapted] if self.adapted else []
        notes += [self.positions] if self.positions else []
        if self.partial:
            notes.append(
                f"PARTIAL WEIGHTS: the file has {self.partial}; the rest is random, also where it "
                "is frozen"
            )
        return notes


def fit_of(
    name: str,
    model: nn.Module,
    tensors: Mapping[str, Tensor],
    *,
    origin: WeightsOrigin,
    where: str,
    left_out: Sequence[str],
    key: str | None,
    partial: bool,
) -> Fit:
    """Find a backbone's tensors in a file.

    Args:
        name: The backbone.
        model: Without classifier; it may be on the meta device.
        tensors: All of the file, by dotted names.
        origin: A user's file (`path`) may hold anything; all others are made for this model.
        where: The file, for messages.
        left_out: Modules and tensors that the file may have and the model has not: the classifier.
        key: The user's choice of a part of the file.
        partial: Whether a part of the model is enough.

    Raises:
        WeightsError: Not all fits, nothing does, or several parts of the file fit equally.
    """

    def compare(part: dict[str, Tensor]) -> tuple[TensorMatch, str]:
        named = part if origin == "packaged" else timm_filter(name, model, part)
        named, adapted = _with_our_channels(name, model, named)
        return match_tensors(model, named, left_out), adapted

    wanted = [each for each in model.state_dict() if not is_counter(each)]
    places = best_places(tensors, wanted, compare, key)
    if not places:
        raise _no_such_part(name, where, str(key), best_places(tensors, wanted, compare, None))
    first = places[0]
    match = first.match
    is_whole = match.is_whole if origin == "path" else not (match.missing or match.mismatched)
    if not match.n_values or not (is_whole or partial):
        raise _misfit(name, where, model, tensors, first, may_be_partial=origin == "path")
    if len(places) > 1 and origin == "path":
        raise _several(name, where, places)
    return Fit(match, first.path, first.adapted, "" if is_whole else match.share)


def _with_our_channels(
    name: str, model: nn.Module, tensors: dict[str, Tensor]
) -> tuple[dict[str, Tensor], str]:
    """Fit a first layer that takes another number of channels, as timm does for its own weights."""
    state = model.state_dict()
    adapted, texts = dict(tensors), []
    for layer in first_layers(name):
        key = f"{layer}.weight"
        own, theirs = state.get(key), tensors.get(key)
        if own is None or theirs is None or own.ndim != 4 or theirs.ndim != 4:
            continue
        places = _places_of(model, own)
        n_own, n_theirs = own.shape[1] // places, theirs.shape[1] // places
        same_otherwise = own.shape[0] == theirs.shape[0] and own.shape[2:] == theirs.shape[2:]
        if n_own != n_theirs and same_otherwise and n_theirs * places == theirs.shape[1]:
            adapted[key] = adapt_channels(theirs, n_own, places)
            texts.append(f"{layer} takes {n_theirs} channels in the file")
    if not texts:
        return adapted, ""
    how = "summed" if n_own == 1 else "repeated and scaled"
    return adapted, f"{', '.join(texts)}: adapted to {n_own} as timm does ({how})"


def _places_of(model: nn.Module, first: Tensor) -> int:
    """How many pixels a first layer takes as channels: 16 in TResNet, else 1."""
    in_chans = int(getattr(model, "in_chans", None) or first.shape[1])
    return first.shape[1] // in_chans if first.shape[1] % in_chans == 0 else 1


def _misfit(
    name: str,
    where: str,
    model: nn.Module,
    tensors: Mapping[str, Tensor],
    place: Place,
    *,
    may_be_partial: bool,
) -> WeightsError:
    match = place.match
    if not match.n_values:
        return _of_another_network(name, where, model, tensors)
    part = f" (under {place.path})" if place.path else ""
    listed = describe_misfit(match.missing, match.unexpected, match.mismatched)
    given = f"{where}{part} does not fit {name} as a whole: {match.share}\n{listed}"
    state = model.state_dict()
    layers = [f"{layer}.weight" for layer in first_layers(name)]
    flat = tuple(f"{key}:" for key in layers if key in state and state[key].ndim == _FLAT_NDIM)
    misfits = (*match.missing, *match.surplus, *match.mismatched)
    if misfits and all(each.startswith(flat) for each in misfits):
        return WeightsError(
            given=given,
            allowed="the channels that the file was made for: this first layer takes flattened "
            "patches, and timm adapts convolutions alone",
            todo="leave in_chans out, so that grey images are read as colour, or take another "
            "backbone",
        )
    if not may_be_partial:
        return WeightsError(given=given, todo="the file may be of another version: get it again")
    return WeightsError(
        given=given,
        allowed=f"a file that holds all of {name}, with any classifier",
        todo="take the backbone that the file was made with, or weights_partial=true: what is not "
        "in the file then stays random, also where it is frozen, and every table says so",
    )


def _of_another_network(
    name: str, where: str, model: nn.Module, tensors: Mapping[str, Tensor]
) -> WeightsError:
    """Nothing fits: is it the same network with other names, or another network?"""
    own = Counter(tuple(parameter.shape) for parameter in model.parameters())
    theirs = Counter(tuple(tensor.shape) for tensor in tensors.values())
    share = sum((own & theirs).values()) / max(1, sum(own.values()))
    shown = ", ".join(list(tensors)[:3])
    if share >= _SAME_NETWORK:
        return WeightsError(
            given=f"{where} does not fit {name}: no tensor has one of its names. {share:.0%} of "
            "its shapes are there, so it may be this network as another library names it "
            f"(torchvision, transformers; here: {shown})",
            todo=f"rename its tensors to timm's: they are in the order of "
            f'`timm.create_model("{name}").state_dict()` if both define the same layers; compare '
            "the outputs of both on one image before you trust it",
        )
    return WeightsError(
        given=f"{where} does not fit {name}: 0 % of its parameters are in the file, which is of "
        f"another network or names its tensors otherwise ({shown})",
        todo="give the backbone that the file was made with: "
        "list names with `python -m src.backbones 'PATTERN'`",
    )


def _several(name: str, where: str, places: Sequence[Place]) -> WeightsError:
    paths = [place.path or "(the whole file)" for place in places]
    keys = [_telling(place.path, paths) if place.path else WHOLE_FILE for place in places]
    return WeightsError(
        given=f"{where} holds {name} {len(places)} times with different values: {', '.join(paths)}",
        allowed=" or ".join(f"weights_key={key}" for key in keys),
        todo="say which one is meant",
    )


def _telling(path: str, paths: Sequence[str]) -> str:
    """The shortest part of a path that stands in no other path."""
    parts = path.split(".")
    others = [f".{other}." for other in paths if other != path]
    for length in range(1, len(parts) + 1):
        for start in range(len(parts) - length + 1):
            key = ".".join(parts[start : start + length])
            if not any(f".{key}." in other for other in others):
                return key
    return path


def _no_such_part(name: str, where: str, key: str, places: Sequence[Place]) -> WeightsError:
    whole = [place.path or WHOLE_FILE for place in places if place.match.is_whole]
    return WeightsError(
        given=f"weights_key={key}: {where} has nothing under that key",
        allowed=f"for {name}: weights_key={' or '.join(whole)}" if whole else "",
        todo="leave weights_key out: the place is found where there is only one",
    )
