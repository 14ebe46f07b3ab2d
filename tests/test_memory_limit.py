"""A library that `ulimit -v` keeps out is answered by the limit, not by the loader's words."""

import resource
import subprocess
import sys

import pytest

from frostline.memory_limit import memory_limit_error
from tests.integration.conftest import ROOT

LOADER = ImportError("libtorch_cpu.so: failed to map segment from shared object")


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


@pytest.mark.parametrize(
    ("limit", "error"),
    [
        (resource.RLIM_INFINITY, LOADER),
        (2 * 10**9, ImportError("No module named 'timm'")),
        (2 * 10**9, MemoryError("a batch of images")),
    ],
)
def test_other_errors_stay_what_they_are(
    limit: int, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert memory_limit_error(raised(error)) is None


def test_the_limit_and_what_is_needed_are_named() -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2 * 10**9, 2 * 10**9))

    ended = subprocess.run(
        [sys.executable, "-m", "src.backbones", "resnet18"],
        cwd=ROOT,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert "limited to 2.0 GB (ulimit -v)" in ended.stderr
    assert "about 5 GB and more" in ended.stderr
    assert "Traceback" not in ended.stderr
