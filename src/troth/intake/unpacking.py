"""A body as it was sent, unpacked no further than it may be long: what a small one hides costs no more than that."""

import zlib
from collections.abc import Callable

import brotli
import zstandard

#: How long a body may be, and how long what it unpacks to.
LONGEST_PACKED, LONGEST = 1 << 20, 4 << 20
#: The most memory that unpacking a frame of zstd may ask for: that of the encoders' highest usual level.
WINDOW = 8 << 20


class Unpackable(Exception):
    """The body is not packed as it says, or has no end."""


class TooLong(Exception):
    """The body unpacks to more than is taken."""


def unpack(body: bytes, coding: str) -> bytes:
    """Return a body without its coding (RFC 9110, section 8.4). Raises KeyError for one that is not known here.

    Raises Unpackable, and TooLong as soon as that shows.
    """
    try:
        unpacked = CODINGS[coding](body)
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise Unpackable(str(error)) from error
    if len(unpacked) > LONGEST:
        raise TooLong
    return unpacked


def _plain(body: bytes) -> bytes:
    return body


def _gzip(body: bytes) -> bytes:
    return _zlib(body, 31)


def _deflate(body: bytes) -> bytes:
    return _zlib(body, 15)


def _zlib(body: bytes, form: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=form)
    unpacked = unpacker.decompress(body, LONGEST + 1)
    _whole(ended=unpacker.eof, left=len(unpacker.unused_data), unpacked=unpacked)
    return unpacked


def _brotli(body: bytes) -> bytes:
    unpacker = brotli.Decompressor()
    unpacked = unpacker.process(body, output_buffer_limit=LONGEST + 1)
    _whole(ended=unpacker.is_finished(), left=0, unpacked=unpacked)
    return bytes(unpacked)


def _zstd(body: bytes) -> bytes:
    with zstandard.ZstdDecompressor(max_window_size=WINDOW).stream_reader(body) as reader:
        unpacked = reader.read(LONGEST + 1)
    # A frame that is cut off unpacks to what is there, and says nothing of it.
    unpacker = zstandard.ZstdDecompressor(max_window_size=WINDOW).decompressobj()
    if len(unpacked) <= LONGEST:
        unpacker.decompress(body)
        _whole(ended=unpacker.eof, left=len(unpacker.unused_data), unpacked=unpacked)
    return bytes(unpacked)


def _whole(*, ended: bool, left: int, unpacked: bytes) -> None:
    if len(unpacked) <= LONGEST and (not ended or left):
        raise Unpackable("it has no end, or something behind its end")


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": _plain,
    "identity": _plain,
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
