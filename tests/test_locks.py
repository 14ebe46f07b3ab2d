import fcntl
import multiprocessing
import os
import signal
import time

from frostline.locks import OwnerLock, is_free, read_owner

FORK = multiprocessing.get_context("fork")


def _hold(path, ready):
    lock = OwnerLock(path)
    assert lock.try_acquire("run7")
    ready.set()
    time.sleep(60)


def _start_holder(path):
    ready = FORK.Event()
    process = FORK.Process(target=_hold, args=(path, ready), daemon=True)
    process.start()
    assert ready.wait(20)
    return process


def test_one_owner_and_who_it_is(tmp_path):
    path = tmp_path / "deep" / "a.lock"
    holder = _start_holder(path)
    mine = OwnerLock(path)
    assert not mine.try_acquire()
    assert not is_free(path)
    owner = read_owner(path)
    assert (owner.pid, owner.run_id) == (holder.pid, "run7")
    assert f"process {holder.pid} on " in str(owner)
    holder.kill()
    holder.join()


def test_sigkill_frees_the_lock_and_the_file_still_names_the_dead_owner(tmp_path):
    path = tmp_path / "a.lock"
    holder = _start_holder(path)
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert is_free(path)
    assert read_owner(path).pid == holder.pid
    mine = OwnerLock(path)
    assert mine.try_acquire()
    assert read_owner(path).pid == os.getpid()


def test_a_forked_child_does_not_keep_its_dead_parents_lock(tmp_path):
    path = tmp_path / "a.lock"
    lock = OwnerLock(path)
    assert lock.try_acquire()
    child = FORK.Process(target=time.sleep, args=(60,), daemon=True)
    child.start()
    time.sleep(0.2)
    lock.release(remove=False)
    assert is_free(path)
    child.kill()
    child.join()


def test_waiting_ends_when_the_owner_dies(tmp_path):
    path = tmp_path / "a.lock"
    holder = _start_holder(path)
    waited_for = []
    mine = OwnerLock(path)
    assert not mine.acquire(wait_s=0.5, on_wait=waited_for.append)
    assert [owner.pid for owner in waited_for] == [holder.pid]
    holder.kill()
    assert mine.acquire(wait_s=30)
    holder.join()


def test_release_removes_the_file_and_the_name_is_free_again(tmp_path):
    path = tmp_path / "a.lock"
    with OwnerLock(path) as lock:
        assert lock.try_acquire()
        assert path.exists()
    assert not path.exists()
    assert OwnerLock(path).try_acquire()


def _count_up(path, counter, rounds):
    for _ in range(rounds):
        lock = OwnerLock(path)
        assert lock.acquire(wait_s=60)
        value = int(counter.read_text())
        counter.write_text(str(value + 1))
        lock.release()


def test_removal_on_release_never_lets_two_in(tmp_path):
    counter = tmp_path / "n"
    counter.write_text("0")
    workers = [
        FORK.Process(target=_count_up, args=(tmp_path / "a.lock", counter, 25)) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert counter.read_text() == "75"


def test_locking_a_file_that_was_removed_meanwhile_is_no_ownership(tmp_path, monkeypatch):
    path = tmp_path / "a.lock"
    flock = fcntl.flock
    removed = []

    def removed_just_before(descriptor, flags):
        if not removed:
            removed.append(True)
            path.unlink()
        flock(descriptor, flags)

    monkeypatch.setattr(fcntl, "flock", removed_just_before)
    mine = OwnerLock(path)
    assert mine.try_acquire()
    assert path.exists()
    assert not is_free(path)
