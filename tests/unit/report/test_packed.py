import json
import lzma

import pytest

from temper.errors import ArtifactError
from temper.report.json_text import exact_json
from temper.report.packed import LISTS, LONG, RECORDS, Packed, pack, sha256_of

LOGITS = [[number / 7, -number / 3] for number in range(LONG + 1)]
DOCUMENTS = {
    "a": {"accuracy": {"logits": LOGITS, "labels": list(range(LONG + 1))}, "latencies_ms": [0.1 + 0.2] * 100},
    "b": {"accuracy": {"logits": LOGITS, "short": [1, 2]}, "ranges": {f"t{number}": number for number in range(99)}},
}


def filed(folder, documents=DOCUMENTS):
    for name, content in pack({RECORDS: documents}).items():
        (folder / name).write_bytes(content)
    return Packed(folder)


def test_documents_come_back_byte_for_byte(tmp_path):
    packed = filed(tmp_path)
    for name, document in DOCUMENTS.items():
        assert exact_json(packed.document(RECORDS, name)) == exact_json(document)
        assert sha256_of(packed.document(RECORDS, name)) == sha256_of(document)


def test_long_lists_stand_apart_once_and_short_ones_where_people_read(tmp_path):
    filed(tmp_path)
    read = json.loads((tmp_path / RECORDS).read_text())
    assert read["b"]["accuracy"]["short"] == [1, 2]
    assert read["a"]["accuracy"]["logits"] == read["b"]["accuracy"]["logits"]
    lines = [json.loads(line) for line in lzma.decompress((tmp_path / LISTS).read_bytes()).splitlines()]
    assert [line["of"] for line in lines] == [
        "records.json/a/accuracy/labels",
        "records.json/a/accuracy/logits",
        "records.json/a/latencies_ms",
        "records.json/b/ranges",
    ]
    assert lines[1]["values"] == LOGITS
    assert read["a"]["accuracy"]["logits"] == {"apart": lines[1]["sha256"], "length": LONG + 1}


def test_equal_documents_give_equal_bytes_whatever_their_order():
    turned = {name: dict(reversed(document.items())) for name, document in reversed(DOCUMENTS.items())}
    assert pack({RECORDS: turned}) == pack({RECORDS: DOCUMENTS})


def test_a_list_that_was_altered_is_refused(tmp_path):
    filed(tmp_path)
    text = lzma.decompress((tmp_path / LISTS).read_bytes()).decode()
    (tmp_path / LISTS).write_bytes(lzma.compress(text.replace("0.30000000000000004", "0.3", 1).encode()))
    with pytest.raises(ArtifactError, match=r"no list .* as it was filed") as caught:
        Packed(tmp_path).document(RECORDS, "a")
    assert caught.value.fix.startswith(f"git checkout -- {tmp_path} ")


@pytest.mark.parametrize(
    ("file", "content"), [(LISTS, b"no archive"), (RECORDS, b"{"), (RECORDS, b"[]"), (LISTS, None)]
)
def test_what_cannot_be_read_is_an_error_in_its_parts(tmp_path, file, content):
    filed(tmp_path)
    (tmp_path / file).unlink() if content is None else (tmp_path / file).write_bytes(content)
    with pytest.raises(ArtifactError, match=f"read what was filed in .*{file}"):
        Packed(tmp_path).document(RECORDS, "a")


def test_a_document_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ArtifactError, match="it has no 'c'"):
        filed(tmp_path).document(RECORDS, "c")
    assert Packed(tmp_path).documents("jobs.json") == {}


def test_a_value_that_looks_like_a_reference_is_refused():
    with pytest.raises(ValueError, match=r"records\.json/a/x looks like"):
        pack({RECORDS: {"a": {"x": {"apart": "0", "length": 1}}}})
