import csv
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from temper.data.files import Options, load
from temper.errors import DataError
from temper.reading.rows_file import read_columns

TABLE = {"sentence": ["a fine film", 'say "null" , twice', "NA"], "label": ["1", "0", "1"]}


def write(path: Path, kind: str) -> None:
    rows = list(zip(TABLE["sentence"], TABLE["label"], strict=True))
    if kind == "tsv":
        path.write_text("sentence\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows))
    elif kind == "csv":
        quoted = [(text.replace('"', '""'), label) for text, label in rows]
        path.write_text("sentence,label\n" + "".join(f'"{text}",{label}\n' for text, label in quoted))
    elif kind == "jsonl":
        path.write_text("".join(json.dumps({"sentence": text, "label": int(label)}) + "\n" for text, label in rows))
    else:
        pq.write_table(pa.table({"sentence": TABLE["sentence"], "label": [int(x) for x in TABLE["label"]]}), path)


@pytest.mark.parametrize(("kind", "quoting"), [("tsv", False), ("csv", True), ("jsonl", None), ("parquet", None)])
def test_every_format_gives_the_same_rows(study: Path, tsv_data: dict[str, Any], kind: str, quoting: bool | None):
    write(Path("rows"), kind)
    file = {"path": "rows", "columns": None}
    changes = {"format": kind, "quoting": quoting, "train": file, "test": file}
    splits = load(Options(**{**tsv_data, **changes}), 1)
    assert splits.train.texts == [(text,) for text in TABLE["sentence"]]
    assert splits.train.labels == splits.test.labels == [1, 0, 1]
    assert splits.validation is None


def test_files_with_and_without_a_header_go_together(study: Path, tsv_data: dict[str, Any]):
    splits = load(Options(**tsv_data), 1)
    assert splits.train.texts == splits.test.texts
    assert splits.train.labels == splits.test.labels
    assert splits.notes["source"]["train"]["path"] == "train.tsv"


def test_two_text_columns_make_pairs(study: Path, tsv_data: dict[str, Any]):
    Path("pairs.tsv").write_text("why ?\tbecause\tyes\nhow ?\tno idea\tno\n")
    file = {"path": "pairs.tsv", "columns": ["a", "b", "y"]}
    changes = {"text": ["a", "b"], "label": "y", "label_names": ["no", "yes"], "train": file, "test": file}
    splits = load(Options(**{**tsv_data, **changes}), 1)
    assert splits.train.texts == [("why ?", "because"), ("how ?", "no idea")]
    assert splits.train.labels == [1, 0]


@pytest.mark.parametrize("names", [["poor", "fair", "good"], ["LABEL_0", "LABEL_1", "LABEL_2"]])
def test_numbers_of_labels_without_a_zero_are_refused(study: Path, tsv_data: dict[str, Any], names: list[str]):
    """Counted from 1 they would be read one label off."""
    Path("ones.tsv").write_text("sentence\tlabel\na film\t1\nno film\t2\n")
    file = {"path": "ones.tsv", "columns": None}
    changes = {**tsv_data, "label_names": names, "train": file, "test": file}
    with pytest.raises(DataError) as caught:
        load(Options(**changes), 1)
    assert caught.value.happened == "there are 1, 2 and no 0, so they may count from 1"
    assert "(1, 2, 3 where it counts from 1)" in caught.value.fix
    assert load(Options(**{**changes, "label_names": ["1", "2", "3"]}), 1).train.labels == [0, 1]
    assert load(Options(**{**changes, "label_names": ["0", "1", "2"]}), 1).train.labels == [1, 2]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quoting", [True, False])
def test_what_stands_between_the_fields_of_a_csv_is_found(study, tsv_data, delimiter, quoting):
    quote = '"' if quoting else ""
    texts = [f"{quote}a {'film, it ' if delimiter != ',' else ''}was {number}{quote}" for number in range(4)]
    rows = "".join(f"{text}{delimiter}{number % 2}\n" for number, text in enumerate(texts))
    Path("rows.csv").write_text(f"sentence{delimiter}label\n{rows}")
    file = {"path": "rows.csv", "columns": None}
    splits = load(Options(**{**tsv_data, "format": "csv", "quoting": quoting, "train": file, "test": file}), 1)
    assert splits.train.texts == [(text.strip('"'),) for text in texts]
    assert splits.train.labels == [0, 1, 0, 1]


def test_a_first_row_does_not_choose_what_stands_between_fields(study, tsv_data):
    Path("rows.csv").write_text("slow, but good;1\nnot good;0\n")
    file = {"path": "rows.csv", "columns": ["sentence", "label"]}
    splits = load(Options(**{**tsv_data, "format": "csv", "quoting": True, "train": file, "test": file}), 1)
    assert splits.train.texts == [("slow, but good",), ("not good",)]


def test_a_csv_as_pandas_saves_it_is_read_with_its_index(study, tsv_data):
    import pandas as pd

    texts = ["a film", "the plot, the cat", 'he said "no"', "x" * 200_000, "two\r, lines", "two\nlines"]
    pd.DataFrame({"sentence": texts, "label": [0, 1] * 3}).to_csv("rows.csv")
    file = {"path": "rows.csv", "columns": None}
    options = Options(**{**tsv_data, "format": "csv", "quoting": True, "train": file, "test": file})
    splits = load(options, 1)
    assert splits.train.texts == [(text,) for text in texts]
    table = read_columns("rows.csv", format="csv", quoting=True, columns=None, wanted=None)
    assert list(table.values) == ["Unnamed: 0", "sentence", "label"]
    assert table.values["Unnamed: 0"] == [str(number) for number in range(6)]


@pytest.mark.parametrize("kind", ["two index columns", "R's row names", "unquoted tsv", "json lines", "json array"])
def test_texts_keep_each_character_that_some_reader_takes_for_a_lines_end(study, tsv_data, kind):
    """Of U+2028, U+0085, form feed and others; and a text as long as a book, which the csv module refuses by default."""
    import pandas as pd

    texts = ["a\u2028b", "a\x85b", "a\x0cb\x1cc", "x" * 200_000]
    table = pd.DataFrame({"sentence": texts, "label": [0, 1] * 2})
    form, quoting = ("jsonl", None) if "json" in kind else ("tsv", False) if "tsv" in kind else ("csv", True)
    if kind == "two index columns":
        table.set_index(pd.MultiIndex.from_product([["a", "b"], [1, 2]])).to_csv("rows")
    elif kind == "R's row names":
        table.to_csv("rows", index_label=" ", quoting=csv.QUOTE_NONNUMERIC)
        Path("rows").write_text(Path("rows").read_text().replace('" "', '""', 1))
    elif kind == "unquoted tsv":
        Path("rows").write_text("sentence\tlabel\n" + "".join(f"{text}\t{n % 2}\n" for n, text in enumerate(texts)))
    else:
        table.to_json("rows", orient="records", lines=kind == "json lines", force_ascii=False)
    file = {"path": "rows", "columns": None}
    options = Options(**{**tsv_data, "format": form, "quoting": quoting, "train": file, "test": file})
    if form == "jsonl":
        options = options.model_copy(update={"label_names": ["0", "1"]})
    splits = load(options, 1)
    assert splits.train.texts == [(text,) for text in texts]
    assert splits.train.labels == [0, 1, 0, 1]


@pytest.mark.parametrize(("kind", "quoting"), [("csv", True), ("tsv", False)])
def test_a_carriage_return_without_quotes_is_named(study, tsv_data, kind, quoting):
    """As pandas itself writes it, and cannot read it."""
    Path("train.tsv").write_bytes(f"sentence{',' if quoting else chr(9)}label\na\rfilm,1\n".encode())
    changes = {"format": kind, "quoting": quoting}
    with pytest.raises(DataError) as caught:
        load(Options(**{**tsv_data, **changes}), 1)
    assert caught.value.fix.startswith("a carriage return ends a line where no quotes are around its field")


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_of_json_objects_is_read_as_its_rows(study, tsv_data, indent):
    Path("rows.json").write_text(
        json.dumps([{"sentence": text, "label": 1} for text in TABLE["sentence"]], indent=indent)
    )
    file = {"path": "rows.json", "columns": None}
    changes = {"format": "jsonl", "quoting": None, "train": file, "test": file, "label_names": ["0", "1"]}
    assert load(Options(**{**tsv_data, **changes}), 1).train.texts == [(text,) for text in TABLE["sentence"]]
    Path("rows.json").write_text('{"rows": [\n{"sentence": "x", "label": 1}]}')
    with pytest.raises(DataError, match="or one array of objects"):
        load(Options(**{**tsv_data, **changes}), 1)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "cp1252"])
def test_another_encoding_is_named_and_the_printed_command_makes_the_file_readable(study, tsv_data, encoding):
    text = Path("train.tsv").read_text().replace("a ", "a “café” ", 1)
    Path("train.tsv").write_bytes(text.encode(encoding))
    with pytest.raises(DataError) as caught:
        load(Options(**tsv_data), 1)
    wide = encoding.upper().removesuffix("-LE").removesuffix("-BE")
    assert caught.value.happened.startswith(
        "it is not UTF-8: byte" if encoding == "cp1252" else f"it is {wide}, not UTF-8"
    )
    command = caught.value.fix[caught.value.fix.index("iconv") :].replace("OLD > NEW", "train.tsv")
    made = subprocess.run(command.split(), capture_output=True, check=True).stdout.decode()
    assert made.removeprefix("\ufeff") == text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"read train.tsv[\s\S]*there is no such file"),
        (b"", r"it is empty \(0 bytes\)"),
        (b"sentence\tlabel\n", r"train.tsv[\s\S]*a header but not one row"),
        (b"text\tlabel\nx\t0\n", r"no column 'sentence'; it has 'text', 'label'"),
        (b"sentence\tscore\nx\t0\n", r"no column 'label'; it has 'sentence', 'score'"),
        (b"sentence\tsentence\nx\t0\n", r"names a column twice"),
        (b"sentence\tlabel\nx\t0\ncaf\xe9\t1\n", r"not UTF-8: byte 0xe9 at position 22 \(line 3\)"),
        (b"sentence\tlabel\nx\0y\t0\n", r"NUL byte at position 16 \(line 2\)"),
        (b"sentence\tlabel\nx\n", r"line 2 has 1 fields, where the columns are \['sentence', 'label'\]"),
        (b"sentence\tlabel\nx\ty\t0\nx\ty\t1\n", r"line 2 has 3 fields"),  # pandas would shift the columns
        (b"sentence\tlabel\nx\t0\n\ny\t1\n", r"line 3 has 0 fields"),
        (b"sentence\tlabel\nx\t0\ny\t\n", r"label is missing in 1 row \(counted from 1, without a header: 2\)"),
        (b"sentence\tlabel\nx\t0\ny\t2\n", r"holds the labels '0', '2'"),
    ],
)
def test_a_bad_table_is_an_error_that_says_where(study: Path, tsv_data: dict[str, Any], content: bytes, message: str):
    Path("train.tsv").unlink() if content is None else Path("train.tsv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(Options(**tsv_data), 1)


@pytest.mark.parametrize(
    ("kind", "quoting", "content", "message"),
    [
        ("csv", True, b'sentence,label\n"open,1\nx,0\n', r"line 3: unexpected end of data[\s\S]*quoting: false"),
        ("jsonl", None, b'{"sentence": "x", "label": 0}\n{"sentence": \n', r"line 2 is not a JSON object"),
        ("jsonl", None, b'{"sentence": "x"}\n', r"no column 'label'; it has 'sentence'"),
        ("jsonl", None, b'{"sentence": "x", "label": null}\n', r"no column|label is missing in 1 row"),
        ("jsonl", None, b'{"sentence": 3, "label": 0}\n', r"1 row .* hold int instead of text"),
        ("parquet", None, b"PAR1 cut short", r"read train.tsv[\s\S]*(magic|Parquet|parquet)"),
    ],
)
def test_bad_files_of_the_other_formats_are_errors(study, tsv_data, kind, quoting, content, message):
    Path("train.tsv").write_bytes(content)
    changes = {"format": kind, "quoting": quoting, "test": {"path": "train.tsv", "columns": None}}
    with pytest.raises(DataError, match=message):
        load(Options(**{**tsv_data, **changes}), 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation_rows": None}, "neither is given"),
        ({"validation": {"path": "train.tsv", "columns": None}}, "both are given"),
        ({"quoting": None}, "quoting must be true or false for format tsv"),
        ({"format": "parquet"}, "quoting must be null for format parquet"),
        ({"format": "jsonl", "quoting": None}, "columns must be null for format jsonl"),
        ({"label_names": ["a", "a"]}, "holds a name twice"),
        ({"separator": ";"}, "Extra inputs are not permitted"),
    ],
)
def test_contradicting_keys_are_refused_while_planning(tsv_data, changes, message):
    with pytest.raises(ValueError, match=message):
        Options(**{**tsv_data, **changes})


def wide(path: Path, columns: int, delimiter: str) -> str:
    names = [f"c{number}" for number in range(columns)]
    path.write_text("\n".join([delimiter.join(names), *[delimiter.join(["x"] * columns)] * 20]) + "\n")
    return str(path)


@pytest.mark.parametrize(
    ("columns", "format", "delimiter"),
    [
        (2_000, "tsv", "\t"),
        pytest.param(400, "tsv", "\t", marks=pytest.mark.long),
        pytest.param(2_000, "csv", ",", marks=pytest.mark.long),
    ],
)
def test_a_wide_table_costs_what_is_asked_of_it(tmp_path, columns, format, delimiter):
    path, began = wide(tmp_path / "wide", columns, delimiter), time.process_time()
    found = read_columns(path, format=format, quoting=False, columns=None, wanted=["c0", "c399"])
    assert time.process_time() - began < 5  # it was 52 s for 400, and grew with the square
    assert found.values["c399"] == ["x"] * 20


@pytest.mark.parametrize(("format", "delimiter"), [("tsv", "\t"), ("csv", ",")])
def test_a_table_wider_than_is_read_is_refused_in_words(tmp_path, format, delimiter):
    with pytest.raises(DataError, match="it has 4,097 columns, and 4,096 is the most that is read"):
        read_columns(
            wide(tmp_path / "wide", 4_097, delimiter), format=format, quoting=False, columns=None, wanted=["c0"]
        )
