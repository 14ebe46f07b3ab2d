"""Freed memory is kept: counted in page faults, which do not depend on how busy a machine is."""

import subprocess
import sys

import pytest

BLOCK = 64 * 2**20
PAGES = BLOCK // 4096
TIMES = 10
PROGRAM = f"""
import resource
from frostline.training.allocator import keep_freed_memory

assert {{keeps}} is False or keep_freed_memory()
bytearray({BLOCK})[::4096] = bytes({PAGES})
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({TIMES}):
    block = bytearray({BLOCK})
    block[::4096] = bytes({PAGES})
    del block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*, keeps: bool) -> int:
    program = PROGRAM.replace("{keeps}", str(keeps))
    return int(subprocess.check_output([sys.executable, "-c", program]))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_a_block_that_was_freed_is_taken_again_without_asking_the_system() -> None:
    assert faults(keeps=False) > TIMES * PAGES / 2
    assert faults(keeps=True) < PAGES
