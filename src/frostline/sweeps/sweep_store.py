"""The store of a sweep, opened as early as it helps, and the sweep's id in it."""

import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.config.schema import Settings
from frostline.sweeps.plan import (
    PlannedJob,
    sweep_id_of,
)

if TYPE_CHECKING:
    from frostline.tracking.store import Store


def is_remote(settings: Settings) -> bool:
    """Whether the store is a server, which may be unavailable: that is reported first."""
    from frostline.tracking.address import resolve_address

    return resolve_address(settings.tracking.uri, Path.cwd()).database is None


def import_store() -> None:
    """Import MLflow now, while the warm process imports PyTorch on another core."""
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

    import frostline.tracking.store  # noqa: F401


def claim_id(
    store: "Store", jobs: Sequence[PlannedJob], owned: ExitStack, *, always_new: bool
) -> str:
    """The id of this sweep: the same jobs have the same id, unless they run elsewhere just now."""
    sweep_id = sweep_id_of(jobs)
    owner = None if always_new else store.claim(f"sweep-{sweep_id}", wait_s=0)
    if owner is None:
        return f"{sweep_id}-{uuid.uuid4().hex[:6]}"
    owned.enter_context(owner)
    return sweep_id
