"""A batch that does not fit is halved, and ten jobs in one process leave nothing behind."""

from benchmarks.gpu.checks import Checks
from benchmarks.gpu.jobs_here import Place, do_job, net_of

_MIB = 2**20
_GROWN_MIB = 1  # of memory on the card that a second round of jobs may add
_GROWN_RESIDENT_MIB = 200
_OOM_NET, _OOM_PX, _OOM_BATCH = "resnet18", 160, 256


def part_oom(found: Checks) -> None:
    """`on_oom=shrink`, with a limit between what half and the whole batch need (CUDA alone)."""
    if found.device != "cuda":
        found.figure("left out", "a CPU has no limit that could be set for one job")
        return
    import torch

    from frostline.sweeps.failures import free_memory

    with found.tried("a batch that does not fit is halved"):
        half, whole = (_reserved_bytes(batch) for batch in (_OOM_BATCH // 2, _OOM_BATCH))
        limit = (half + whole) / 2
        found.figure("reserved_mib", {"half": half // _MIB, "whole": whole // _MIB})
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(limit / total)
        try:
            job = do_job(
                found, Place.fresh(found, "oom"), f"backbone={_OOM_NET}", f"image_size={_OOM_PX}",
                f"batch_size={_OOM_BATCH}", "freeze=0", "on_oom=shrink", "epochs=1",
                "trainer.precision=bf16-mixed",
            )  # fmt: skip
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        said = job.tags.get("frostline.on_oom", "")
        del job
        free_memory()
        left_mib = torch.cuda.memory_allocated() / _MIB
        found.check(
            "a batch that does not fit is halved", bool(said) and left_mib < 64,
            said=said, left_mib=round(left_mib, 1),
        )  # fmt: skip


def _reserved_bytes(batch: int) -> int:
    """What one training step takes at most."""
    import timm
    import torch

    from frostline.sweeps.failures import free_memory

    model = timm.create_model(_OOM_NET, num_classes=20).cuda().train()
    images = torch.randn(batch, 3, _OOM_PX, _OOM_PX, device="cuda")
    torch.cuda.reset_peak_memory_stats()
    with torch.autocast("cuda", dtype=torch.bfloat16):
        loss = model(images.contiguous(memory_format=torch.channels_last)).float().square().mean()
    torch.autograd.backward(loss)
    peak: int = torch.cuda.max_memory_reserved()
    del model, images, loss
    free_memory()
    return peak


def part_leak(found: Checks) -> None:
    """Ten jobs in one process; the second five must not take more than the first."""
    import psutil
    import torch

    from frostline.sweeps.failures import free_memory

    rows = []
    with found.tried("ten jobs leave nothing"):
        place = Place.fresh(found, "leak")
        for number, freeze in enumerate(["0", "2", "4", "all", "0"] * 2):
            words = [f"backbone={net_of(found)}", f"freeze={freeze}", "epochs=1"]
            job = do_job(found, place, *words, f"lr={1e-3 + 1e-5 * number}")
            seconds = round(job.seconds, 2)
            del job
            free_memory()
            on_card = torch.cuda.memory_allocated() / _MIB if found.device == "cuda" else 0.0
            resident = psutil.Process().memory_info().rss / _MIB
            rows.append((freeze, seconds, round(on_card, 2), round(resident)))
        found.figure("freeze, seconds, MiB on the card, resident MiB", rows)
        # The first round pays for what stays: kernels, workspaces, caches of the libraries.
        grown = rows[-1][2] - rows[4][2]
        found.check(
            "ten jobs leave nothing",
            grown < _GROWN_MIB and rows[-1][3] - rows[4][3] < _GROWN_RESIDENT_MIB,
            grown_mib=grown, grown_resident_mib=rows[-1][3] - rows[4][3],
        )  # fmt: skip
