"""Files that hold a backbone in part, in another form, behind a prefix, or more than once."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from torch import Tensor

from frostline.backbones.build import build_backbone, check_weights, outline
from frostline.backbones.spec import WeightsInfo, WeightsOrigin
from frostline.backbones.weights import find_weights
from frostline.backbones.weights_fit import Fit, fit_of
from frostline.errors import WeightsError

NAME = "test_resnet"
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    torch.manual_seed(0)
    return dict(timm.create_model(NAME, num_classes=5).state_dict())


@pytest.fixture(scope="module")
def other() -> State:
    torch.manual_seed(1)
    return dict(timm.create_model(NAME, num_classes=5).state_dict())


def _save(folder: Path, content: object) -> Path:
    torch.save(content, folder / "file.pth")
    return folder / "file.pth"


def _check(file: Path, name: str = NAME, **choice: object) -> Fit:
    """As before a sweep, on the meta device."""
    source = find_weights([name], str(file))[name]
    values = {"key": None, "partial": False} | choice
    return check_weights(name, 64, source, **values)  # type: ignore[arg-type]


def _load(
    file: Path, name: str = NAME, seed: int = 1, **choice: object
) -> tuple[State, WeightsInfo]:
    backbone = build_backbone(name, weights=str(file), image_size=64, seed=seed, **choice)  # type: ignore[arg-type]
    return dict(backbone.model.state_dict()), backbone.weights


def _behind(prefix: str, state: State) -> State:
    return {prefix + key: value for key, value in state.items()}


# --- partial


@pytest.mark.parametrize(
    ("change", "said"),
    [
        # Fewer blocks, of another width, of another kind, and a file of more blocks than the model.
        (lambda s: {k: v for k, v in s.items() if "layer4" not in k}, "not in the file: layer4."),
        (lambda s: s | {"conv1.0.weight": torch.zeros(2, 3, 3, 3)}, "of another shape: conv1.0"),
        (lambda s: s | {"layer1.0.se.fc1.weight": torch.zeros(4, 4)}, "1 of the file left over"),
        (lambda s: s | {"layer1.7.conv1.weight": torch.zeros(4, 4)}, "1 of the file left over"),
        # Without the statistics of its normalisations.
        (lambda s: {k: v for k, v in s.items() if "running" not in k}, "100.0 % of the parameters"),
    ],
)
def test_what_fits_in_part_is_refused_with_the_share_then_marked(
    tmp_path: Path, state: State, change: Callable[[State], State], said: str
) -> None:
    file = _save(tmp_path, change(state))
    with pytest.raises(WeightsError) as refused:
        _check(file)
    with pytest.raises(WeightsError) as refused_later:
        _load(file)
    assert str(refused_later.value) == str(refused.value)
    assert said in refused.value.given
    assert "weights_partial=true" in str(refused.value)
    fit = _check(file, partial=True)
    loaded, info = _load(file, weights_partial=True)
    assert fit.partial == info.partial
    assert "of the parameters (" in info.partial
    assert any(note.startswith("PARTIAL WEIGHTS") for note in fit.notes)
    for key, value in fit.match.fitting.items():
        assert torch.equal(loaded[key], value), key
    # What is not in the file is drawn from the run's seed.
    again, _ = _load(file, seed=2, weights_partial=True)
    drawn = [
        key
        for key in loaded
        if key.endswith("conv1.weight") and not torch.equal(loaded[key], again[key])
    ]
    assert drawn == [k for k in loaded if k.endswith("conv1.weight") and k not in fit.match.fitting]


def test_the_share_counts_parameters_and_tensors(tmp_path: Path) -> None:
    torch.manual_seed(0)
    file = _save(tmp_path, timm.create_model("resnet18").state_dict())
    with pytest.raises(
        WeightsError, match=r"resnet34 as a whole: 52\.\d % of the parameters \(100 of 180"
    ):
        _check(file, "resnet34")
    with pytest.raises(WeightsError, match=r"resnet50 as a whole: 26\.7 % of the parameters"):
        _check(file, "resnet50")
    torch.save(timm.create_model("resnet34").state_dict(), file)
    # All of the smaller network's names are there in its shapes: not its weights for all that.
    with pytest.raises(
        WeightsError, match=r"resnet18 as a whole: 100\.0 % .* 80 of the file left over"
    ):
        _check(file, "resnet18")


@pytest.mark.parametrize(
    "change",
    [
        lambda s: {k: v for k, v in s.items() if "num_batches_tracked" not in k},
        lambda s: s | {"fc.weight": torch.zeros(77, 256), "fc.bias": torch.zeros(77)},
        lambda s: {k: v for k, v in s.items() if not k.startswith("fc.")},
        lambda s: (
            {k: v for k, v in s.items() if not k.startswith("fc.")}
            | {"fc.0.weight": torch.zeros(8, 8), "projector.weight": torch.zeros(2, 2)}
        ),
        lambda s: s | {"layer1.total_ops": torch.zeros(1), "total_params": torch.zeros(1)},
        lambda s: {k: v.half() for k, v in s.items()},
    ],
)
def test_other_heads_and_counters_are_whole(
    tmp_path: Path, state: State, change: Callable[[State], State]
) -> None:
    fit = _check(_save(tmp_path, change(state)))
    assert (fit.partial, fit.path, fit.adapted) == ("", "", "")
    assert fit.notes == []


def test_another_network_is_refused_even_in_part(tmp_path: Path, state: State) -> None:
    file = _save(tmp_path, state)
    with pytest.raises(WeightsError, match=r"0 % of its parameters are in the file"):
        _check(file, "book_cnn", partial=True)


@pytest.mark.parametrize("n_channels", [1, 4, 5])
def test_a_first_layer_of_other_channels_is_adapted_and_said(
    tmp_path: Path, n_channels: int
) -> None:
    torch.manual_seed(0)
    theirs = timm.create_model(NAME, in_chans=n_channels).state_dict()
    loaded, info = _load(_save(tmp_path, theirs))
    expected = timm.models.adapt_input_conv(3, theirs["conv1.0.weight"], base_chans=n_channels)
    assert torch.equal(loaded["conv1.0.weight"], expected)
    if n_channels == 1:  # a grey image answers as in the grey network
        grey = torch.rand(1, 1, 9, 9)
        convolve = torch.nn.functional.conv2d
        assert torch.allclose(
            convolve(grey.expand(1, 3, 9, 9), expected),
            convolve(grey, theirs["conv1.0.weight"]),
            atol=1e-5,
        )
    assert info.partial == ""
    assert info.adapted.startswith(f"conv1.0 takes {n_channels} channels in the file: adapted to 3")


@pytest.mark.parametrize("n_channels", [1, 4])
def test_a_first_layer_that_takes_places_as_channels_is_adapted_within_each(
    n_channels: int,
) -> None:
    """TResNet's takes the 16 places of a square of 4 x 4 pixels, each with the image's channels."""
    model = outline("tresnet_m", 64, n_channels).model
    weight = torch.rand(64, 16 * 3, 3, 3, generator=torch.Generator().manual_seed(0))
    fit = fit_of(
        "tresnet_m", model, {"body.conv1.conv.weight": weight}, origin="path", where="file",
        left_out=(), key=None, partial=True,
    )  # fmt: skip
    adapted = fit.match.fitting["body.conv1.conv.weight"]
    by_place = weight.reshape(64, 16, 3, 3, 3)
    if n_channels == 1:
        assert torch.equal(adapted, timm.models.adapt_input_conv(1, weight, base_chans=3))
        assert torch.allclose(adapted, by_place.sum(dim=2), atol=1e-6)
    else:
        expected = torch.cat([by_place, by_place[:, :, :1]], dim=2) * 3 / 4
        assert torch.allclose(adapted, expected.reshape(64, 64, 3, 3), atol=1e-6)
    assert f"takes 3 channels in the file: adapted to {n_channels} as timm does" in fit.adapted


@pytest.mark.parametrize("origin", ["path", "hub"])
def test_a_first_layer_that_is_no_convolution_cannot_be_adapted(origin: WeightsOrigin) -> None:
    name = "naflexvit_base_patch16_gap"
    theirs = outline(name, 64).model.state_dict()
    with pytest.raises(WeightsError, match=r"1 of another shape: embeds\.proj\.weight") as refused:
        fit_of(
            name, outline(name, 64, 1).model, theirs, origin=origin, where="file",
            left_out=(), key=None, partial=False,
        )  # fmt: skip
    assert "the channels that the file was made for" in str(refused.value.allowed)
    assert str(refused.value.todo).startswith("leave in_chans out")


def test_a_first_convolution_of_another_kernel_is_of_another_network(
    tmp_path: Path, state: State
) -> None:
    other = state | {"conv1.0.weight": torch.zeros(32, 3, 7, 7)}
    with pytest.raises(WeightsError, match=r"1 of another shape: conv1\.0\.weight") as refused:
        _check(_save(tmp_path, other))
    assert str(refused.value.todo).startswith("take the backbone that the file was made with")


@pytest.mark.parametrize("name", ["resnet18", "vgg11", "densenet121"])
def test_torchvision_files_of_the_same_names_are_whole(tmp_path: Path, name: str) -> None:
    theirs = torchvision.models.get_model(name)
    fit = _check(_save(tmp_path, theirs.state_dict()), name)
    assert (fit.partial, fit.path) == ("", "")


def test_the_same_network_under_other_names_is_told_from_another(tmp_path: Path) -> None:
    theirs = torchvision.models.get_model("vit_b_32")
    file = _save(tmp_path, theirs.state_dict())
    with pytest.raises(WeightsError, match=r"no tensor has one of its names\. \d+% of its shapes"):
        _check(file, "vit_base_patch32_224")


# --- behind a prefix, under a key


@pytest.mark.parametrize(
    "prefix",
    ["module.", "backbone.", "encoder.", "model.", "_orig_mod.", "module.encoder_q.", "a.b.c.d."],
)
@pytest.mark.parametrize("wrapper", [None, "state_dict", "net", "model_state"])
def test_the_one_prefix_under_which_all_fits_is_found(
    tmp_path: Path, state: State, prefix: str, wrapper: str | None
) -> None:
    inner = _behind(prefix, state) | {
        "queue": torch.zeros(3, 4),
        "predictor.0.weight": torch.ones(2),
    }
    file = _save(tmp_path, inner if wrapper is None else {wrapper: inner, "epoch": 3})
    loaded, info = _load(file)
    path = (f"{wrapper}." if wrapper else "") + prefix.removesuffix(".")
    assert info.path == path
    assert (info.partial, info.missing, info.mismatched) == ("", (), ())
    assert all(torch.equal(loaded[key], state[key]) for key in loaded)
    assert _check(file).notes == [f"its weights were found under {path}"]


def test_a_whole_training_is_read_with_its_arguments(tmp_path: Path, state: State) -> None:
    content = {
        "teacher": _behind("module.backbone.", state),
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]},
        "args": argparse.Namespace(lr=0.1),
        "epoch": 7,
    }
    assert _check(_save(tmp_path, content)).path == "teacher.module.backbone"


@pytest.mark.parametrize(
    ("first", "second", "keys"),
    [
        ("teacher.backbone.", "student.backbone.", ("teacher", "student")),
        ("state_dict.", "state_dict_ema.", ("state_dict", "state_dict_ema")),
        ("module.encoder_q.", "module.encoder_k.", ("encoder_q", "encoder_k")),
        ("", "ema.", (None, "ema")),
    ],
)
def test_two_that_fit_equally_are_named_and_one_is_chosen(
    tmp_path: Path,
    state: State,
    other: State,
    first: str,
    second: str,
    keys: tuple[str | None, str],
) -> None:
    file = _save(tmp_path, _behind(first, state) | _behind(second, other))
    with pytest.raises(WeightsError) as refused:
        _load(file)
    assert "holds test_resnet 2 times with different values" in refused.value.given
    for key, values in zip(keys, (state, other), strict=True):
        assert f"weights_key={key or '.'}" in refused.value.allowed
        loaded, info = _load(file, weights_key=key or ".")
        assert torch.equal(loaded["layer4.0.conv1.weight"], values["layer4.0.conv1.weight"])
        assert info.path == (first if values is state else second).removesuffix(".")
    with pytest.raises(WeightsError, match=r"weights_key=momentum: .* has nothing under that key"):
        _load(file, weights_key="momentum")


def test_the_same_values_twice_are_one(tmp_path: Path, state: State) -> None:
    copies = {key: value.clone() for key, value in state.items()}
    assert _check(_save(tmp_path, {"model": state, "best": copies})).path == "best"


def test_a_larger_student_is_no_choice_beside_a_teacher_that_fits(
    tmp_path: Path, state: State
) -> None:
    wider = {k: v.repeat(2, *[1] * (v.ndim - 1)) if v.ndim else v for k, v in state.items()}
    assert _check(_save(tmp_path, {"student": wider, "teacher": state})).path == "teacher"


def test_a_key_that_holds_only_a_part_is_partial(tmp_path: Path, state: State) -> None:
    part = {k: v for k, v in state.items() if "layer4" not in k}
    file = _save(tmp_path, {"student": part, "teacher": state})
    assert _check(file).path == "teacher"
    with pytest.raises(WeightsError, match=r"\(under student\) does not fit"):
        _check(file, key="student")


def test_names_that_timm_converts_are_found_behind_a_prefix(tmp_path: Path) -> None:
    """ConvNeXt's first names (`downsample_layers`, `pwconv1`), as its authors save them."""
    torch.manual_seed(0)
    model = timm.create_model("convnext_atto_ols", num_classes=0)
    old: State = {}
    for key, value in model.state_dict().items():
        name = key.replace("stem.", "downsample_layers.0.").replace("head.norm.", "norm.")
        name = (
            name.replace(".blocks.", ".").replace("conv_dw", "dwconv").replace("mlp.fc", "pwconv")
        )
        for stage in range(4):
            name = name.replace(f"stages.{stage}.downsample.", f"downsample_layers.{stage}.")
        old[f"student.encoder.{name}"] = value
    fit = _check(_save(tmp_path, {"state": old}), "convnext_atto_ols")
    assert (fit.path, fit.partial) == ("state.student.encoder", "")
