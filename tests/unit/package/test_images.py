"""Images that a caller of a package's server sends: hostile, so their content decides which reader opens them."""

import io
import json
import struct
import zlib

import numpy as np
import pytest

from temper.package.runtime.errors import InputError
from temper.package.runtime.images import FORMATS, ImageEncoder

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"


@pytest.fixture
def encoder(tmp_path):
    settings = {"do_resize": True, "size": {"height": 8, "width": 8}, "do_rescale": True, "rescale_factor": 0.5}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    return ImageEncoder(tmp_path)


def picture(form: str) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(stream, format=form)
    return stream.getvalue()


@pytest.mark.parametrize("form", FORMATS)
def test_the_four_formats_are_read(encoder, form):
    assert encoder.read(picture(form), "1").shape == (3, 8, 8)


@pytest.mark.parametrize(
    "content", [EPS, picture("TIFF"), picture("GIF"), picture("PPM")], ids=["EPS", "TIFF", "GIF", "PPM"]
)
def test_no_other_reader_is_started(encoder, content):
    """Pillow hands EPS to Ghostscript."""
    with pytest.raises(InputError, match="cannot identify image file"):
        encoder.read(content, "1")


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(encoder):
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(head)) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    with pytest.raises(InputError, match="pixels"):
        encoder.read(b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")), "1")
