"""Whether a run stands under the digest of the inputs that it read, by what it recorded of them.

Data, splits or weights may change between a sweep's plan and the reading of a job. The run would
then answer every later command that asks for the first ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from frostline.config.identity import job_digest
from frostline.config.schema import Settings

DIGEST_TAG = "frostline.job_digest"
# What determines a result besides the settings, as `config.identity.ResultFacts` calls it, and the
# tags under which a run records it as loaded.
FACT_TAGS = {
    "data_fingerprint": "frostline.data_fingerprint",
    "split_digest": "frostline.split_digest",
    "weights_digest": "frostline.weights_file_digest",
    "numerics": "frostline.numerics",
    "libraries": "frostline.libraries",
}


@dataclass(frozen=True)
class RecordedFacts:
    """What a run recorded of its inputs: see `config.identity.ResultFacts`."""

    data_fingerprint: str
    split_digest: str
    weights_digest: str
    numerics: str
    libraries: str


def has_own_digest(
    settings: Settings, tags: Mapping[str, str], planned: Mapping[str, str | None]
) -> bool:
    """Whether a run's digest is that of its settings and of the inputs that it recorded.

    Args:
        settings: The run's, or those of a job with its digest.
        tags: The run's tags.
        planned: What the job is planned for, keys as in `FACT_TAGS`: taken where the run, which may
            have ended before it read its inputs, recorded nothing. None is not known either.

    Returns:
        True also where that is unknown.
    """
    facts = {}
    for key, tag in FACT_TAGS.items():
        value = tags.get(tag) or planned.get(key) or tags.get(tag)
        if value is None:
            return True
        facts[key] = value
    return job_digest(settings, RecordedFacts(**facts)) == tags.get(DIGEST_TAG)
