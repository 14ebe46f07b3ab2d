"""A job's inputs, held against those that it was planned for.

A sweep gives each job a digest of what determines its result: data, splits and weights among it.
They may change before the job reads them; what it would then record stands under a wrong digest.
"""

from frostline.backbones.spec import WeightsInfo
from frostline.config.schema import Settings
from frostline.data.contents import describe_change
from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits, split_digest
from frostline.errors import DataChangedError

_AGAIN = "put back what was there, or give the command again: it then plans for what is there now"


def check_as_planned(
    settings: Settings, table: SampleTable, splits: Splits, weights: WeightsInfo
) -> None:
    """Refuse inputs other than those that the job was planned for.

    Args:
        settings: The job; `sweep` holds the digests of the plan. What is null or empty there was
            not known to it.
        table: The data set as loaded.
        splits: As the job splits it.
        weights: As loaded into the backbone.

    Raises:
        DataChangedError: If they differ, with how.
    """
    planned = settings.sweep
    if planned.data_fingerprint and planned.data_fingerprint != table.fingerprint:
        raise DataChangedError(
            f"the data set {table.name} has changed since the sweep was planned: "
            f"{describe_change(planned.data_fingerprint, table)}",
            todo=_AGAIN,
        )
    if planned.split_digest and planned.split_digest != split_digest(table, splits):
        raise DataChangedError(
            f"the splits of {table.name} have changed since the sweep was planned"
            + (
                f" (data.split_file={settings.data.split_file})" if settings.data.split_file else ""
            ),
            todo=_AGAIN,
        )
    if planned.weights_digest and planned.weights_digest != weights.file_digest:
        raise DataChangedError(
            f"weights={settings.weights} of {settings.backbone}: the file has changed since the "
            "sweep was planned",
            todo=_AGAIN,
        )
