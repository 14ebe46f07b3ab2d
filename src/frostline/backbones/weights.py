"""Pretrained weights: where they are, whether they can be had, and which of them fit."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from frostline.backbones.freezing import digest_of
from frostline.backbones.packaged_weights import find_packaged, rename_packaged
from frostline.backbones.spec import WeightsInfo, WeightsOrigin
from frostline.backbones.weights_hub import find_cached, has_pretrained, probe_hub
from frostline.errors import WeightsError

_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")
_PREFIXES = ("model.", "module.", "backbone.model.", "state_dict.")


@dataclass(frozen=True)
class WeightsSource:
    """Where the weights of a backbone will come from.

    Args:
        source: Which of the places answered.
        where: A name that is the same on every machine.
        digest: sha256 hex of the file; empty for random weights, or what the hub says of it.
        file: The file on this machine, if it is here already.
    """

    source: WeightsOrigin
    where: str
    digest: str = ""
    file: Path | None = None


def preflight(names: Sequence[str], weights: str) -> dict[str, WeightsSource]:
    """Find the weights of every backbone of a sweep before its first job.

    Args:
        names: Backbones, known by name.
        weights: ``pretrained``, ``random`` or a path.

    Returns:
        A source for each name.

    Raises:
        WeightsError: Some backbone has none; the message names them all and the ways out.
    """
    if weights == "random":
        return {name: WeightsSource("random", "random") for name in names}
    if weights != "pretrained":
        source = _check_path(weights)
        return dict.fromkeys(names, source)
    found: dict[str, WeightsSource] = {}
    wanted: list[str] = []
    for name in dict.fromkeys(names):
        here = _find_here(name)
        if here is not None:
            found[name] = here
        else:
            wanted.append(name)
    without = [name for name in wanted if not has_pretrained(name)]
    answers = probe_hub([name for name in wanted if name not in without])
    reasons = dict.fromkeys(without, "timm has no pretrained weights for it")
    for name, answer in answers.items():
        if answer.reason:
            reasons[name] = answer.reason
        else:
            found[name] = WeightsSource("hub", answer.where, answer.digest)
    if reasons:
        raise _nowhere({name: reasons[name] for name in wanted if name in reasons})
    return found


def _nowhere(reasons: dict[str, str]) -> WeightsError:
    lines = "\n".join(f"  {name}: {reason}" for name, reason in reasons.items())
    return WeightsError(
        given="no pretrained weights for these backbones (looked for a packaged file, in the local "
        f"cache, on the model hub):\n{lines}",
        allowed="weights=random (from scratch), weights=PATH (a .safetensors or .pth file), or a "
        "backbone whose weights are installed as a package (tf_efficientnet_lite0, _lite1, _lite2)",
        todo='or fill the cache on a machine that reaches the hub: `python -c "import timm; '
        f"timm.create_model('{next(iter(reasons))}', pretrained=True)\"` and copy its "
        "HF_HUB_CACHE folder here",
    )


def _find_here(name: str) -> WeightsSource | None:
    packaged = find_packaged(name)
    if packaged is not None:
        return WeightsSource("packaged", packaged.where, file_digest(packaged.file), packaged.file)
    cached = find_cached(name)
    if cached is not None:
        return WeightsSource("cache", cached.where, file_digest(cached.file), cached.file)
    return None


def file_digest(file: Path) -> str:
    """Return sha256 hex of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_path(weights: str) -> WeightsSource:
    """Check that ``weights`` is a file of a kind that is read."""
    if "://" in weights:
        raise WeightsError(
            given=f"weights={weights} is an address; weights are only read from local files",
            todo="download the file, check it, and give its path",
        )
    file = Path(weights).expanduser()
    if not file.is_file():
        raise WeightsError(
            given=f"weights={weights}: there is no such file",
            allowed="pretrained, random, or the path of a .safetensors, .pth or .ckpt file",
        )
    if file.suffix not in _SUFFIXES:
        raise WeightsError(
            given=f"weights={weights} is not a kind of file that is read",
            allowed=", ".join(_SUFFIXES),
        )
    return WeightsSource("path", file.name, file_digest(file), file)


def load_weights(
    name: str, model: nn.Module, weights: str, *, left_out: Sequence[str]
) -> WeightsInfo:
    """Give a model its weights.

    Args:
        name: The backbone's name.
        model: The model without classifier, randomly initialised; changed in place.
        weights: ``pretrained``, ``random`` or a path.
        left_out: Modules that the file may have and the model has not: the classifier.

    Returns:
        Where they came from, and which tensors did not fit (only for a path; all others must).

    Raises:
        WeightsError: Nothing was found, the file cannot be read safely, or the tensors do not fit.
    """
    from frostline.backbones.weights_hub import download

    source = preflight([name], weights)[name]
    if source.source == "random":
        return WeightsInfo("random", "random", digest_of(model))
    file = source.file if source.file is not None else download(name)
    tensors = read_tensors(file)
    if source.source == "packaged":
        tensors = rename_packaged(name, tensors, model)
    else:
        tensors = _as_timm(name, model, tensors)
    fit = fit_tensors(model, tensors, left_out)
    strict = source.source != "path"
    if not fit.fitting or (strict and (fit.missing or fit.mismatched)):
        raise _misfit(name, source, fit)
    model.load_state_dict(fit.fitting, strict=False)
    return WeightsInfo(
        source.source, source.where, digest_of(model), fit.missing, fit.unexpected, fit.mismatched
    )


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read the tensors of a file without running any code in it.

    Raises:
        WeightsError: The file is damaged, or holds objects other than tensors.
    """
    import pickle

    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if file.suffix == ".safetensors":
            return dict(load_file(file, device="cpu"))
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise WeightsError(
            given=f"{file.name} holds Python objects, which could run code; it was not opened",
            allowed="files of tensors alone: .safetensors, or .pth saved from a state_dict",
            todo="save it again: `torch.save(model.state_dict(), FILE)`",
        ) from None
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise WeightsError(
            given=f"{file.name} cannot be read: {str(error).splitlines()[0]}",
            todo="the file may be damaged or cut short: fetch it again",
        ) from None
    for key in ("state_dict", "state_dict_ema", "model", "model_state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise WeightsError(
            given=f"{file.name} does not hold a state dict",
            allowed="a mapping of names to tensors, alone or under the key state_dict",
        )
    return content


def _as_timm(name: str, model: nn.Module, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Put tensors under timm's names: drop wrappers' prefixes, then timm's own filter."""
    from frostline.backbones.weights_hub import timm_filter

    known = set(model.state_dict())
    best = tensors
    for prefix in _PREFIXES:
        bare = {
            key.removeprefix(prefix): value
            for key, value in tensors.items()
            if key.startswith(prefix)
        }
        if len(known.intersection(bare)) > len(known.intersection(best)):
            best = bare
    return timm_filter(name, model, best)


@dataclass(frozen=True)
class Fit:
    """Which tensors of a file have a place in a model."""

    fitting: dict[str, Tensor]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]


def fit_tensors(model: nn.Module, tensors: dict[str, Tensor], left_out: Sequence[str]) -> Fit:
    """Compare a file's tensors with a model's, by name and shape."""
    state = model.state_dict()
    fitting = {k: v for k, v in tensors.items() if k in state and v.shape == state[k].shape}
    mismatched = tuple(
        f"{key}: {tuple(value.shape)} in the file, {tuple(state[key].shape)} in the model"
        for key, value in tensors.items()
        if key in state and key not in fitting
    )
    counters = {key for key in state if key.endswith("num_batches_tracked")}
    missing = tuple(key for key in state if key not in tensors and key not in counters)
    dropped = tuple(f"{module}." for module in left_out)
    unexpected = tuple(key for key in tensors if key not in state and not key.startswith(dropped))
    return Fit(fitting, missing, unexpected, mismatched)


def describe_misfit(missing: Sequence[str], unexpected: Sequence[str], other: Sequence[str]) -> str:
    """Say in lines which tensors did not fit; empty if all did."""
    lines = []
    for word, names in (
        ("not in the file", missing),
        ("not in the model", unexpected),
        ("of another shape", other),
    ):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            lines.append(f"  {len(names)} {word}: {', '.join(names[:5])}{more}")
    return "\n".join(lines)


def _misfit(name: str, source: WeightsSource, fit: Fit) -> WeightsError:
    return WeightsError(
        given=f"the weights {source.where} do not fit {name}: {len(fit.fitting)} tensors do\n"
        + describe_misfit(fit.missing, fit.unexpected, fit.mismatched),
        todo="check that the file belongs to this backbone",
    )
