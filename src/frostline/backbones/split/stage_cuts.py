"""The cuts between the stages of a backbone, found together and shared by the jobs of a sweep."""

from collections.abc import Sequence
from contextlib import suppress

from frostline.backbones.backbone import Backbone
from frostline.backbones.pooling import OutputPooling, Pool, set_pool
from frostline.backbones.shared_cache import cached
from frostline.backbones.spec import Boundary
from frostline.backbones.split.cut_finder import CutFinder, CutPrograms, reason_of


def stage_ends(backbone: Backbone) -> list[Boundary]:
    """Return the boundaries between the stages."""
    return [stage.end for stage in backbone.stages if stage.end is not None]


def stage_cut_finder(backbone: Backbone, *, pool: Pool) -> CutFinder:
    """Return a finder for all boundaries between stages; the backbone's pooling is set as asked."""
    pooling = set_pool(backbone, pool)
    return CutFinder(backbone.model, stage_ends(backbone), backbone.input.shape, pooling)


def find_cut(
    backbone: Backbone,
    boundary: Boundary,
    pooling: OutputPooling,
    pool: Pool,
    finder: CutFinder | None = None,
) -> tuple[CutPrograms, Sequence[Boundary]]:
    """Find the cut at a boundary.

    If it ends a stage, the ends of all stages are tried together and stored in the shared cache,
    so that the sweep's jobs with other depths find theirs there.

    Args:
        backbone: With its pooling set to `pool`.
        boundary: Where to cut.
        pooling: What `set_pool` returned.
        pool: How the map becomes features.
        finder: From `stage_cut_finder`, if there is one.

    Returns:
        The cut, and the boundaries around which the model was looked into for it.

    Raises:
        CutError: The pass cannot be divided there.
        Exception: The model's code raised it while it was recorded.
    """
    if finder is not None:
        return finder.find(boundary), finder.boundaries
    ends = stage_ends(backbone)
    if boundary in ends:
        key = f"cuts {backbone.name} {backbone.input.shape} {pool}"
        cuts = cached(key, lambda: _find_all(backbone, ends, pooling))
        if boundary in cuts:
            return cuts[boundary], ends
    # Not the end of a stage, or a cut that is found only if fewer modules are looked into.
    single = CutFinder(backbone.model, [boundary], backbone.input.shape, pooling)
    return single.find(boundary), single.boundaries


def _find_all(
    backbone: Backbone, boundaries: Sequence[Boundary], pooling: OutputPooling
) -> dict[Boundary, CutPrograms]:
    """Find the cuts at those of the boundaries where there are any."""
    finder = CutFinder(backbone.model, boundaries, backbone.input.shape, pooling)
    cuts = {}
    for boundary in boundaries:
        with suppress(Exception):  # models are free code; a job that needs this cut gets the reason
            cuts[boundary] = finder.find(boundary)
    return cuts


def check_stage_cuts(backbone: Backbone) -> list[str]:
    """Return for every stage why there is no cut after it; an empty text where there is one.

    This only looks at the model's steps and needs no weights; `cut` also compares numbers.
    """
    finder = stage_cut_finder(backbone, pool="avg")
    reasons: list[str] = []
    for boundary in finder.boundaries:
        try:
            finder.find(boundary)
            reasons.append("")
        except Exception as error:  # models are free code: any error means that there is no cut
            reasons.append(reason_of(error))
    return [*reasons, ""]
