"""Images of files, decoded only if the file still holds the bytes that the scan has seen.

The fingerprint of a table stands for the bytes at the time of the scan. Without this check a file
that changes later, such as one that is still being copied, would be decoded under a fingerprint
that it does not have.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from frostline.config.data_settings import RGB_CHANNELS
from frostline.data.channels import Picture, image_from
from frostline.data.decode import UnreadableImageError
from frostline.data.deep_pixels import ValueRange
from frostline.errors import DataChangedError


@dataclass(frozen=True)
class CheckedImages:
    """Opens images of a table by their item; can be pickled.

    Attributes:
        read: Function from an item to the bytes of its file.
        digests: Item to the sha256 hex of its bytes at the scan.
        source: Where the items are, for messages.
        value_range: What is black and white in images of more than 8 bits.
        forget: Called with an item that holds other bytes, so that the next scan reads it again.
        in_chans: Channels that the network takes.
    """

    read: Callable[[str], bytes]
    digests: Mapping[str, str] = field(repr=False)
    source: str
    value_range: ValueRange | None = None
    forget: Callable[[str], object] | None = None
    in_chans: int = RGB_CHANNELS

    def __call__(self, item: str) -> Picture:
        """Open an image as upright RGB on white, or as its channels: see `image_from`.

        Raises:
            DataChangedError: If its bytes are not those of the scan, or cannot be read any more.
        """
        try:
            data = self.read(item)
        except UnreadableImageError as error:
            raise self._changed(item, error.given) from None
        except OSError as error:
            raise self._changed(item, error.strerror or str(error)) from None
        if hashlib.sha256(data).hexdigest() != self.digests[item]:
            raise self._changed(item, "it holds other bytes" if data else "the file is empty")
        return image_from(data, self.value_range, self.in_chans)

    def _changed(self, item: str, how: str) -> DataChangedError:
        if self.forget is not None:
            self.forget(item)
        return DataChangedError(
            f"{self.source}/{item}: {how}; it has changed since the data set was read",
            todo="let copies and downloads into the data set end, then give the command again",
        )
