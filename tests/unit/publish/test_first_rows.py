import numpy as np
import pytest

from temper.errors import ArtifactError
from temper.publish.first_rows import first_rows_markdown
from tests.unit.publish.committed import READ, ROOT, filled

FOLDER = "results/cpu-2c/calibration"


@pytest.fixture(scope="module")
def study():
    return READ(ROOT / FOLDER)


def cells(table: str, line: int) -> list[str]:
    return [cell.strip() for cell in table.splitlines()[line].strip("|").split("|")]


def test_first_rows_stand_beside_all_rows(study):
    table = first_rows_markdown(study, 1000, ["nncf-300", "minmax-12000-outputs"])
    record = next(record for record in study.records if record.candidate == "nncf-300")
    right = np.asarray(record.accuracy.answers.predictions) == np.asarray(record.accuracy.labels)
    own, compared = cells(table, 2), study.compared.candidates["nncf-300"]
    assert cells(table, 0)[1] == "1,000 rows: accuracy %"
    assert own[0] == "nncf-300"
    assert own[1] == f"{100 * right[:1000].mean():.2f}"
    assert own[5] == f"{100 * compared.accuracy.accuracy:.2f}"
    assert own[7:] == [str(compared.paired.labels_differing), compared.accuracy_verdict]
    assert own[1] != own[5]
    assert cells(table, 3)[0] == "minmax-12000-outputs"


@pytest.mark.parametrize(("rows", "candidate"), [(2694, "nncf-300"), (1000, "harness"), (1000, "no-such")])
def test_what_has_no_answers_is_refused(study, rows, candidate):
    with pytest.raises(ArtifactError) as caught:
        first_rows_markdown(study, rows, [candidate])
    assert "no answers of it on as many rows" in caught.value.happened


def test_a_mark_on_a_page_is_filled(study):
    page = f"<!-- first rows of {FOLDER} for 1000 nncf-300 -->\nold\n<!-- end of table -->\n"
    written = filled(page, ROOT)
    assert first_rows_markdown(study, 1000, ["nncf-300"]) in written
    assert "old" not in written
