"""Messages between the processes of one server: pickled, each with its size in front, as multiprocessing.connection has it."""

import asyncio
import pickle
import struct
from collections.abc import Sequence
from typing import Any

_SIZE = struct.Struct("!i")


async def receive(reader: asyncio.StreamReader) -> Any:
    """The next message of a process of our own.

    Raises:
        asyncio.IncompleteReadError, OSError: the other process has ended.
    """
    (size,) = _SIZE.unpack(await reader.readexactly(_SIZE.size))
    return pickle.loads(await reader.readexactly(size))


def framed(message: Any) -> Sequence[bytes]:
    """A message as what is written."""
    content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return [_SIZE.pack(len(content)), content]
