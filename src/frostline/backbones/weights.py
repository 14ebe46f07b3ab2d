"""Weights of a backbone: finding where they are, and loading them into the model."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from frostline.backbones.names import split_tag
from frostline.backbones.packaged_weights import find_packaged, rename_packaged
from frostline.backbones.positions import Places, check_positions
from frostline.backbones.spec import WeightsInfo, WeightsOrigin
from frostline.backbones.state_digest import digest_of
from frostline.backbones.tensor_files import read_tensors
from frostline.backbones.weights_fit import Fit, fit_of
from frostline.backbones.weights_hub import download, find_cached, has_pretrained, probe_hub
from frostline.errors import DataChangedError, WeightsError
from frostline.files import FileStamp

_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")


@dataclass(frozen=True)
class WeightsSource:
    """Where the weights of a backbone will come from.

    Attributes:
        source: The kind of place.
        where: A name that is the same on every machine.
        digest: sha256 hex of the file, computed or as stated by the hub; empty for random weights.
        file: The file on this machine, if it is already here.
        stamp: What the file system said of it before the digest was computed.
    """

    source: WeightsOrigin
    where: str
    digest: str = ""
    file: Path | None = None
    stamp: FileStamp | None = None


def find_weights(names: Sequence[str], weights: str) -> dict[str, WeightsSource]:
    """Find the weights of every backbone of a sweep before its first job.

    Args:
        names: Names of known backbones.
        weights: `pretrained`, `random` or a path.

    Returns:
        A source for each name.

    Raises:
        WeightsError: Some backbone has none; the message names all of them and the alternatives.
    """
    if weights == "random":
        return {name: WeightsSource("random", "random") for name in names}
    if weights != "pretrained":
        source = _check_path(weights)
        return dict.fromkeys(names, source)
    sources: dict[str, WeightsSource] = {}
    not_local: list[str] = []
    for name in dict.fromkeys(names):
        local = _find_local(name)
        if local is not None:
            sources[name] = local
        else:
            not_local.append(name)
    without = [name for name in not_local if not has_pretrained(name)]
    answers = probe_hub([name for name in not_local if name not in without])
    reasons = dict.fromkeys(without, "timm has no pretrained weights for it")
    for name, answer in answers.items():
        if answer.reason:
            reasons[name] = answer.reason
        else:
            sources[name] = WeightsSource("hub", answer.where, answer.digest)
    if reasons:
        raise _not_found({name: reasons[name] for name in not_local if name in reasons})
    return sources


def are_here(name: str, weights: str) -> bool:
    """Whether the weights of a backbone can be loaded without asking the model hub."""
    if weights != "pretrained":
        return True
    return find_packaged(name) is not None or find_cached(name) is not None


def _not_found(reasons: dict[str, str]) -> WeightsError:
    lines = "\n".join(f"  {name}: {reason}{_at_hand(name)}" for name, reason in reasons.items())
    return WeightsError(
        given="no pretrained weights for these backbones (looked for a packaged file, in the local "
        f"cache, on the model hub):\n{lines}",
        allowed="weights=random (from scratch), weights=PATH (a .safetensors or .pth file), or a "
        "backbone whose weights are installed as a package (tf_efficientnet_lite0, _lite1, _lite2)",
        todo='or fill the cache on a machine that reaches the hub: `python -c "import timm; '
        f"timm.create_model('{next(iter(reasons))}', pretrained=True)\"` and copy its "
        "HF_HUB_CACHE folder here",
    )


def _at_hand(name: str) -> str:
    """The same architecture under TensorFlow's name, if its weights are installed."""
    other = f"tf_{split_tag(name)[0]}"
    return f"; {other} is at hand" if find_packaged(other) is not None else ""


def _find_local(name: str) -> WeightsSource | None:
    packaged = find_packaged(name)
    if packaged is not None:
        return _of_file("packaged", packaged.where, packaged.file)
    cached = find_cached(name)
    if cached is not None:
        return _of_file("cache", cached.where, cached.file)
    return None


def _of_file(source: WeightsOrigin, where: str, file: Path) -> WeightsSource:
    stamp = FileStamp.of(file.stat())
    return WeightsSource(source, where, file_digest(file), file, stamp)


def file_digest(file: Path) -> str:
    """Return sha256 hex of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_path(weights: str) -> WeightsSource:
    """Check that `weights` is a file of a supported kind."""
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
            given=f"weights={weights} is not a supported kind of file",
            allowed=", ".join(_SUFFIXES),
        )
    return _of_file("path", file.name, file)


def load_weights(
    name: str,
    model: nn.Module,
    weights: str,
    *,
    left_out: Sequence[str],
    key: str | None = None,
    partial: bool = False,
    places: Places | None = None,
) -> WeightsInfo:
    """Load weights into a model.

    Args:
        name: The backbone's name.
        model: The model without classifier, randomly initialised; changed in place.
        weights: `pretrained`, `random` or a path.
        left_out: Modules that the file may have and the model has not: the classifier.
        key: Part of the file that the user chose; None where only one fits.
        partial: Whether a file may fit only a part of the model, whose rest stays random.
        places: For which images the model is built, if for rectangles of one size.

    Returns:
        Where they came from, and which tensors did not fit (only for a path; all others must).

    Raises:
        WeightsError: None were found, the file cannot be read safely, or the tensors do not fit.
        DataChangedError: The file changed between its digest and its tensors.
    """
    source = find_weights([name], weights)[name]
    if source.source == "random":
        return WeightsInfo("random", "random", digest_of(model))
    fit = fit_source(
        name, model, source, left_out=left_out, key=key, partial=partial, places=places
    )
    model.load_state_dict(fit.match.fitting, strict=False)
    return WeightsInfo(
        source.source,
        source.where,
        digest_of(model),
        fit.match.missing,
        fit.match.unexpected,
        fit.match.mismatched,
        source.digest,
        fit.path,
        fit.adapted,
        fit.partial,
    )


def fit_source(
    name: str,
    model: nn.Module,
    source: WeightsSource,
    *,
    left_out: Sequence[str],
    key: str | None,
    partial: bool,
    places: Places | None = None,
) -> Fit:
    """Read weights that are there and compare them with a model, which may be on the meta device.

    Args:
        name: The backbone's name.
        model: The model without classifier; it is not changed.
        source: Where its weights are; not random ones.
        left_out: As `load_weights`.
        key: As `load_weights`; only for a path.
        partial: As `load_weights`; only for a path.
        places: As `load_weights`.

    Raises:
        WeightsError: The file cannot be read safely, or its tensors do not fit.
        DataChangedError: The file changed between its digest and its tensors.
    """
    file = source.file if source.file is not None else download(name)
    tensors = read_tensors(file)
    # A hard link, a backup or other rights change the stamp as well: only other bytes matter.
    if (
        source.stamp is not None
        and FileStamp.of(file.stat()) != source.stamp
        and file_digest(file) != source.digest
    ):
        raise DataChangedError(
            f"{file} changed while it was read",
            todo="let whatever writes it end, then give the command again",
        )
    if source.source == "packaged":
        tensors = rename_packaged(name, tensors, model)
    is_own = source.source == "path"
    fit = fit_of(
        name,
        model,
        tensors,
        origin=source.source,
        where=f"weights={source.where}" if is_own else f"the weights {source.where}",
        left_out=left_out,
        key=key if is_own else None,
        partial=partial and is_own,
    )
    if places is None:
        return fit
    loaded = fit.match.fitting
    note = check_positions(name, places, loaded, tensors, is_own_file=is_own)
    return replace(fit, positions=note)
