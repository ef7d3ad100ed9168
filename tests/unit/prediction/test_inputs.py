import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from temper.errors import ConfigError, DataError
from temper.prediction.inputs import RowsFile, read_inputs

AS_IN_THE_STUDY = RowsFile(None, None, None)
DATA = {"text": ["sentence"], "format": "tsv", "quoting": False}
PAIRS = {"text": ["premise", "hypothesis"]}


def read(*arguments, base, data=DATA, how=AS_IN_THE_STUDY, as_text=False, task="text-classification"):
    return read_inputs(arguments, base=base, task=task, data=data, how=how, as_text=as_text)


def test_texts_are_rows_in_their_order(tmp_path):
    asked = read("a good one", "bad", base=tmp_path)
    assert asked.examples.texts == [("a good one",), ("bad",)]
    assert (asked.shown, asked.from_file) == (["a good one", "bad"], False)


def test_pairs_take_two_texts_each(tmp_path):
    assert read("a", "b", "c", "d", base=tmp_path, data=PAIRS).examples.texts == [("a", "b"), ("c", "d")]
    with pytest.raises(ConfigError, match="rows are pairs"):
        read("a", "b", "c", base=tmp_path, data=PAIRS)


ROWS = ["a 'good' one", 'the "best"', "null"]


def write(path, texts):
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"sentence": texts, "label": [0] * len(texts)}), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"sentence": text, "label": 0}) + "\n" for text in texts))
    elif path.suffix == ".csv":
        quoted = ['"' + text.replace('"', '""') + '"' for text in texts]
        path.write_text("label,sentence\n" + "".join(f"0,{text}\n" for text in quoted))
    else:
        path.write_text("label\tsentence\n" + "".join(f"0\t{text}\n" for text in texts))


@pytest.mark.parametrize("name", ["rows.tsv", "rows.csv", "rows.jsonl", "rows.parquet"])
def test_every_format_gives_the_same_rows(tmp_path, name):
    write(tmp_path / name, ROWS)
    asked = read(name, base=tmp_path)
    assert asked.examples.texts == [(text,) for text in ROWS]
    assert asked.from_file


def test_a_file_may_have_other_columns_than_the_study_and_no_header(tmp_path):
    (tmp_path / "rows.tsv").write_text("0\tgood\n1\tbad\n")
    how = RowsFile(["review"], ["number", "review"], None)
    assert read("rows.tsv", base=tmp_path, how=how).examples.texts == [("good",), ("bad",)]
    with pytest.raises(DataError, match="it has no column 'sentence'; it has '0', 'good'"):
        read("rows.tsv", base=tmp_path)


def test_quoting_is_the_studys_or_as_told(tmp_path):
    (tmp_path / "rows.tsv").write_text('sentence\n"quoted"\n')
    assert read("rows.tsv", base=tmp_path).examples.texts == [('"quoted"',)]
    assert read("rows.tsv", base=tmp_path, how=RowsFile(None, None, True)).examples.texts == [("quoted",)]
    assert read("rows.tsv", base=tmp_path, data={**DATA, "quoting": True}).examples.texts == [("quoted",)]


def test_a_study_without_a_text_column_needs_one_named(tmp_path):
    write(tmp_path / "rows.tsv", ROWS)
    with pytest.raises(ConfigError, match="--text-column"):
        read("rows.tsv", base=tmp_path, data={})
    assert len(read("rows.tsv", base=tmp_path, data={}, how=RowsFile(["sentence"], None, None)).examples) == len(ROWS)


def test_columns_are_for_files_that_have_no_header(tmp_path):
    write(tmp_path / "rows.jsonl", ROWS)
    with pytest.raises(ConfigError, match="names its columns itself"):
        read("rows.jsonl", base=tmp_path, how=RowsFile(None, ["sentence", "label"], None))


def test_what_looks_like_a_path_is_one_unless_it_is_said_to_be_a_text(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read("absent.tsv", base=tmp_path)
    with pytest.raises(ConfigError, match="takes texts"):
        read("photo.jpg", base=tmp_path)
    assert read("absent.tsv", "photo.jpg", base=tmp_path, as_text=True).shown == ["absent.tsv", "photo.jpg"]
    assert read("I like my new photo.jpg", base=tmp_path).shown == ["I like my new photo.jpg"]


def test_what_is_there_is_a_path_whatever_it_is_called(tmp_path):
    write(tmp_path / "my rows.tsv", ["good"])
    assert read("my rows.tsv", base=tmp_path).from_file
    (tmp_path / "rows.doc").write_text("good\n")
    with pytest.raises(ConfigError, match=r"rows\.doc is there, as a file of another kind"):
        read("rows.doc", base=tmp_path)
    (tmp_path / "good").mkdir()
    with pytest.raises(ConfigError, match="good is there, as a folder"):
        read("good", base=tmp_path)
    assert read("good", "my rows.tsv", base=tmp_path, as_text=True).shown == ["good", "my rows.tsv"]
    assert read("word " * 200, base=tmp_path).shown == ["word " * 200]  # longer than a file's name may be


def test_one_file_at_a_time(tmp_path):
    write(tmp_path / "rows.tsv", ROWS)
    with pytest.raises(ConfigError, match="stands beside 1 more"):
        read("rows.tsv", "and a text", base=tmp_path)


@pytest.mark.parametrize("text", ["", "  ", "a\0b"])
def test_a_text_without_words_is_refused(tmp_path, text):
    with pytest.raises(DataError) as caught:
        read("a film", text, base=tmp_path)
    assert caught.value.asked.startswith("predict 'a film' '")
    assert "2" in caught.value.happened
    assert "the data" not in caught.value.fix
    assert "rows" not in caught.value.fix


def test_a_number_is_no_text(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"sentence": 3}\n')
    with pytest.raises(DataError, match="int instead of text"):
        read("rows.jsonl", base=tmp_path)


def test_images_are_read_from_the_folder_that_paths_start_at(tmp_path):
    Image.new("RGB", (3, 2), (255, 0, 0)).save(tmp_path / "red.png")
    asked = read("red.png", base=tmp_path, data={}, task="image-classification")
    (pixels,) = list(asked.examples.images)
    assert (pixels.shape, asked.shown) == ((2, 3, 3), ["red.png"])
    assert np.array_equal(pixels[0, 0], [255, 0, 0])


@pytest.mark.parametrize(("name", "what"), [("rows.tsv", "a file of rows"), ("folder", "a folder")])
def test_a_study_of_images_takes_neither_rows_nor_folders(tmp_path, name, what):
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match=f"{name} is {what}"):
        read(name, base=tmp_path, data={}, task="image-classification")


def test_what_is_wrong_with_a_file_is_told_as_a_prediction(tmp_path):
    (tmp_path / "rows.tsv").write_text("sentence\ngood\n\n")
    (tmp_path / "none.tsv").write_text("")
    for name in ("rows.tsv", "none.tsv"):
        with pytest.raises(DataError) as caught:
            read(name, base=tmp_path)
        assert caught.value.affected == "nothing was predicted"
        assert "params.yaml" not in caught.value.fix
        assert "data.quoting" not in caught.value.fix


def test_a_text_file_has_a_text_a_line(tmp_path):
    (tmp_path / "rows.txt").write_text("a good one\nbad, really\n")
    asked = read("rows.txt", base=tmp_path)
    assert (asked.shown, asked.from_file) == (["a good one", "bad, really"], True)
    (tmp_path / "rows.txt").write_bytes(b"a good one\n\xff\n")
    with pytest.raises(DataError, match="not UTF-8: invalid start byte at byte 11"):
        read("rows.txt", base=tmp_path)


def test_a_dash_is_standard_input(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("één\nzwei\n".encode()), encoding="ascii"))
    assert read("-", base=tmp_path).shown == ["één", "zwei"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"one\n\nthree\n")))
    with pytest.raises(DataError, match="the text is empty in 1 row"):
        read("-", base=tmp_path)


def test_a_file_keeps_what_says_which_row_is_which(tmp_path):
    (tmp_path / "rows.csv").write_text("id,sentence,label,other\n7,good,1,x\n8,bad,0,y\n")
    how = RowsFile(["sentence"], None, None)
    assert {name: list(values) for name, values in read("rows.csv", base=tmp_path, how=how).columns.items()} == {
        "id": ["7", "8"],
        "sentence": ["good", "bad"],
    }
    how = RowsFile(["sentence"], None, None, "other")
    assert list(read("rows.csv", base=tmp_path, how=how).columns) == ["other", "sentence"]
    with pytest.raises(ConfigError, match=r"no column 'nope'; it has 'id', 'sentence', 'label', 'other'"):
        read("rows.csv", base=tmp_path, how=RowsFile(["sentence"], None, None, "nope"))
