"""The test rows as a person reads them: texts as they were given, images as small PNG files."""

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from temper.artifacts.signature import read_signature
from temper.data.encoded import check_split
from temper.report.page.material import AskedRows

LARGEST_PX = 64
MOST_PICTURES = 400
_AT_ONCE = 32  # images


def read_asked_rows(folder: str | Path, rows: Iterable[int]) -> AskedRows:
    """The test split's texts, or the pictures of these rows; never more than a few rows of images in memory.

    Args:
        folder: prepared data.
        rows: numbers of those whose picture is wanted; of more than MOST_PICTURES the first.

    Raises:
        ArtifactError: the split is not the one that was prepared.
    """
    check_split(folder, "test")
    signature = read_signature(Path(folder, "signature.json"))
    with pq.ParquetFile(Path(folder, "test.parquet")) as file:
        if signature.task != "image-classification":
            return AskedRows(texts=file.read(columns=["text"]).column("text").to_pylist())
        spec, wanted = signature.inputs[0], set(sorted(rows)[:MOST_PICTURES])
        shape = tuple(int(size) for size in spec.axes[1:])
        pictures: dict[int, bytes] = {}
        for batch in file.iter_batches(batch_size=_AT_ONCE, columns=["row", spec.name]):
            images = np.from_dlpack(batch.column(1).flatten()).reshape(len(batch), *shape)
            numbers = batch.column(0).to_pylist()
            pictures |= {number: png(images[at]) for at, number in enumerate(numbers) if number in wanted}
        return AskedRows(pictures=pictures)


def png(image: npt.NDArray[np.float32]) -> bytes:
    """A small PNG of an encoded image, float32 [channels, height, width]: its own range of values from black to white."""
    step = max(1, -(-max(image.shape[1:]) // LARGEST_PX))
    small = image[:, ::step, ::step]
    low, high = float(small.min()), float(small.max())
    levels = np.rint(255 * (small - low) / ((high - low) or 1.0)).astype(np.uint8)
    colours = np.repeat(levels[:1], 3, axis=0) if len(levels) < 3 else levels[:3]
    lines = colours.transpose(1, 2, 0)
    height, width = lines.shape[:2]
    raw = b"".join(b"\0" + line.tobytes() for line in lines)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
