"""The store: whole or absent, shared, checked, limited. The faults are real."""

import json
import multiprocessing
import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from frostline.commands.features import main
from frostline.features.feature_entry import Entry, EntryKey, engine_name, key_of_epoch
from frostline.features.feature_store import FeatureStore
from frostline.features.segment_writer import SegmentWriter
from frostline.features.stored_file import (
    DamagedSegmentError,
    OutputForm,
    StoreFailedError,
    open_segment,
)
from frostline.features.stored_outputs import StoredOutputs


def key(name: str = "net") -> EntryKey:
    return EntryKey("data", "geometry", name, "exit layer1", "weights", 64, "cpu", "torch 2.14", 1)


def pairs(n: int, view: int = 0) -> np.ndarray:
    return np.stack([np.arange(n), np.full(n, view)], axis=1)


def put(store: FeatureStore, name: str, n: int = 8, view: int = 0, width: int = 1000) -> Path:
    return put_entry(store.entry(key(name)), n, view, width)


def put_epoch(store: FeatureStore, epoch: int, sweep: str) -> str:
    """An epoch's outputs, of 36 KB; returns the entry's digest."""
    its_key = key_of_epoch(key(), "crop", epoch)
    put_entry(store.entry(its_key, {"sweep": sweep}))
    os.utime(store.entry(its_key).folder / "entry.json", (epoch, epoch))
    return its_key.digest


def put_entry(entry: Entry, n: int = 8, view: int = 0, width: int = 1000) -> Path:
    outputs = torch.arange(n * width, dtype=torch.float32).view(n, width)
    with entry.owned(), entry.writer(pairs(n, view), OutputForm.of(outputs)) as writer:
        writer.append(outputs)
        return writer.commit()


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "features", limit_bytes=10**9)


@pytest.mark.parametrize(
    "outputs",
    [
        torch.randn(6, 5),
        torch.randn(6, 4, 3, 2),
        torch.randn(6, 4, 3, 2).contiguous(memory_format=torch.channels_last),
        torch.randn(6, 7, 3).bfloat16(),
        torch.randn(6, 2, 2, 2).half(),
    ],
    ids=["pooled", "map", "channels_last", "bfloat16 tokens", "half"],
)
def test_outputs_come_back_bit_by_bit_in_type_and_format(
    outputs: torch.Tensor, tmp_path: Path
) -> None:
    with SegmentWriter(tmp_path, pairs(6), OutputForm.of(outputs)) as writer:
        writer.append(outputs[:4])
        writer.append(outputs[4:])
        path = writer.commit()
    back = StoredOutputs([open_segment(path)]).take(np.array([3, 0, 5, 3]), np.zeros(4, int))
    assert back.dtype == outputs.dtype
    assert torch.equal(back, outputs[[3, 0, 5, 3]])
    last = torch.channels_last
    if outputs.dim() == 4:
        assert back.is_contiguous(memory_format=last) == outputs.is_contiguous(memory_format=last)


def test_several_segments_read_as_one_in_memory_and_mapped(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "net", view=0)
    put(store, "net", view=1)
    rows, views = np.array([1, 7, 1, 0]), np.array([1, 0, 0, 1])
    segments = store.entry(key()).segments()
    in_memory = StoredOutputs(segments).take(rows, views)
    monkeypatch.setattr("frostline.features.stored_outputs.MAX_IN_MEMORY_BYTES", 0)
    mapped = StoredOutputs(segments).take(rows, views)
    assert torch.equal(in_memory, mapped)
    assert mapped[:, 0].tolist() == [1000.0, 7000.0, 1000.0, 0.0]
    with pytest.raises(KeyError):
        StoredOutputs(segments).take(np.array([8]), np.array([0]))


@pytest.mark.parametrize("where", ["head", "data", "foot", "cut short", "empty", "grown"])
def test_damage_is_detected_and_the_rest_stays(store: FeatureStore, where: str) -> None:
    damaged, whole = put(store, "net", view=0), put(store, "net", view=1)
    content = bytearray(damaged.read_bytes())
    place = {"head": 30, "data": 4096 + 777, "foot": len(content) - 40}.get(where)
    if place is not None:
        content[place] ^= 1
    content = {
        "cut short": content[: len(content) // 2],
        "empty": bytearray(),
        "grown": content + b"more",
    }.get(where, content)
    damaged.write_bytes(content)
    with pytest.raises(DamagedSegmentError):
        open_segment(damaged)
    assert [segment.path for segment in store.entry(key()).segments()] == [whole]
    assert not damaged.exists()


def test_nothing_half_written_is_visible(store: FeatureStore) -> None:
    entry = store.entry(key())
    outputs = torch.zeros(8, 10)
    with (
        pytest.raises(RuntimeError),
        entry.owned(),
        entry.writer(pairs(8), OutputForm.of(outputs)) as writer,
    ):
        writer.append(outputs[:4])
        raise RuntimeError("the prefix failed")
    assert entry.segments() == []
    assert sorted(path.name for path in entry.folder.iterdir()) == ["entry.json", "owner.lock"]


def _die_while_writing(folder: Path, ready: object) -> None:
    entry = FeatureStore(folder, 10**9).entry(key())
    outputs = torch.zeros(8, 10)
    with entry.owned(), entry.writer(pairs(8), OutputForm.of(outputs)) as writer:
        writer.append(outputs[:4])
        ready.set()  # type: ignore[attr-defined]
        time.sleep(60)


def test_a_killed_owner_frees_the_entry_and_leaves_no_file(
    store: FeatureStore,
) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=_die_while_writing, args=(store.folder, ready))
    process.start()
    assert ready.wait(30)
    entry = store.entry(key())
    assert len(list(entry.folder.glob("*.tmp"))) == 1
    assert entry.segments() == []
    assert store.clear() == [], "an entry that is being added to is left alone"
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    put(store, "net")
    assert list(entry.folder.glob("*.tmp")) == []
    assert len(entry.segments()) == 1


def _add_if_missing(folder: Path, start: object, results: object) -> None:
    entry = FeatureStore(folder, 10**9).entry(key())
    start.wait()  # type: ignore[attr-defined]
    made = 0
    with entry.owned():
        if not entry.segments():
            time.sleep(0.1)
            outputs = torch.ones(8, 10)
            with entry.writer(pairs(8), OutputForm.of(outputs)) as writer:
                writer.append(outputs)
                writer.commit()
            made = 1
    results.put((made, len(entry.segments())))  # type: ignore[attr-defined]


def test_many_processes_make_an_entry_once(store: FeatureStore) -> None:
    context = multiprocessing.get_context("fork")
    start, results = context.Event(), context.Queue()
    processes = [
        context.Process(target=_add_if_missing, args=(store.folder, start, results))
        for _ in range(4)
    ]
    for process in processes:
        process.start()
    start.set()
    answers = [results.get(timeout=30) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(answers) == [(0, 1), (0, 1), (0, 1), (1, 1)]


def _write_with_little_room(folder: Path, results: object) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    try:
        put(FeatureStore(folder, 10**9), "net", n=100)
    except StoreFailedError as failure:
        results.put(str(failure))  # type: ignore[attr-defined]
    else:
        results.put("written")  # type: ignore[attr-defined]


def test_a_full_disk_is_reported_and_leaves_nothing(store: FeatureStore) -> None:
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    process = context.Process(target=_write_with_little_room, args=(store.folder, results))
    process.start()
    assert "too large" in results.get(timeout=30)
    process.join()
    files = [path.name for path in store.entry(key()).folder.iterdir()]
    assert sorted(files) == ["entry.json", "owner.lock"]


def test_least_recently_used_goes_first(store: FeatureStore) -> None:
    for place, name in enumerate(["old", "used", "new"]):
        put(store, name)
        os.utime(store.entry(key(name)).folder / "entry.json", (place, place))
    held = store.entry(key("old")).segments()  # reading marks it as used
    small = FeatureStore(store.folder, limit_bytes=115_000)
    assert small.make_room(40_000, keep=key("new")) == [key("used").digest]
    left = {entry.digest for entry in store.list_entries()}
    assert left == {key("old").digest, key("new").digest}
    small.make_room(90_000, keep=key("new"))
    # What a job has opened stays readable after the entry has gone.
    assert StoredOutputs(held).take(np.array([7]), np.array([0]))[0, 0] == 7000.0
    assert store.entry(key("old")).segments() == []


def test_epochs_of_other_sweeps_go_first(store: FeatureStore) -> None:
    put(store, "old")
    os.utime(store.entry(key("old")).folder / "entry.json", (1, 1))
    other, own = put_epoch(store, 7, "other"), put_epoch(store, 8, "own")
    small = FeatureStore(store.folder, limit_bytes=115_000)
    assert small.make_room(20_000, keep=key_of_epoch(key(), "crop", 8)) == [other]
    assert small.make_room(60_000, keep=key_of_epoch(key(), "crop", 8)) == [key("old").digest]
    assert [entry.digest for entry in small.list_entries()] == [own]


def test_an_ended_sweep_leaves_its_newest_epochs_and_those_of_others(store: FeatureStore) -> None:
    put(store, "views")
    put_epoch(store, 0, "another")
    oldest, newer, newest = (put_epoch(store, epoch, "ended") for epoch in (1, 2, 3))
    assert set(store.end_sweep("ended", keep_bytes=100_000)) == {oldest}
    assert {newer, newest} < {entry.digest for entry in store.list_entries()}
    assert set(store.end_sweep("ended", keep_bytes=0)) == {newer, newest}
    assert len(store.list_entries()) == 2


def test_command_lists_verifies_and_clears(
    store: FeatureStore, capsys: pytest.CaptureFixture[str]
) -> None:
    path = put(store, "net")
    place = ["--store", str(store.folder)]
    assert main([*place, "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["entries"]
    assert entry["outputs"] == 8
    assert entry["size_bytes"] == path.stat().st_size
    assert entry["about"]["backbone"] == "net"
    assert main(["verify", *place]) == 0
    assert "1 of 1 entries are undamaged" in capsys.readouterr().out
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    assert main(["verify", *place, "--json"]) == 1
    assert list(json.loads(capsys.readouterr().out)["damaged"]) == [entry["digest"]]
    assert main(["clear", *place]) == 0
    assert "1 entries removed" in capsys.readouterr().out
    assert main([*place]) == 0
    assert "0 entries" in capsys.readouterr().out


def about_of(store: FeatureStore, name: str = "net") -> Path:
    return store.entry(key(name)).folder / "entry.json"


@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "of another kind"])
def test_half_an_entry_is_none_and_is_made_again(
    store: FeatureStore, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(store, "net", n=8)
    about = about_of(store)
    if damage == "gone":
        about.unlink()
    else:
        about.write_text({"empty": "", "cut": about.read_text()[:30]}.get(damage, "[1]"))
    assert store.entry(key()).segments() == []
    assert store.list_entries() == []
    assert main(["list", "--store", str(store.folder)]) == 0
    assert "1 half removed" in capsys.readouterr().out
    put(store, "net", n=5)
    (segment,) = store.entry(key()).segments()
    assert len(segment.pairs) == 5, "what was left of the removed entry is gone"
    assert store.remains() == {}


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_clear_takes_what_is_left_of_removed_entries(store: FeatureStore, damage: str) -> None:
    put(store, "net")
    put(store, "other")
    (store.folder / ".removed.net.123").mkdir()
    (store.folder / ".removed.net.123" / "0.outputs").write_bytes(b"123")
    about_of(store).write_text("{") if damage == "cut" else about_of(store).unlink()
    assert len(store.remains()) == 2
    assert len(store.clear()) == 3
    assert [path.name for path in store.folder.iterdir() if path.is_dir()] == []


def test_removal_that_is_killed_half_way_leaves_no_half_entry(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "net")

    def killed(path: Path, **_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            store.clear()
    assert not store.entry(key()).folder.exists()
    (name,) = store.remains()
    assert name.startswith(".removed.")
    put(store, "net", n=3)
    (segment,) = store.entry(key()).segments()
    assert len(segment.pairs) == 3
    store.make_room(1, key())
    assert store.remains() == {}


def wait_and_add(folder: Path) -> None:
    put(FeatureStore(folder, 10**9), "net", n=4)


def test_a_process_that_waits_for_a_removed_entry_makes_it_anew(store: FeatureStore) -> None:
    entry = store.entry(key())
    waiter = multiprocessing.get_context("fork").Process(target=wait_and_add, args=(store.folder,))
    with entry.owned():
        waiter.start()
        time.sleep(0.3)
        entry.folder.rename(store.folder / ".removed.net.1")
    waiter.join(30)
    assert waiter.exitcode == 0
    (segment,) = store.entry(key()).segments()
    assert len(segment.pairs) == 4


def test_stored_features_of_a_card_know_how_they_were_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The card's name is faked; its modes are flags of PyTorch's that need no card."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Fake Card")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91900)
    names = set()
    enabled = torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        for mode in ((False, False), (True, True), (True, False)):
            torch.use_deterministic_algorithms(mode[0], warn_only=mode[1])
            for tf32 in (False, True):
                monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", tf32)
                names.add(engine_name("cuda", "32-true"))
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warned)
    assert len(names) == 6
    assert all("Fake Card" in name and "cudnn 91900" in name for name in names)
