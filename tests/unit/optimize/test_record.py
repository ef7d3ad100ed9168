from temper.optimize.record import append, digest, lines


def test_lines_come_back_in_their_order(tmp_path):
    record = tmp_path / "below/record.jsonl"
    assert list(lines(record)) == []
    append(record, {"kind": "opens", "point": "a"})
    append(record, {"kind": "turns", "challenger_ms": [1.25]})
    assert list(lines(record)) == [{"kind": "opens", "point": "a"}, {"kind": "turns", "challenger_ms": [1.25]}]


def test_a_line_that_a_kill_tore_is_passed_over_and_gone_with_the_next(tmp_path):
    record = tmp_path / "record.jsonl"
    append(record, {"kind": "opens"})
    for torn in (b'{"kind": "turns", "chall', b'{"kind": "failed"}'):
        record.write_bytes(record.read_bytes() + torn)
        assert [line["kind"] for line in lines(record)][-1] == "opens"
        append(record, {"kind": "opens", "point": "b"})
    assert [line["kind"] for line in lines(record)] == ["opens"] * 3


def test_a_line_of_something_else_is_passed_over(tmp_path):
    record = tmp_path / "record.jsonl"
    record.write_text('[1]\nnothing\n{"kind": "opens"}\n', encoding="utf-8")
    assert list(lines(record)) == [{"kind": "opens"}]


def test_equal_values_have_one_digest():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
