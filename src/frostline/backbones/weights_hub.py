"""The model hub and its local cache: which weights they have, and downloading them."""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import timm
from torch import Tensor, nn

from frostline.backbones.own_registration import register_own, where_defined
from frostline.errors import BackboneError, WeightsError
from frostline.plugins.own_backbones import target_of

PROBE_TIMEOUT_S = 4.0
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SAFE_NAMES = {
    "pytorch_model.bin": ("model.safetensors",),
    "open_clip_pytorch_model.bin": ("open_clip_model.safetensors",),
}


@dataclass(frozen=True)
class CachedFile:
    """A file of weights in the local cache.

    Attributes:
        where: Repository and file name, or the address's last part.
        file: The file on this machine.
    """

    where: str
    file: Path


@dataclass(frozen=True)
class HubAnswer:
    """Whether the hub has a backbone's weights.

    Attributes:
        where: Repository and file name.
        digest: sha256 of the file as stated by the hub; empty if it states none.
        reason: Why they are not available; empty if they are.
    """

    where: str = ""
    digest: str = ""
    reason: str = ""


def timm_settings(name: str) -> Any:
    """Return timm's record of a backbone's weights: input size, normalisation, where to find them.

    Raises:
        BackboneError: timm has no such record.
    """
    register_own(name)
    cfg = timm.get_pretrained_cfg(name)
    if cfg is None:
        raise BackboneError(
            f"backbone={name}: timm does not list what input it takes{where_defined(name)}",
            todo="register its default_cfgs with timm, with input_size, mean and std: "
            "generate_default_cfgs({'" + name + "': {'input_size': (3, 224, 224), ...}})"
            if target_of(name)
            else "choose another backbone",
        )
    return cfg


def has_pretrained(name: str) -> bool:
    """Return whether timm lists any pretrained weights for a backbone."""
    return bool(timm_settings(name).has_weights)


def _candidates(name: str) -> Iterator[tuple[str, str | None, str]]:
    """Yield repository, revision and file name in the order in which they are tried."""
    cfg = timm_settings(name)
    if not cfg.hf_hub_id:
        return
    repository, _, revision = cfg.hf_hub_id.partition("@")
    filename = cfg.hf_hub_filename or "pytorch_model.bin"
    for safe in _SAFE_NAMES.get(filename, ()):
        yield repository, revision or None, safe
    yield repository, revision or None, filename


def find_cached(name: str) -> CachedFile | None:
    """Look for a backbone's weights in the local cache, without using the network."""
    import torch
    from huggingface_hub import try_to_load_from_cache

    for repository, revision, filename in _candidates(name):
        path = try_to_load_from_cache(repository, filename, revision=revision)
        if isinstance(path, str):
            return CachedFile(f"{repository}/{filename}", Path(path))
    url = timm_settings(name).url
    if url:
        filename = Path(url if isinstance(url, str) else url[1]).name
        file = Path(torch.hub.get_dir()) / "checkpoints" / filename
        if file.is_file():
            return CachedFile(filename, file)
    return None


def probe_hub(names: Sequence[str]) -> dict[str, HubAnswer]:
    """Ask the hub whether it has these weights, for all of them at the same time.

    Args:
        names: Backbones that timm has weights for.
    """
    if not names:
        return {}
    with ThreadPoolExecutor(max_workers=min(16, len(names))) as pool:
        return dict(zip(names, pool.map(_probe, names), strict=True))


def _probe(name: str) -> HubAnswer:
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    if constants.HF_HUB_OFFLINE:
        return HubAnswer(reason="not in the cache, and HF_HUB_OFFLINE forbids asking the hub")
    reason = "its address is outside the hub, and it is not in the cache"
    for repository, revision, filename in _candidates(name):
        url = hf_hub_url(repository, filename, revision=revision)
        try:
            metadata = get_hf_file_metadata(url, timeout=PROBE_TIMEOUT_S)
        except EntryNotFoundError:
            reason = f"the hub has no {filename} in {repository}"
            continue
        except HfHubHTTPError as error:
            status = getattr(error.response, "status_code", "an error")
            login = " (it asks for a login: `hf auth login`)" if status in (401, 403) else ""
            return HubAnswer(reason=f"the hub answers {status} for {repository}{login}")
        except Exception as error:  # the transport raises many kinds: the hub cannot be reached
            return HubAnswer(reason=f"the hub cannot be reached ({type(error).__name__})")
        etag = metadata.etag or ""
        return HubAnswer(f"{repository}/{filename}", etag if _SHA256.fullmatch(etag) else "")
    return HubAnswer(reason=reason)


def download(name: str) -> Path:
    """Download a backbone's weights from the hub into the local cache.

    Raises:
        WeightsError: The download failed.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    reason = "timm names no file on the hub for it"
    for repository, revision, filename in _candidates(name):
        try:
            return Path(hf_hub_download(repository, filename, revision=revision))
        except EntryNotFoundError:
            reason = f"the hub has no {filename} in {repository}"
        except Exception as error:  # the transport raises many kinds; the message gives the reason
            reason = str(error).strip().splitlines()[0] or type(error).__name__
            break
    raise WeightsError(
        given=f"the weights of {name} could not be downloaded: {reason}",
        allowed="weights=random, or weights=PATH (a .safetensors or .pth file)",
    )


def timm_filter(name: str, model: nn.Module, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Apply timm's own conversion of old checkpoints to a family's present names and sizes.

    It also resamples position embeddings to the model's image size. timm passes the conversion to
    its loader from inside each family's constructor, so it is captured there; no weights are
    loaded by this.

    Args:
        name: The backbone.
        model: The model that the tensors are for.
        tensors: Tensors of a file.
    """
    convert = _filter_of(name)
    if convert is None:
        return tensors
    try:
        try:
            return dict(convert(dict(tensors), model))
        except TypeError:
            return dict(convert(dict(tensors)))
    except Exception:  # each family's conversion fails in its own way on what it was not made for
        return tensors  # not a file of this family: matching the names will report that


@lru_cache(maxsize=32)
def _filter_of(name: str) -> Callable[..., Any] | None:
    import torch
    from timm.models import _builder

    captured: list[Callable[..., Any] | None] = []

    def capture(*_: object, filter_fn: Callable[..., Any] | None = None, **__: object) -> None:
        captured.append(filter_fn)

    with patch.object(_builder, "load_pretrained", capture), torch.device("meta"):
        timm.create_model(name, pretrained=True)
    return captured[0] if captured else None


def first_layers(name: str) -> tuple[str, ...]:
    """Return the modules that take the image's channels."""
    layers = timm_settings(name).first_conv or ()
    return (layers,) if isinstance(layers, str) else tuple(layers)


def adapt_channels(weight: Tensor, n_channels: int, places: int = 1) -> Tensor:
    """Make a convolution's weight take images of another number of channels, as timm does.

    Args:
        weight: `(O, P * I, H, W)`.
        n_channels: N, the number wanted.
        places: P, the pixels of a square that the layer takes as channels, each with the image's
            channels side by side; timm adapts such a layer to one channel alone.

    Returns:
        `(O, P * N, H, W)`: for each place the channels repeated or cut off, and scaled by I / N;
        for one channel their sum.
    """
    from timm.models import adapt_input_conv

    outputs, inputs, *kernel = weight.shape
    by_place = weight.reshape(outputs * places, inputs // places, *kernel)
    adapted: Tensor = adapt_input_conv(n_channels, by_place, base_chans=by_place.shape[1])
    return adapted.reshape(outputs, places * n_channels, *kernel)
