"""Files of weights: reading them without running code, and matching their tensors to a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from frostline.errors import WeightsError

_MAX_LISTED = 5


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read the tensors of a file without running any code in it.

    Raises:
        WeightsError: The file is damaged, or holds objects other than tensors.
    """
    import pickle

    import torch
    from safetensors.torch import load_file

    try:
        if file.suffix == ".safetensors":
            return dict(load_file(file, device="cpu"))
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise WeightsError(
            given=f"{file.name} holds Python objects, which could run code; it was not opened",
            allowed="files that hold tensors only: .safetensors, or .pth saved from a state_dict",
            todo="save it again: `torch.save(model.state_dict(), FILE)`",
        ) from None
    except Exception as error:  # a damaged file of the old form can lead its reader anywhere
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise WeightsError(
            given=f"{file.name} cannot be read: {reason}",
            todo="the file may be damaged or incomplete: download it again",
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


@dataclass(frozen=True)
class TensorMatch:
    """Which tensors of a file match a model's, by name and shape.

    Attributes:
        fitting: Tensors of the file that the model has in the same shape.
        missing: Tensors of the model that the file does not have.
        unexpected: Tensors of the file that the model does not have.
        mismatched: Tensors in both whose shapes differ, with the shapes.
    """

    fitting: dict[str, Tensor]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]


def match_tensors(
    model: nn.Module, tensors: dict[str, Tensor], left_out: Sequence[str]
) -> TensorMatch:
    """Compare a file's tensors with a model's, by name and shape.

    Args:
        model: The model.
        tensors: Those of the file.
        left_out: Modules that the file may have and the model has not: the classifier.
    """
    state = model.state_dict()
    fitting = {k: v for k, v in tensors.items() if k in state and v.shape == state[k].shape}
    mismatched = tuple(
        f"{key}: {tuple(value.shape)} in the file, {tuple(state[key].shape)} in the model"
        for key, value in tensors.items()
        if key in state and key not in fitting
    )
    counters = {key for key in state if key.endswith("num_batches_tracked")}
    missing = tuple(key for key in state if key not in tensors and key not in counters)
    ignored = tuple(f"{module}." for module in left_out)
    unexpected = tuple(key for key in tensors if key not in state and not key.startswith(ignored))
    return TensorMatch(fitting, missing, unexpected, mismatched)


def describe_misfit(
    missing: Sequence[str], unexpected: Sequence[str], mismatched: Sequence[str]
) -> str:
    """List the tensors that did not fit, one line a kind; empty if all did."""
    lines = []
    for problem, names in (
        ("not in the file", missing),
        ("not in the model", unexpected),
        ("of another shape", mismatched),
    ):
        if names:
            rest = len(names) - _MAX_LISTED
            more = f" and {rest} more" if rest > 0 else ""
            lines.append(f"  {len(names)} {problem}: {', '.join(names[:_MAX_LISTED])}{more}")
    return "\n".join(lines)
