"""The least time that a sweep could take here, from measured forward and backward passes.

Per image and epoch: forward and backward of what trains, one forward for validation; the frozen
modules once over all images for each backbone, since deeper depths go on from shallower ones, and
with random augmentation once an epoch over those of training. The optimiser's steps and reading
stored inputs count as nothing.
"""

import time
from collections.abc import Callable

import torch
from torch import nn

from benchmarks.jobs import Place, Workload, open_table
from benchmarks.plain import Givens, divided, key_of, load
from frostline.training.engine import prepare_process
from frostline.training.head import build_head

_REPEATS = 4


def bound_s(work: Workload, place: Place, givens: Givens) -> float:
    """Seconds for the whole sweep, each part in the fastest layout and allowed precision."""
    prepare_process(place.threads)
    table, splits = open_table(place)
    n_train, n_val, n_test = (len(rows) for rows in splits.named().values())
    judged = work.epochs * n_val + n_val + n_test
    images = torch.randn(work.batch_size, 3, work.image_size, work.image_size, device=place.device)
    trained_s: dict[tuple[str, str], float] = {}
    frozen: dict[tuple[str, int | None], float] = {}
    for job in work.jobs:
        given = givens[key_of(job)]
        cell = (job.backbone, job.freeze)
        frozen.setdefault(key_of(job), 0.0)
        if cell in trained_s:
            continue
        head = build_head(
            given.features, len(table.classes), hidden=None, dropout=0.0, batch_norm=False, seed=0
        )
        prefix, suffix = divided(load(given).to(place.device).eval(), given.frozen[job.freeze])
        with torch.no_grad():
            handed = prefix(images)
        trained = nn.Sequential(suffix, head.to(place.device))
        forward_s = _forward_s(trained, handed, work, place) / work.batch_size
        step_s = _training_s(trained, handed, work, place) / work.batch_size
        trained_s[cell] = work.epochs * n_train * step_s + judged * forward_s
        if len(prefix):
            spent = _forward_s(prefix, images, work, place) / work.batch_size
            frozen[key_of(job)] = max(spent, frozen[key_of(job)])
    for key in frozen:  # other seeds of the same backbone were not measured again
        frozen[key] = max(value for other, value in frozen.items() if other[0] == key[0])
    # Of random crops no two epochs see the same.
    passes = n_train * (1 if work.augment == "none" else work.epochs)
    suffixes_s = sum(trained_s[job.backbone, job.freeze] for job in work.jobs)
    return suffixes_s + sum(frozen.values()) * (passes + n_val + n_test)


def _forward_s(module: nn.Module, inputs: torch.Tensor, work: Workload, place: Place) -> float:
    module.eval()

    def once(inputs: torch.Tensor) -> None:
        with torch.inference_mode():
            module(inputs)

    return _fastest_s(once, module, inputs, work, place)


def _training_s(module: nn.Module, inputs: torch.Tensor, work: Workload, place: Place) -> float:
    module.train()

    def once(inputs: torch.Tensor) -> None:
        torch.autograd.backward(module(inputs).float().square().mean())
        module.zero_grad(set_to_none=True)

    return _fastest_s(once, module, inputs, work, place)


def _fastest_s(
    once: Callable[[torch.Tensor], None],
    module: nn.Module,
    inputs: torch.Tensor,
    work: Workload,
    place: Place,
) -> float:
    """Seconds for a batch, the least over repeats, layouts and allowed precisions."""
    best = float("inf")
    for layout in (torch.contiguous_format, torch.channels_last):
        if inputs.dim() == 4:
            inputs = inputs.contiguous(memory_format=layout)
            module.to(memory_format=layout)
        for half in (False, True) if work.allows_bf16 else (False,):
            with torch.autocast(place.device, torch.bfloat16, enabled=half):
                for _ in range(_REPEATS):
                    begun = time.perf_counter()
                    once(inputs)
                    if place.device == "cuda":
                        torch.cuda.synchronize()
                    best = min(best, time.perf_counter() - begun)
    return best
