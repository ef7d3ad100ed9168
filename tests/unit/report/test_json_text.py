import json

import pytest

from temper.artifacts.manifest import canonical_json
from temper.report.json_text import WIDTH, exact_json, readable_json

VALUE = {
    "b": [1.5, -0.0, 1e-07, 12345678901234567890, None, True, "ä, \n: "],
    "a": {"logits": [[0.1, 2.0], [], [3]], "mixed": [1, {"x": []}], "10": {}, "9": ""},
    "long": [0.1234567] * 40,
}


@pytest.mark.parametrize(
    "value",
    [
        VALUE,
        {},
        [],
        1.0,
        "text",
        [[]],
        {"a": []},
        [[1.5, 2], [3]],
        {"a": [[0.1, -2e-09], [3, 4]]},
        [[1], []],
        [["],[", ","], [1]],
        [[[1]], [[2]]],
    ],
)
def test_exact_text_is_that_of_canonical_json(value):
    assert exact_json(value) == canonical_json(value)


def test_what_is_no_number_is_refused():
    for write in (exact_json, readable_json):
        with pytest.raises(ValueError, match="JSON compliant"):
            write({"a": [float("nan")]})


def test_readable_text_holds_the_same_value_and_one_line_for_what_fits():
    text = readable_json(VALUE)
    assert json.loads(text) == VALUE
    assert '    "logits": [[0.1, 2.0], [], [3]],' in text.splitlines() or '"logits": [[0.1, 2.0], [], [3]]' in text
    assert max(map(len, text.splitlines())) <= WIDTH
    assert readable_json({"a": 1, "b": [1, 2]}) == '{"a": 1, "b": [1, 2]}\n'
