"""The MLflow model: no pickle, registered, and served for real."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch

from frostline.commands import export
from frostline.inference.formats.write_export import export_run, sample_of
from frostline.inference.rebuild import rebuild_run
from frostline.tracking.store import open_store
from tests.inference.tiny_run import draw_ramps, save_untrained, train_tiny


@pytest.mark.slow
def test_served_over_http_it_agrees_with_pytorch(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    draw_ramps(tmp_path / "photos", per_class=2)
    checkpoint = save_untrained(tmp_path)
    rebuilt = rebuild_run(lambda: None, str(checkpoint))  # type: ignore[arg-type, return-value]
    sample = sample_of(rebuilt, [str(tmp_path / "photos")])
    folder = tmp_path / "model"
    export_run(rebuilt, "mlflow", folder, sample, None)
    kinds = {file.suffix for file in folder.rglob("*") if file.is_file()}
    assert not kinds & {".pkl", ".pickle", ".pt", ".pth"}
    # For people; the server runs the ONNX file, and MLmodel names no code.
    assert [file.name for file in folder.rglob("*.py")] == ["predict.py"]
    assert "loader_module: mlflow.onnx" in (folder / "MLmodel").read_text()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": "",
    }
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder)]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "-p", str(port)]
    # Elsewhere, so that nothing of ours could be imported.
    server = subprocess.Popen(
        command, cwd="/", env=environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", server)
        body = json.dumps({"inputs": {"images": sample.squares.tolist()}}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.loads(response.read())
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
    logits = np.array(answer["predictions"]["logits"])
    assert np.abs(logits - sample.logits).max() <= 1e-3
    probabilities = np.array(answer["predictions"]["probabilities"])
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def wait_for(address: str, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(360):
        assert server.poll() is None, (server.stdout.read() if server.stdout else b"").decode()
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError("the server did not come up")


@pytest.mark.slow
def test_registered_it_is_loaded_by_its_name(
    tmp_path: Path,
    empty_store_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))
    shutil.copyfile(empty_store_file, tmp_path / "mlflow.db")
    draw_ramps(tmp_path / "photos")
    run_id = train_tiny(tmp_path, "data.path=photos", "epochs=1")
    export.main([run_id, "--format", "mlflow", "--register", "ramps"])
    assert "registered: models:/ramps/1" in capsys.readouterr().out
    import mlflow

    uri = open_store(None, "photos", folder=tmp_path).address.shown
    mlflow.set_tracking_uri(uri)
    model = mlflow.pyfunc.load_model("models:/ramps/1")
    example = np.zeros((2, 3, 64, 64), np.uint8)
    output = model.predict({"images": example})
    rebuilt = rebuild_run(lambda: open_store(None, "photos", folder=tmp_path), run_id)
    expected = rebuilt.network(rebuilt.preprocess.normalise(torch.from_numpy(example)))
    assert np.allclose(output["logits"], expected.numpy(), atol=1e-3)
    assert model.metadata.metadata["classes"] == ["falling", "level", "rising"]
