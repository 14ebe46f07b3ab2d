"""A file in timm's own names goes into the backbone tensor by tensor, over timm's families.

Each family has its own conversion of earlier files, which must leave the names of today alone: with
any classifier, with none, and behind a prefix. On the meta device, with a number for each tensor.
"""

import pytest
import timm
import torch
from torch import Tensor

from frostline.backbones.build import _left_out, create_timm, input_spec
from frostline.backbones.tensor_files import is_counter
from frostline.backbones.weights_fit import fit_of
from tests.contracts.architectures import ARCHITECTURES

# Their conversions look at different things; all other families are in the slow run.
SMALL = ["edgenext_xx_small", "fastvit_t8", "swinv2_cr_tiny_384", "test_vit", "crossvit_tiny_240"]
# Frostline's own, and a network whose layers behind the features are left out.
WITHOUT_TIMM_CLASSIFIER = {"book_cnn", "vgg11_bn"}


@pytest.mark.parametrize("name", SMALL)
def test_each_tensor_goes_where_its_name_says(name: str) -> None:
    check_names(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*ARCHITECTURES} - {*SMALL} - WITHOUT_TIMM_CLASSIFIER))
def test_each_tensor_goes_where_its_name_says_in_all_families(name: str) -> None:
    check_names(name)


def check_names(name: str) -> None:
    spec = input_spec(name, None)
    options = {"img_size": spec.sides} if spec.fixed_size else {}
    with torch.device("meta"):
        model = create_timm(name, spec)
        states = [timm.create_model(name, num_classes=n, **options).state_dict() for n in (7, 0)]
    with_head, without_head = (_numbered(state) for state in states)
    behind = {f"module.{key}": tensor for key, tensor in with_head.items()}
    for file, start in ((with_head, ""), (without_head, ""), (behind, "module.")):
        fit = fit_of(
            name, model, file, origin="path", where="file",
            left_out=_left_out(name, model, "file.pth"), key=None, partial=False,
        )  # fmt: skip
        assert (fit.path, fit.partial, fit.adapted) == (start.rstrip("."), "", "")
        for key in model.state_dict():
            if not is_counter(key):
                loaded, given = fit.match.fitting[key], file[f"{start}{key}"]
                assert torch.equal(loaded.flatten()[[0, -1]], given.flatten()[[0, -1]]), key


def _numbered(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each tensor filled with a number of its own, without the memory for it."""
    return {
        name: torch.tensor(number).to(tensor.dtype).expand(tensor.shape)
        for number, (name, tensor) in enumerate(state.items(), start=1)
    }
