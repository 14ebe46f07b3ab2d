"""When a deeper prefix may start from a shallower one's stored outputs."""

import pytest
import torch
from torch import Tensor

from frostline.features.chain import differ_by_rounding_only

PRECISIONS = [torch.float32, torch.bfloat16, torch.float16]


def outputs(dtype: torch.dtype) -> Tensor:
    """Outputs (N, C) whose largest value is 8."""
    values = torch.linspace(-8, 8, 64).reshape(4, 16)
    return values.to(dtype)


def changed_by(values: Tensor, gap: float) -> Tensor:
    """The same but for one value, which differs by a share of the largest one."""
    changed = values.clone()
    changed[0, 0] = float(changed[0, 0]) + gap * float(values.abs().max())
    return changed


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_a_few_units_in_the_last_place_are_rounding(dtype: torch.dtype) -> None:
    direct = outputs(dtype)
    assert differ_by_rounding_only(direct, direct.clone())
    assert differ_by_rounding_only(direct, changed_by(direct, 2 * torch.finfo(dtype).eps))


@pytest.mark.parametrize(
    ("dtype", "gap"), [(torch.float32, 2e-5), (torch.bfloat16, 0.05), (torch.float16, 0.006)]
)
def test_more_is_a_difference(dtype: torch.dtype, gap: float) -> None:
    direct = outputs(dtype)
    assert not differ_by_rounding_only(direct, changed_by(direct, gap))


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_other_outputs_are_a_difference(dtype: torch.dtype) -> None:
    direct = outputs(dtype)
    assert not differ_by_rounding_only(direct, direct.flip(0))
    assert not differ_by_rounding_only(direct, torch.full_like(direct, float("nan")))
    assert not differ_by_rounding_only(direct, direct[:2])
    assert not differ_by_rounding_only(direct, direct.double())
