"""Temporary folders: removed at the end, and after a kill by whoever makes the next one."""

import multiprocessing
import os
import signal
import time

import pytest

from frostline.scratch import ScratchFolder

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def _hold(ready, within=None):
    with ScratchFolder("held", within) as folder:
        (folder / "content").write_text("x")
        ready.set()
        time.sleep(60)


def test_a_killed_process_leaves_no_folder_for_ever(temporary):
    ready = FORK.Event()
    holder = FORK.Process(target=_hold, args=(ready,), daemon=True)
    holder.start()
    assert ready.wait(20)
    (held,) = temporary.iterdir()
    with ScratchFolder("other"):
        assert (held / "content").read_text() == "x", "its owner is alive"
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert held.is_dir()
    with ScratchFolder("next") as mine:
        assert list(temporary.iterdir()) == [mine]
    assert not list(temporary.iterdir())


def test_one_on_another_disk_goes_with_the_next_one_there(temporary, tmp_path_factory):
    place = tmp_path_factory.mktemp("exports")
    ready = FORK.Event()
    holder = FORK.Process(target=_hold, args=(ready, place), daemon=True)
    holder.start()
    assert ready.wait(20)
    holder.kill()
    holder.join()
    (held,) = place.iterdir()
    assert held.name.startswith(".held-")
    with ScratchFolder("other", place), ScratchFolder("held"):
        assert held.is_dir(), "another command's, and another place's"
    with ScratchFolder("held", place) as mine:
        assert list(place.iterdir()) == [mine]


def test_what_others_put_there_stays(temporary):
    (temporary / "frostline-mine").mkdir()
    (temporary / "frostline-file").write_text("x")
    (temporary / "elsewhere").mkdir()
    (temporary / "elsewhere" / ".owner").write_text("x")
    (temporary / "frostline-link").symlink_to(temporary / "elsewhere")
    with ScratchFolder("next"):
        pass
    assert len(list(temporary.iterdir())) == 4


def test_a_forked_child_that_ends_leaves_the_folder_to_its_parent(temporary):
    folder = ScratchFolder("parent")
    child = FORK.Process(target=folder.__exit__)
    child.start()
    child.join()
    assert folder.path.is_dir()
    del folder
    assert not list(temporary.iterdir())
