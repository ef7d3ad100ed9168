"""scikit-learn's handwritten digits, enlarged, as a folder of images for each digit: <folder>/<digit>/<number>.png, grey.

The folder is what the data source image_folder reads; nothing is downloaded.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

BRIGHTEST = 16  # load_digits counts set pixels in 4 x 4 blocks of the original scan
DIGITS = 10


def main() -> None:
    """Write the images, or stop where the folder already holds something: nothing of another size may stay among them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the ten folders go")
    parser.add_argument("--size", type=int, required=True, help="height and width in pixels")
    parser.add_argument("--images-per-digit", type=int, help="only so many of each digit; all where it is not given")
    asked = parser.parse_args()
    if asked.folder.exists() and any(asked.folder.iterdir()):
        sys.exit(f"{asked.folder} is not empty, so nothing was written; remove it first")
    if asked.size < 1 or (asked.images_per_digit is not None and asked.images_per_digit < 1):
        sys.exit("--size and --images-per-digit are whole numbers above 0; nothing was written")
    digits = load_digits()
    written = 0
    for digit in range(DIGITS):
        folder = asked.folder / str(digit)
        folder.mkdir(parents=True)
        for number in np.flatnonzero(digits.target == digit)[: asked.images_per_digit]:
            grey = np.rint(digits.images[number] * (255 / BRIGHTEST)).astype(np.uint8)
            larger = Image.fromarray(grey).resize((asked.size, asked.size), Image.Resampling.BICUBIC)
            larger.save(folder / f"{number:04}.png")
            written += 1
    print(f"{written:,} images of {asked.size} by {asked.size} pixels in {asked.folder}")


if __name__ == "__main__":
    main()
