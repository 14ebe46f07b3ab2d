"""The model hub and its local cache: what is here, what could be had, and fetching it."""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import timm
from torch import Tensor, nn

from frostline.errors import BackboneError, WeightsError

PROBE_TIMEOUT_S = 4.0
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SAFE_NAMES = {
    "pytorch_model.bin": ("model.safetensors",),
    "open_clip_pytorch_model.bin": ("open_clip_model.safetensors",),
}


@dataclass(frozen=True)
class CachedFile:
    """A file of weights in the local cache.

    Args:
        where: Repository and file name, or the address's last part.
        file: The file on this machine.
    """

    where: str
    file: Path


@dataclass(frozen=True)
class HubAnswer:
    """What the hub says of a backbone's weights.

    Args:
        where: Repository and file name.
        digest: sha256 of the file as the hub states it; empty if it does not.
        reason: Why they cannot be had; empty if they can.
    """

    where: str = ""
    digest: str = ""
    reason: str = ""


def timm_settings(name: str) -> Any:
    """Return timm's record of a backbone's weights: input size, normalisation, where they lie.

    Raises:
        BackboneError: timm has none.
    """
    cfg = timm.get_pretrained_cfg(name)
    if cfg is None:
        raise BackboneError(given=f"backbone={name}: timm does not say what input it takes")
    return cfg


def has_pretrained(name: str) -> bool:
    """Say whether timm knows of any pretrained weights for a backbone."""
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
    """Look for a backbone's weights in the local cache; the network is never asked."""
    import torch
    from huggingface_hub import try_to_load_from_cache

    for repository, revision, filename in _candidates(name):
        found = try_to_load_from_cache(repository, filename, revision=revision)
        if isinstance(found, str):
            return CachedFile(f"{repository}/{filename}", Path(found))
    url = timm_settings(name).url
    if url:
        filename = Path(url if isinstance(url, str) else url[1]).name
        file = Path(torch.hub.get_dir()) / "checkpoints" / filename
        if file.is_file():
            return CachedFile(filename, file)
    return None


def probe_hub(names: Sequence[str]) -> dict[str, HubAnswer]:
    """Ask the hub, once and all at the same time, whether it would serve these weights.

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
    reason = "it is on an address outside the hub and not in the cache"
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
        except Exception as error:  # whatever the transport raises: the hub cannot be reached
            return HubAnswer(reason=f"the hub cannot be reached ({type(error).__name__})")
        etag = metadata.etag or ""
        return HubAnswer(f"{repository}/{filename}", etag if _SHA256.fullmatch(etag) else "")
    return HubAnswer(reason=reason)


def download(name: str) -> Path:
    """Fetch a backbone's weights from the hub into the local cache.

    Raises:
        WeightsError: The hub does not serve them.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    reason = "timm names no file on the hub for it"
    for repository, revision, filename in _candidates(name):
        try:
            return Path(hf_hub_download(repository, filename, revision=revision))
        except EntryNotFoundError:
            reason = f"the hub has no {filename} in {repository}"
        except Exception as error:  # any failure to fetch is told with its way out
            reason = str(error).strip().splitlines()[0] or type(error).__name__
            break
    raise WeightsError(
        given=f"the weights of {name} could not be fetched: {reason}",
        allowed="weights=random, or weights=PATH (a .safetensors or .pth file)",
    )


def timm_filter(name: str, model: nn.Module, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Apply timm's own conversion of old checkpoints to a family's present names and sizes.

    It also resamples position embeddings to the model's image size. timm hands it to its loader
    from inside each family's constructor, so it is caught there; no weights are loaded by this.

    Args:
        name: The backbone.
        model: The model that the tensors are for.
        tensors: Tensors of a file.
    """
    convert = _filter_of(name)
    if convert is None:
        return tensors
    try:
        return dict(convert(dict(tensors), model))
    except TypeError:
        return dict(convert(dict(tensors)))
    except (KeyError, RuntimeError, AttributeError, IndexError):
        return tensors  # a file that is none of this family: the check of names says so


def _filter_of(name: str) -> Callable[..., Any] | None:
    import torch
    from timm.models import _builder

    caught: list[Callable[..., Any] | None] = []

    def catch(*_: object, filter_fn: Callable[..., Any] | None = None, **__: object) -> None:
        caught.append(filter_fn)

    with patch.object(_builder, "load_pretrained", catch), torch.device("meta"):
        timm.create_model(name, pretrained=True)
    return caught[0] if caught else None
