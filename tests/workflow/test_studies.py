"""The studies of this repository: their params.yaml cut down to tiny sizes, and run where they need no hub."""

import json
from pathlib import Path

import pytest
import yaml

from temper.study import read_study
from tests.workflow.conftest import ROOT
from tests.workflow.cut_down import cut_down

STUDIES = sorted(path.parent.name for path in ROOT.glob("studies/*/params.yaml"))


def params_of(name: str) -> dict[str, object]:
    return yaml.safe_load((ROOT / "studies" / name / "params.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_cut_down_is_right_and_has_the_same_rows(name):
    whole = params_of(name)
    small = cut_down(whole)
    assert whole == params_of(name)  # nothing of what was given is changed
    read, of_whole = read_study(small), read_study(whole)
    assert read.jobs == of_whole.jobs
    assert {row: candidate.workloads for row, candidate in read.candidates.items()} == {
        row: candidate.workloads for row, candidate in of_whole.candidates.items()
    }
    assert read.baseline == of_whole.baseline
