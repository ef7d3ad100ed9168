"""The runtime's parts against the libraries that they stand in for: transformers' tokenizers and image processors."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from temper.data.examples import Examples
from temper.data.image_preprocessing import ImagePreprocessor
from temper.data.preprocessing import TextPreprocessor, train_tokenizer
from temper.package.runtime.errors import InputError, PackageError
from temper.package.runtime.images import ImageEncoder
from temper.package.runtime.text import TextEncoder
from temper.study.sections.model import TokenizerOptions

PAIRS = [("one two", "three"), ("one two three four five six", "seven"), ("é ñ", "漢字 🙂 end")]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """A preprocessor of transformers, and the folder that it saved itself to."""
    examples = Examples(origin="here", labels=[0] * 3, texts=[(" ".join(pair),) for pair in PAIRS])
    options = TokenizerOptions(kind="tokenizer", algorithm="bpe", vocabulary_size=400)
    preprocessor = TextPreprocessor(train_tokenizer(options, examples, None), None)
    folder = tmp_path_factory.mktemp("tokenizer")
    preprocessor.save(folder)
    return preprocessor, folder


@pytest.mark.parametrize("rows", [PAIRS, [(first,) for first, _ in PAIRS]], ids=["pairs", "texts"])
@pytest.mark.parametrize("max_tokens", [7, 64])
def test_tokens_are_those_of_transformers(tokenizer, rows, max_tokens):
    preprocessor, folder = tokenizer
    wanted = preprocessor.encode(Examples(origin="here", labels=[0] * len(rows), texts=rows), max_tokens)
    made = TextEncoder(folder, list(wanted.inputs), max_tokens=max_tokens, texts_per_row=len(rows[0]))
    found, cut = made.encode(rows)
    assert list(found) == list(wanted.inputs)
    for name, values in wanted.inputs.items():
        assert [row.tolist() for row in found[name]] == [row.tolist() for row in values]
    assert len(cut) == wanted.truncated_rows
    for number, row in enumerate(rows):  # alone a row goes another way
        alone, cut_alone = made.encode([row])
        assert {name: values[0].tolist() for name, values in alone.items()} == {
            name: values[number].tolist() for name, values in found.items()
        }
        assert cut_alone == ([0] if number in cut else [])


def test_token_types_are_given_where_the_model_takes_them(tmp_path):
    """Of BERT: which inputs there are, its tokenizer_config.json does not say."""
    from transformers import BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "one", "two", "three", "end"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    preprocessor = TextPreprocessor(BertTokenizerFast(vocab=str(tmp_path / "vocab.txt")), None)
    preprocessor.save(tmp_path / "saved")
    wanted = preprocessor.encode(Examples(origin="here", labels=[0] * 3, texts=PAIRS), 7).inputs
    names = list(wanted)
    assert set(names) == {"input_ids", "token_type_ids", "attention_mask"}
    found, _ = TextEncoder(tmp_path / "saved", names, max_tokens=7, texts_per_row=2).encode(PAIRS)
    assert {name: [row.tolist() for row in rows] for name, rows in found.items()} == {
        name: [row.tolist() for row in rows] for name, rows in wanted.items()
    }
    assert any(1 in row for row in found["token_type_ids"])


def test_an_input_that_no_tokenizer_gives_is_refused_by_its_name(tokenizer):
    _, folder = tokenizer
    with pytest.raises(InputError, match="gives no bbox"):
        TextEncoder(folder, ["input_ids", "bbox"], max_tokens=8, texts_per_row=1)


def processors():
    """Image processors of transformers on Pillow, by name."""
    from transformers import CLIPImageProcessorPil, ConvNextImageProcessorPil, ViTImageProcessorPil

    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    return {
        "vit": ViTImageProcessorPil(size={"height": 32, "width": 24}, resample=2),
        "cubic": ViTImageProcessorPil(size={"height": 20, "width": 20}, resample=3, image_mean=mean, image_std=std),
        "convnext": ConvNextImageProcessorPil(
            size={"shortest_edge": 24}, crop_pct=0.875, image_mean=mean, image_std=std
        ),
        "warped": ConvNextImageProcessorPil(size={"shortest_edge": 384}, crop_pct=0.875),
        "clip": CLIPImageProcessorPil(size={"shortest_edge": 20}, crop_size={"height": 16, "width": 24}),
        "bare": ViTImageProcessorPil(do_resize=False, do_normalize=False),
    }


@pytest.mark.parametrize("name", ["vit", "cubic", "convnext", "warped", "clip", "bare"])
def test_pixels_are_those_of_transformers(tmp_path, name):
    own = ImagePreprocessor(processors()[name])
    own.save(tmp_path)
    generator = np.random.default_rng(1)
    for height, width in ((32, 32), (40, 61), (7, 5)):
        pixels = generator.integers(0, 256, (1, height, width, 3), dtype=np.uint8)
        wanted = own.encode(Examples(origin="here", labels=[0], images=pixels), None).inputs["pixel_values"][0]
        assert np.array_equal(ImageEncoder(tmp_path).encode(pixels[0]), wanted)


def test_a_setting_that_is_not_done_here_is_refused_by_its_name(tmp_path):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"do_resize": False, "do_pad": True}))
    with pytest.raises(PackageError, match="do_pad"):
        ImageEncoder(tmp_path)


def picture(mode: str, **options) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (6, 4)).save(file, format="PNG", **options)
    return file.getvalue()


def test_what_is_no_image_is_refused_in_words(tmp_path):
    ImagePreprocessor(processors()["vit"]).save(tmp_path)
    encoder = ImageEncoder(tmp_path)
    assert encoder.read(picture("P"), "a").shape == (3, 32, 24)
    for content, said in (
        (b"no image", "UnidentifiedImageError"),
        (picture("RGB")[:40], "Error"),
        (picture("I;16"), "8 bits"),
    ):
        with pytest.raises(InputError, match=said):
            encoder.read(content, "a")
