"""The facts about a backbone that need no weights, as data and as text."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from frostline.backbones.backbone import Backbone
from frostline.backbones.build import Outline, outline
from frostline.backbones.packaged_weights import find_packaged
from frostline.backbones.spec import Stage, WeightsInfo
from frostline.backbones.split.stage_cuts import check_stage_cuts
from frostline.backbones.weights_hub import find_cached, has_pretrained
from frostline.config.freeze_value import MIDDLE, depth_of
from frostline.config.image_size import Sides
from frostline.errors import BackboneError

_WIDTH = 96
_MODULES_WIDTH = 26


def origin_of_weights(name: str) -> str:
    """Return where pretrained weights would come from, without using the network."""
    packaged = find_packaged(name)
    if packaged is not None:
        return f"packaged ({packaged.where})"
    if not has_pretrained(name):
        return "none"
    cached = find_cached(name)
    return f"cache ({cached.where})" if cached is not None else "hub"


def describe(name: str, image_size: Sides | None) -> dict[str, Any]:
    """Return the facts about one backbone.

    Args:
        name: A backbone's name.
        image_size: Side of the input in pixels, or height and width; None for the weights' own.

    Returns:
        Name, image size, parameters, FLOPs, where weights would come from, and its stages, each
        with the share of parameters and FLOPs up to its end, and whether there is a cut there.

    Raises:
        BackboneError: The name is unknown, or the model cannot be divided.
    """
    outlined = outline(name, image_size)
    problems = check_stage_cuts(_as_backbone(name, outlined))
    facts = _summary(name, outlined)
    facts["stages"] = list(_stage_facts(outlined.stages, problems))
    return facts


def _as_backbone(name: str, outlined: Outline) -> Backbone:
    no_weights = WeightsInfo("random", "none: an outline", "")
    model, spec, timeline, stages = outlined
    return Backbone(name, model, spec, timeline, stages, no_weights)


def _summary(name: str, outlined: Outline) -> dict[str, Any]:
    return {
        "name": name,
        "image_size_px": outlined.input.size_label,
        "fixed_size": outlined.input.fixed_size,
        "params": sum(stage.params for stage in outlined.stages),
        "forward_flops": outlined.timeline.total_flops,
        "num_stages": len(outlined.stages),
        "weights": origin_of_weights(name),
    }


def _stage_facts(stages: Sequence[Stage], cut_problems: Sequence[str]) -> Iterator[dict[str, Any]]:
    params = sum(stage.params for stage in stages) or 1
    flops = sum(stage.flops for stage in stages) or 1
    frozen_params = frozen_flops = 0
    for stage, problem in zip(stages, cut_problems, strict=True):
        frozen_params += stage.params
        frozen_flops += stage.flops
        yield {
            "stage": stage.number,
            "modules": list(stage.modules),
            "params": stage.params,
            "frozen_params_frac": frozen_params / params,
            "frozen_flops_frac": frozen_flops / flops,
            "out_shape": list(stage.out_shape),
            "can_be_cut": not problem,
            "why_not": problem,
        }


def describe_many(names: Iterable[str], image_size: Sides | None) -> Iterator[dict[str, Any]]:
    """Yield a summary of each backbone, or its name and the reason why there is none."""
    for name in names:
        try:
            outlined = outline(name, image_size)
        except BackboneError as error:
            yield {"name": name, "error": error.given.splitlines()[0]}
            continue
        shares = list(_stage_facts(outlined.stages, [""] * len(outlined.stages)))
        yield {
            **_summary(name, outlined),
            "frozen_params_frac": [stage["frozen_params_frac"] for stage in shares],
        }


def _count(value: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f}"


def short_list(names: Sequence[str], width: int) -> str:
    """Join module paths within a width; blocks.0, blocks.1, blocks.2 become `blocks.0-2`."""
    runs: list[list[str]] = []
    for name in names:
        parent, _, last = name.rpartition(".")
        same_list = runs and runs[-1][0].rpartition(".")[0] == parent
        if last.isdigit() and same_list and runs[-1][-1].rpartition(".")[2].isdigit():
            runs[-1].append(name)
        else:
            runs.append([name])
    text = ", ".join(
        run[0] if len(run) == 1 else f"{run[0]}-{run[-1].rpartition('.')[2]}" for run in runs
    )
    return text if len(text) <= width else text[: width - 3].rstrip(", ") + "..."


def page(facts: dict[str, Any]) -> str:
    """Format the facts about one backbone for a terminal of 96 columns."""
    size = facts["image_size_px"]
    fixed = " (fixed)" if facts["fixed_size"] else ""
    head = (
        f"{facts['name']}: {_count(facts['params'])} parameters ({facts['params']:,}), "
        f"{_count(facts['forward_flops'])}FLOPs an image of {size} px{fixed}\n"
        f"pretrained weights: {facts['weights']}\n"
    )
    lines = [
        head,
        f"{'freeze':>6}  {'stage adds':<{_MODULES_WIDTH}}  {'parameters':>12}  "
        f"{'frozen':>7}  {'FLOPs':>6}  {'output':<14}  cut",
        f"{'0':>6}  {'(all trains)':<{_MODULES_WIDTH}}  {'':>12}  {0:>7.2%}  {0:>6.1%}",
    ]
    for stage in facts["stages"]:
        shape = "x".join(str(axis) for axis in stage["out_shape"])
        modules = short_list(stage["modules"], _MODULES_WIDTH)
        lines.append(
            f"{stage['stage']:>6}  {modules:<{_MODULES_WIDTH}}  "
            f"{stage['params']:>12,}  {stage['frozen_params_frac']:>7.2%}  "
            f"{stage['frozen_flops_frac']:>6.1%}  {shape:<14}  "
            + ("yes" if stage["can_be_cut"] else "no")
        )
    last = facts["stages"][-1]["stage"]
    lines.append(f"{'all':>6}  (only the new head trains, as with {last})")
    if last > 2:
        inner = facts["stages"][1:-1]
        share = sum(stage["params"] for stage in inner) / max(1, facts["params"])
        lines.append(
            f"{MIDDLE:>6}  ({depth_of(range(2, last))}: all stages but the first and the last, "
            f"{share:.2%} of the parameters)\n"
            f"{'[3,4]':>6}  (these stages alone, wherever they lie; the others train)"
        )
    reasons = {stage["why_not"] for stage in facts["stages"] if stage["why_not"]}
    lines.extend(f"no cut: {reason}" for reason in sorted(reasons))
    lines.append(
        "\nfrozen, FLOPs: share of the backbone's parameters and forward FLOPs up to that depth; "
        "cut: whether\nthe frozen part can run apart from the rest (verified bit by bit when a run "
        "starts)."
    )
    return "\n".join(lines)


def list_lines(summaries: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield a heading and one line of at most 96 columns for each backbone."""
    yield (
        f"{'backbone':<42} {'params':>8} {'FLOPs':>8} {'px':>4}  "
        f"{'frozen share by depth':<24} weights"
    )
    for facts in summaries:
        if "error" in facts:
            yield f"{facts['name']:<42} {facts['error']}"[:_WIDTH]
            continue
        shares = " ".join(f"{share:.0%}".rjust(3) for share in facts["frozen_params_frac"])
        yield (
            f"{facts['name']:<42} {_count(facts['params']):>8} {_count(facts['forward_flops']):>8} "
            f"{facts['image_size_px']:>4}  {shares:<24} {facts['weights'].split(' ')[0]}"
        )
