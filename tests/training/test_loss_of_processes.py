"""The loss and gradients of a batch are the same whether one process or two have its images."""

import multiprocessing

import pytest
import torch

from frostline.config.recipe import CrossEntropy, FocalLoss
from frostline.training.distributed import weighted
from frostline.training.loss import build_loss, divisor_of

LOGITS = torch.linspace(-2, 2, 21).sin().view(7, 3) * 3
LABELS = torch.tensor([0, 0, 1, 0, 2, 0, 1])
WEIGHTS = torch.tensor([0.3, 1.5, 4.0])
LOSSES = {
    "plain": (CrossEntropy(name="cross_entropy", label_smoothing=0.0, class_weights=0.0), None),
    "weighted": (
        CrossEntropy(name="cross_entropy", label_smoothing=0.1, class_weights=1.0),
        WEIGHTS,
    ),
    "focal": (FocalLoss(name="focal", gamma=2.0, label_smoothing=0.0, class_weights=1.0), WEIGHTS),
}


def part_of(spec, class_weights, rows):
    """Gradients of the logits and the summed loss of one process's rows."""
    logits = LOGITS.clone().requires_grad_()
    targets = LABELS[rows]
    divisor = divisor_of(spec, class_weights)
    loss, total = weighted(
        build_loss(spec, class_weights)(logits[rows], targets),
        len(targets),
        None if divisor is None else lambda: divisor(targets),
    )
    loss.backward()
    return logits.grad, total


def _process(rank, processes, place, name, answers):
    if processes > 1:
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{place}", rank=rank, world_size=processes
        )
    grad, total = part_of(*LOSSES[name], slice(rank, None, processes))
    answers.put((grad.tolist(), float(total)))
    if processes > 1:
        torch.distributed.destroy_process_group()


def answers_of(processes, place, name):
    """What each process computes; forked from one in which nothing has run backwards."""
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    started = [
        context.Process(target=_process, args=(rank, processes, place, name, answers), daemon=True)
        for rank in range(processes)
    ]
    for process in started:
        process.start()
    found = [answers.get(timeout=120) for _ in started]
    for process in started:
        process.join()
    return found


@pytest.mark.parametrize("name", LOSSES)
def test_two_processes_have_the_gradients_of_one(name, tmp_path):
    [(grad, total)] = answers_of(1, tmp_path / "alone", name)
    parts = answers_of(2, tmp_path / "together", name)
    # Processes average their gradients.
    mean = sum(torch.tensor(part) for part, _ in parts) / 2
    torch.testing.assert_close(mean, torch.tensor(grad))
    assert sum(part for _, part in parts) == pytest.approx(total, rel=1e-5)
