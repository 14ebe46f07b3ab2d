"""Which code a `_target_` is, and what its digest sees."""

from pathlib import Path

import pytest

from frostline.errors import ConfigError
from frostline.plugins import folders
from frostline.plugins.source_code import code_digest, files_of, imported_by, source_of


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(folders.VARIABLE, raising=False)
    (tmp_path / "conf").mkdir()
    return tmp_path / "conf"


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        place = folder.joinpath(*name.split("__")).with_suffix(".py")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def test_a_target_is_looked_for_in_conf_then_beside_it_then_among_what_is_installed(conf):
    write(conf.parent, mine="class A: ...", both="x = 1")
    write(conf, both="x = 2", pack__inner="class B: ...")
    assert source_of("mine.A").file == conf.parent / "mine.py"
    assert source_of("both.x").file == conf / "both.py"
    found = source_of("pack.inner.B.method")
    assert (found.module, found.file, found.is_own) == ("pack.inner", conf / "pack/inner.py", True)
    torch = source_of("torch.optim.RMSprop")
    assert (torch.module, torch.is_own) == ("torch.optim", False)


@pytest.mark.parametrize("target", ["nowhere.Thing", "Thing", "json.nothing.x.y"])
def test_a_target_without_a_module_is_an_error_that_says_where_was_looked(conf, target):
    if target.startswith("json"):
        assert source_of(target).module == "json"
        return
    with pytest.raises(ConfigError, match=r"there is no module") as caught:
        source_of(target)
    assert str(conf) in str(caught.value)


@pytest.mark.parametrize(
    ("edited", "changes"),
    [("noise", True), ("helper", True), ("deep__below", True), ("unrelated", False)],
)
def test_the_digest_sees_the_file_and_what_it_imports_however_far(conf, edited, changes):
    write(
        conf,
        noise="import torch\nfrom helper import f\nclass Noise: ...",
        helper="from deep import below\ndef f(): ...",
        deep__below="y = 1",
        unrelated="z = 1",
    )
    before = code_digest(["noise.Noise"])
    assert code_digest(["noise.Noise"]) == before
    write(conf, **{edited: "import torch\nfrom helper import f\nfrom deep import below\nnew = 1"})
    assert (code_digest(["noise.Noise"]) != before) is changes


def test_the_digest_tells_classes_of_one_file_apart_and_skips_counted_libraries(conf):
    write(conf, noise="class A: ...\nclass B: ...")
    assert code_digest(["noise.A"]) != code_digest(["noise.B"])
    assert set(files_of(source_of("noise.A"))) == {"noise"}
    # One file, in spite of the hundreds that torch has: its version is in every digest.
    assert len(code_digest(["torch.optim.RMSprop"])) == 16


@pytest.mark.parametrize(
    ("text", "module", "is_package", "names"),
    [
        ("import a.b, c", "m", False, {"a.b", "c"}),
        ("from . import x", "p.m", False, {"p", "p.x"}),
        ("from .y import z", "p", True, {"p.y", "p.y.z"}),
        ("from ..q import r", "p.s.m", False, {"p.q", "p.q.r"}),
        ("if True:\n  def f():\n    import inner", "m", False, {"inner"}),
        ("this is no python", "m", False, set()),
    ],
)
def test_imports_are_read_without_running_them(text, module, is_package, names):
    assert set(imported_by(text, module, is_package=is_package)) == names


def test_frostlines_own_conf_is_no_users_folder(conf, monkeypatch):
    assert folders.conf_folders() == [conf]
    root = Path(__file__).resolve().parents[2]
    monkeypatch.chdir(root)
    assert folders.conf_folders() == []
    folders.remember([conf, root / "conf", conf / "missing"])
    assert folders.conf_folders() == [conf]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["-m", "--config-dir", "a", "lr=1"], ["a"]),
        (["--config-dir=b"], ["b"]),
        (["-cd", "c"], ["c"]),
        (["--config-dir"], []),
    ],
)
def test_config_dir_is_read_from_the_command_line(words, found):
    assert folders.config_folders(words) == found


def test_a_folder_named_like_the_key_is_refused(conf):
    (conf / "backbone").mkdir()
    (conf / "backbone" / "net.yaml").write_text("_target_: net.net")
    with pytest.raises(ConfigError, match="name the folder backbones/"):
        folders.check_conf_folders()
