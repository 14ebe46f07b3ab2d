"""Files of weights: reading them without running code, and matching their tensors to a model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from frostline.errors import WeightsError

_MAX_LISTED = 5
# What tools that count operations leave in a model's state.
_MEASURED = {"total_ops", "total_params"}


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read the tensors of a file without running any code in it.

    Returns:
        Names to tensors. The keys of nested mappings are joined by dots, so that what is under
        `teacher` and what begins with `teacher.` reads the same.

    Raises:
        WeightsError: The file is damaged, or holds objects other than plain values.
    """
    import argparse
    import pickle

    import torch
    from safetensors.torch import load_file

    try:
        if file.suffix == ".safetensors":
            return dict(load_file(file, device="cpu"))
        # The arguments of a training are often saved beside its weights; a Namespace runs nothing.
        with torch.serialization.safe_globals([argparse.Namespace]):
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
    tensors = dict(_flat(content, "")) if isinstance(content, Mapping) else {}
    if not tensors:
        raise WeightsError(
            given=f"{file.name} does not hold a state dict",
            allowed="a mapping of names to tensors, alone or under any key, such as state_dict",
        )
    return tensors


def _flat(content: Any, path: str) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of nested mappings and lists with their dotted paths."""
    if isinstance(content, Tensor):
        yield path, content
    elif isinstance(content, Mapping):
        for key, inner in content.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(content, list | tuple):
        for place, inner in enumerate(content):
            yield from _flat(inner, f"{path}.{place}" if path else str(place))


def is_counter(name: str) -> bool:
    """Whether a tensor only counts batches, which no result depends on; files may lack it."""
    return name.endswith("num_batches_tracked")


@dataclass(frozen=True)
class TensorMatch:
    """Which tensors of a file match a model's, by name and shape.

    Attributes:
        fitting: Tensors of the file that the model has in the same shape.
        missing: Tensors of the model that the file does not have.
        unexpected: Tensors of the file that the model does not have, except the classifier's.
        mismatched: Tensors in both whose shapes differ, with the shapes.
        surplus: Those of `unexpected` of the model's own parts: further blocks or layers.
            Other heads, decoders and queues do not.
        n_values: Values in the model's parameters that the file has.
        n_values_in_all: Values in all parameters of the model.
        n_tensors_in_all: Tensors of the model.
    """

    fitting: dict[str, Tensor]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]
    surplus: tuple[str, ...] = ()
    n_values: int = 0
    n_values_in_all: int = 0
    n_tensors_in_all: int = field(default=0)

    @property
    def is_whole(self) -> bool:
        """Whether the file holds this model: nothing is missing, and nothing of it is left over."""
        return bool(self.fitting) and not (self.missing or self.mismatched or self.surplus)

    @property
    def share(self) -> str:
        """How much of the model the file has, such as `4.1 % of the parameters (20 of 318 ...)`."""
        fits = sum(not is_counter(name) for name in self.fitting)
        percent = 100 * self.n_values / max(1, self.n_values_in_all)
        text = f"{percent:.1f}"
        if text == "100.0" and self.n_values < self.n_values_in_all:
            text = "99.9"
        elif text == "0.0" and self.n_values:
            text = "less than 0.1"
        extra = f", {len(self.surplus)} of the file left over" if self.surplus else ""
        return f"{text} % of the parameters ({fits} of {self.n_tensors_in_all} tensors{extra})"


def match_tensors(
    model: nn.Module, tensors: dict[str, Tensor], left_out: Sequence[str]
) -> TensorMatch:
    """Compare a file's tensors with a model's, by name and shape.

    Args:
        model: The model.
        tensors: Those of the file.
        left_out: Modules and tensors that the file may have and the model has not: the classifier.
    """
    state = model.state_dict()
    fitting = {k: v for k, v in tensors.items() if k in state and v.shape == state[k].shape}
    mismatched = tuple(
        f"{key}: {tuple(value.shape)} in the file, {tuple(state[key].shape)} in the model"
        for key, value in tensors.items()
        if key in state and key not in fitting
    )
    missing = tuple(key for key in state if key not in tensors and not is_counter(key))
    ignored = tuple(f"{module}." for module in left_out)
    unexpected = tuple(
        key
        for key in tensors
        if key not in state and key not in left_out and not key.startswith(ignored)
    )
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    return TensorMatch(
        fitting,
        missing,
        unexpected,
        mismatched,
        tuple(_surplus(model, {key: tensors[key] for key in unexpected})),
        sum(size for name, size in sizes.items() if name in fitting),
        sum(sizes.values()),
        sum(not is_counter(name) for name in state),
    )


def _surplus(model: nn.Module, unexpected: Mapping[str, Tensor]) -> Iterator[str]:
    """Yield the further tensors of parts which the model has, and would change its output.

    Counters and index tables are not among them, nor buffers that the model computes by itself.
    """
    parts = {name for name, _ in model.named_children()}
    computed = {name for name, _ in model.named_buffers()}
    for name, tensor in unexpected.items():
        first, dot, rest = name.partition(".")
        is_inner = first in parts if dot else name.endswith("_token") and name != "mask_token"
        is_note = is_counter(name) or rest.rpartition(".")[2] in _MEASURED
        if is_inner and not is_note and name not in computed and tensor.is_floating_point():
            yield name


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
