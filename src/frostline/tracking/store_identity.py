"""Which store a journal belongs to: entries wait for that one, and no other gets them."""

import hashlib
import re
from dataclasses import dataclass

_MAX_NAME_CHARS = 60


@dataclass(frozen=True)
class StoreIdentity:
    """A store, as the journals that wait for it know it.

    An address alone is not enough: another server may be started at the same port, and a database
    may be replaced. So the moment at which the store was made counts too, as far as it is known.

    Attributes:
        place: The address, without user, password and other options of the connection.
        made: When the store was made, as the store itself says; empty while it has not answered.
    """

    place: str
    made: str = ""

    def may_be(self, other: "StoreIdentity") -> bool:
        """Whether nothing speaks against both being the same store."""
        is_known = bool(self.made and other.made)
        return self.place == other.place and (not is_known or self.made == other.made)


def folder_name(place: str) -> str:
    """The name of the folder for a place's journals: readable, and never that of another place."""
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", place).strip("-.")[-_MAX_NAME_CHARS:].strip("-.")
    return f"{readable}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"
