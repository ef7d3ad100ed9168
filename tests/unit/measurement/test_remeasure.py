import pytest

from temper.artifacts.manifest import canonical_json
from temper.errors import ArtifactError
from temper.measurement import remeasure as module
from temper.measurement.record import NotMeasured, Workload
from temper.measurement.record_file import read_record
from temper.measurement.remeasure import cells_to_retake, reference_does_not_hold, remeasure
from temper.measurement.remeasurements import read_remeasurements
from tests.records import record, workload
from tests.tiny_study import SEED as SEED
from tests.unit.backends.test_runner import CPU
from tests.unit.measurement.test_measure import WORKLOADS
from tests.unit.measurement.test_measure import run as run  # the fixture

BUSY = NotMeasured(reason="the machine was busy: python takes 97 % of a processor", cause="busy")


def beside(candidate, level_ms, name="b1"):
    """A candidate beside which the baseline took so long."""
    taken = workload([1.0] * 3).model_copy(update={"baseline_latencies_ms": [level_ms] * 3})
    return record(candidate, workloads={name: taken})


def busy(candidate):
    return record(candidate, workloads={"b1": BUSY})


def test_cells_beside_which_the_baseline_moved_and_cells_that_were_busy_are_taken_again():
    records = [beside("base", 2.0), beside("a", 2.08), beside("b", 2.2), beside("c", 1.8), busy("d")]
    assert cells_to_retake(records, "base", "b1", 0.05) == {
        "b": "beside it the baseline took 2.2 ms, beside itself 2 ms",
        "c": "beside it the baseline took 1.8 ms, beside itself 2 ms",
        "d": "the machine was busy",
    }
    assert cells_to_retake(records, "base", "another", 0.05) == {}


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([beside("base", 2.0), *(beside(name, 2.05) for name in "abc")], None),
        ([busy("base"), beside("a", 2.0)], "the machine was busy"),
        (
            [beside("base", 9.0), *(beside(name, 2.05) for name in "abcd")],
            "beside itself the baseline took 9 ms, beside most candidates 2.05 ms",
        ),
        ([beside("base", 9.0), beside("a", 2.0), beside("b", 2.0)], None),  # two do not outvote it
        ([beside("base", 9.0), *(beside(str(level), level) for level in (1.0, 2.0, 4.0, 8.0))], None),  # nor do these
        ([beside("a", 2.0)], None),
        (
            [record("base", workloads={"b1": workload([1.0] * 3, ratio=(0.777, 0.471, 1.396))}), beside("a", 2.0)],
            "the baseline took 0.777 times as long as itself",
        ),
    ],
    ids=["holds", "busy", "outvoted", "too few", "no agreement", "no baseline", "not itself"],
)
def test_the_reference_is_the_baseline_beside_itself_unless_it_alone_was_disturbed(records, why):
    assert reference_does_not_hold(records, "base", "b1", 0.05) == why


@pytest.fixture
def study(run, tiny_study, tmp_path, monkeypatch):
    """Takes two measured records, altered as a test wants, through `remeasure`; gives what it wrote."""

    def study(alter, *, spoil=lambda folder: None):
        paths = []
        for runner in ("onnxruntime", "openvino"):
            own = read_record(run(runner))
            path = tmp_path / f"{runner}.json"
            path.write_text(canonical_json(alter(runner, own).model_dump(mode="json")))
            paths.append(str(path))
        monkeypatch.setattr(module, "measuring_machine", lambda: {"cpu": own.machine["cpu"]})
        artifacts = tmp_path / "artifacts"
        (artifacts / "onnx").mkdir(parents=True)
        (artifacts / "onnx/fp32").symlink_to(tiny_study.fp32)
        spoil(artifacts)
        remeasure(
            records=paths,
            baseline="onnxruntime-candidate",
            baseline_backend={
                "runner": "onnxruntime",
                "version": "installed",
                "gpus": 0,
                "options": CPU["onnxruntime"][1],
            },
            baseline_version="installed",
            workloads=WORKLOADS,
            latency_margin=9.0,  # this machine may be doing anything
            artifacts_folder=str(artifacts),
            data_folder=str(tiny_study.data),
            remeasurements=str(tmp_path / "remeasurements.json"),
            source_digest="abc",
        )
        return read_remeasurements(tmp_path / "remeasurements.json")

    return study


def altered(own, **workloads):
    return own.model_copy(update={"workloads": {**own.workloads, **workloads}})


def test_what_was_busy_is_taken_once_more_and_what_holds_is_not(study):
    found = study(lambda runner, own: altered(own, b3=BUSY) if runner == "openvino" else own)
    assert found.cells.keys() == {"openvino-candidate"}
    cells = found.cells["openvino-candidate"]
    assert cells.keys() == {"b3"}
    assert cells["b3"].why == "the machine was busy"
    taken = cells["b3"].workload
    assert isinstance(taken, Workload)
    assert (taken.batch_size, taken.timed_runs >= 12) == (3, True)
    assert taken.contention is not None


@pytest.mark.usefixtures("made_up_figures")
def test_of_a_cell_beside_which_the_baseline_moved_only_the_turns_are_taken_again(study):
    def moved(runner, own):
        if runner != "openvino":
            return own
        first = own.workloads["b3"]
        slower = {
            "baseline_latencies_ms": [100 * each for each in first.baseline_latencies_ms],
            "alone_median_ms": 123.0,
            "ratio": first.ratio.model_copy(
                update={key: getattr(first.ratio, key) / 100 for key in ("ratio", "low", "high")}
            ),
        }
        return altered(own, b3=first.model_copy(update=slower))

    taken = study(moved).cells["openvino-candidate"]["b3"].workload
    assert taken.alone_median_ms == 123.0
    assert taken.baseline_latencies_ms is not None


@pytest.mark.usefixtures("made_up_figures")
def test_where_all_holds_nothing_is_taken(study):
    """Whatever this machine was doing meanwhile: the levels are made equal."""

    def level(each):
        quiet = each.contention.model_copy(update={"others_share": 0.0})
        same = [1.0] * len(each.baseline_latencies_ms)
        even = each.ratio.model_copy(update={"ratio": 1.0, "low": 0.99, "high": 1.01})
        return each.model_copy(update={"baseline_latencies_ms": same, "contention": quiet, "ratio": even})

    found = study(lambda _, own: altered(own, **{name: level(each) for name, each in own.workloads.items()}))
    assert found.cells == {}


def test_a_busy_reference_is_taken_first(study):
    found = study(lambda runner, own: altered(own, b1=BUSY) if runner == "onnxruntime" else own)
    assert isinstance(found.cells["onnxruntime-candidate"]["b1"].workload, Workload)


def test_a_record_of_another_machine_is_not_completed_on_this_one(study):
    with pytest.raises(ArtifactError, match="taken on another machine") as caught:
        study(
            lambda runner, own: (
                altered(own, b1=BUSY).model_copy(update={"machine": {**own.machine, "cpu": "Another"}})
                if runner == "openvino"
                else own.model_copy(update={"machine": {**own.machine}})
            )
        )
    assert "--forcerun measure" in caught.value.fix


def test_another_artifact_than_the_records_is_refused(study):
    with pytest.raises(ArtifactError, match="other files than its record was taken of"):
        study(
            lambda runner, own: altered(own, b1=BUSY).model_copy(
                update={"artifact": own.artifact.model_copy(update={"files_sha256": {"model.onnx": "another"}})}
            )
        )
