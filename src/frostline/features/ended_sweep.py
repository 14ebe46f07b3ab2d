"""What a sweep leaves in the store of features when it has ended."""

from frostline.features.feature_store import GIB, FeatureStore, size_limit_bytes, store_folder

# So much stays of the outputs of single epochs: enough for small data, of which the same command
# with one rate more can make use. A sweep that was stopped keeps all, for its other jobs.
KEPT_GIB = 1.0


def remove_epochs(sweep: str) -> list[str]:
    """Remove the outputs of a sweep's augmented epochs beyond `KEPT_GIB`, the oldest first.

    Args:
        sweep: Its id; of a single run the digest of its job.

    Returns:
        The removed entries' digests.
    """
    return FeatureStore(store_folder(), size_limit_bytes()).end_sweep(sweep, int(KEPT_GIB * GIB))
