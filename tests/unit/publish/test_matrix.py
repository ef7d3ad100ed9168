import json
from pathlib import Path

import pytest

from temper.publish.matrix import ENGINES, FILE, OPSETS, RUNTIMES, STEPS, families, page

ROOT = Path(__file__).parents[3]
CONTENT = {
    "versions": {"torch": "1", "transformers": "2"},
    "families": {
        "BERT": {
            "opsets": {"20": {"difference": 1e-7}, "23": {"refused": "ValueError: no"}},
            "steps": {
                "export": {"ONNX Runtime": {"difference": 1e-7}, "OpenVINO": {"difference": 0.013}},
                "pack_rows": {"refused": "ValueError: no"},
            },
            "engines": {"export": {"built": 12}, "fp16": {"refused": "BackendError: no kernel"}},
        },
        "Swin": {
            "opsets": {"20": {"difference": 1e-7, "attention": "eager"}},
            "steps": {},
            "engines": {"export": {"built": 12}, "fp16": {"built": 14}},
        },
        "None": {"refused": "KeyError: unknown"},
    },
}


def test_a_cell_says_what_happened_and_reasons_are_listed_once():
    text = page(CONTENT)
    lines = {
        line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ") for line in text.splitlines() if "|" in line
    }
    assert lines["BERT"][1:3] == ["✓ · [1]", "✓ · 1.3 %"]
    assert lines["BERT"][-2:] == ["[1]", "built · [2]"]
    assert lines["Swin"][-1] == "built"
    assert lines["Swin"][1] == "✓ (eager) · –"
    assert lines["None"][1] == "[3]"
    assert "1. ValueError: no\n2. BackendError: no kernel\n3. KeyError: unknown" in text
    assert len({len(line) for line in lines.values()}) == 1
    assert "3 families" in text
    assert "6 cells answer or are built" in text


def test_thirty_families_are_tried():
    known = families()
    assert len(known) == 30
    assert {family["task"] for family in known.values()} == {"text-classification", "image-classification"}


def test_the_page_is_that_of_the_records():
    if not (ROOT / FILE).is_file():
        pytest.skip("make matrix has not run")
    content = json.loads((ROOT / FILE).read_text(encoding="utf-8"))
    assert (ROOT / "docs/matrix.md").read_text(encoding="utf-8") == page(content)
    for found in content["families"].values():
        if "refused" not in found:
            assert set(found["opsets"]) == set(map(str, OPSETS))
            assert set(found["steps"]) <= {"export", *STEPS}
            assert set(found["engines"]) <= set(ENGINES)
            assert all(set(step) in ({"refused"}, set(RUNTIMES)) for step in found["steps"].values())
