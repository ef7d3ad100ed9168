import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from temper.data import images
from temper.data.images import ImageFiles, read_pixels
from temper.errors import DataError

RED, BLUE = (200, 20, 30), (10, 20, 220)


def two_pixels(first=RED, second=BLUE) -> Image.Image:
    image = Image.new("RGB", (2, 1), first)
    image.putpixel((1, 0), second)
    return image


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("RGB", [RED, BLUE]),
        ("RGBA", [RED, BLUE]),
        ("P", [RED, BLUE]),
        ("L", [(75, 75, 75), (40, 40, 40)]),  # ITU-R 601-2: 0.299 R + 0.587 G + 0.114 B
        ("1", [(255, 255, 255), (0, 0, 0)]),
    ],
)
def test_every_colour_mode_becomes_rgb_and_says_what_it_was(tmp_path: Path, mode: str, expected):
    source = two_pixels((200, 200, 200), (20, 20, 20)) if mode == "1" else two_pixels()
    path = tmp_path / "x.png"
    (source.convert("P", palette=Image.Palette.ADAPTIVE) if mode == "P" else source.convert(mode)).save(path)
    pixels = read_pixels(path)
    assert pixels.values.shape == (1, 2, 3)
    assert pixels.values.dtype == np.uint8
    assert [tuple(map(int, colour)) for colour in pixels.values[0]] == expected
    assert pixels.converted_from == (None if mode == "RGB" else mode)
    assert not pixels.turned
    assert pixels.frames_left_out == 0


def test_a_cmyk_jpeg_keeps_its_colours(tmp_path: Path):
    Image.new("RGB", (16, 16), RED).convert("CMYK").save(tmp_path / "x.jpg", quality=95)
    pixels = read_pixels(tmp_path / "x.jpg")
    assert pixels.converted_from == "CMYK"
    np.testing.assert_allclose(pixels.values.reshape(-1, 3).mean(axis=0), RED, atol=6)


def test_a_photograph_taken_sideways_stands_upright(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to show it
    two_pixels().save(tmp_path / "x.png", exif=exif)
    pixels = read_pixels(tmp_path / "x.png")
    assert pixels.turned
    assert [tuple(map(int, row[0])) for row in pixels.values] == [RED, BLUE]


def test_of_several_frames_the_first_is_taken_and_the_rest_counted(tmp_path: Path):
    frames = [Image.new("RGB", (2, 2), colour) for colour in (RED, BLUE)]
    frames[0].save(tmp_path / "x.webp", save_all=True, append_images=frames[1:], lossless=True)
    pixels = read_pixels(tmp_path / "x.webp")
    assert pixels.frames_left_out == 1
    assert tuple(map(int, pixels.values[0, 0])) == RED


def cut_short(path: Path) -> None:
    generator = np.random.default_rng(0)
    Image.fromarray(generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-600])


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("gone.png", lambda path: None, r"there is no such file"),
        ("folder.png", lambda path: path.mkdir(), r"it is a folder"),
        ("empty.png", lambda path: path.write_bytes(b""), r"UnidentifiedImageError"),
        ("text.jpg", lambda path: path.write_text("<html>404</html>"), r"UnidentifiedImageError"),
        ("short.png", cut_short, r"OSError|SyntaxError"),
        ("short.jpg", cut_short, r"truncated"),
        ("deep.png", lambda path: Image.new("I;16", (2, 2), 999).save(path), r"I;16: more than 8 bits a channel"),
    ],
)
def test_a_file_that_is_no_whole_image_is_an_error_with_its_name(tmp_path: Path, name: str, make, message: str):
    make(tmp_path / name)
    with pytest.raises(DataError, match=rf"read the image .*{name}[\s\S]*{message}"):
        read_pixels(tmp_path / name)


@pytest.mark.parametrize(
    ("colours", "samples"), [(2, 3), (4, 2), (6, 4)], ids=["colour", "grey, alpha", "colour, alpha"]
)
def test_sixteen_bits_a_channel_of_colours_are_scaled_to_eight(tmp_path: Path, colours: int, samples: int):
    """Pillow has them in 8 bits; of grey alone it keeps 16, which is refused."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", 2, 2, 16, colours, 0, 0, 0)
    rows = (b"\0" + struct.pack(">H", 40_000) * samples * 2) * 2
    content = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "deep.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    assert np.abs(read_pixels(tmp_path / "deep.png").values.astype(int) - 40_000 // 257).max() <= 1


def test_images_on_disk_are_indexed_like_an_array(tmp_path: Path):
    for value in range(5):
        Image.new("RGB", (1 + value, 2), (value, 0, 0)).save(tmp_path / f"{value}.png")
    files = ImageFiles([str(tmp_path / f"{value}.png") for value in range(5)])
    assert len(files[1:3]) == 2
    assert [image[0, 0, 0] for image in files[1:3]] == [1, 2]
    assert [image.shape for image in files[np.asarray([4, 0])]] == [(2, 5, 3), (2, 1, 3)]


def encapsulated_postscript(path: Path) -> None:
    Image.new("RGB", (2, 1), RED).save(path, format="EPS")


def picture_of_a_scanner(path: Path) -> None:
    Image.new("RGB", (2, 1), RED).save(path, format="TIFF")


def animation(path: Path) -> None:
    Image.new("P", (2, 1)).save(path, format="GIF")


def document(path: Path) -> None:
    Image.new("RGB", (2, 1), RED).save(path, format="PDF")


def drawing_in_xml(path: Path) -> None:
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>')


def metafile(path: Path) -> None:
    path.write_bytes(b"\xd7\xcd\xc6\x9a" + bytes(40))


@pytest.mark.parametrize(
    "save", [encapsulated_postscript, document, drawing_in_xml, metafile, picture_of_a_scanner, animation]
)
def test_what_a_file_holds_decides_and_not_its_name(tmp_path: Path, monkeypatch, save):
    """Pillow starts Ghostscript for EPS."""
    monkeypatch.setattr("subprocess.Popen", None)
    save(tmp_path / "x.png")
    with pytest.raises(DataError) as caught:
        read_pixels(tmp_path / "x.png")
    assert "cannot identify image file" in caught.value.happened
    assert "save it as one of JPEG, PNG, BMP, WEBP" in caught.value.fix


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(images, "MOST_PIXELS", 5)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    Image.new("RGB", (3, 2)).save(tmp_path / "x.png")
    with pytest.raises(DataError) as caught:
        read_pixels(tmp_path / "x.png")
    assert "3 × 2 pixels, and 5 is the most that is read" in caught.value.happened


def test_a_pipe_with_the_name_of_an_image_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(DataError, match="it is a pipe, a socket or a device"):
        read_pixels(tmp_path / "x.png")
