"""A study as an object: records as a pandas frame, the choice, answers, artifacts. Files are checked as commands check them."""

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temper.errors import ArtifactError, ConfigError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from temper.report.filed import FiledStudy
    from temper.report.finished import Finished

_STANDING = threading.RLock()  # a study's code works in its folder, and a process has one working directory


@dataclass(frozen=True)
class Chosen:
    """What the decision says of a workload.

    candidate: its name; None where the evidence allows none.
    provisional: more test rows, or figures that hold, may change it; the sentence says which.
    speed_up: how many times as fast as the baseline; None where none was chosen.
    sentence: the same in words, with intervals and reasons.
    """

    candidate: str | None
    provisional: bool
    speed_up: float | None
    sentence: str


@dataclass(frozen=True, eq=False)
class Predictions:
    """Answers to texts or images, in their order.

    labels: the answer to each row in words: its most probable label, or its labels with commas between them.
    confidences: float64 [rows]: the model's own probability that it is right.
    probabilities: float64 [rows, labels]: softmax of the logits, or of any number of labels the sigmoid of each.
    label_names: in the order of the columns of `probabilities`.
    candidate: which answered.
    notes: what has to be said beside them: rows that were cut, a provisional choice.
    """

    labels: list[str]
    confidences: "npt.NDArray[np.float64]"
    probabilities: "npt.NDArray[np.float64]"
    label_names: tuple[str, ...]
    candidate: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Artifact:
    """Files of an artifact, as its manifest vouches for them.

    folder: absolute path.
    files: SHA-256 by name.
    manifest: its content.
    """

    name: str
    folder: Path
    files: Mapping[str, str]
    manifest: Mapping[str, Any]


class OpenStudy:
    """A study's folder, or a folder of filed records; everything is read when it is asked for.

    Calls of several threads wait for each other: the working directory is changed while one reads.

    Args:
        path: its folder.
        machine: whose report is meant, where it has several.

    Raises:
        ConfigError: it holds no params.yaml.
    """

    def __init__(self, path: "str | os.PathLike[str]", machine: str | None = None) -> None:
        self.machine = machine
        self.folder = Path(path).resolve()
        if not (self.folder / "params.yaml").is_file():
            raise ConfigError(
                asked=f"open the study in {path}",
                happened=f"{self.folder / 'params.yaml'} does not exist",
                affected="nothing",
                fix="name the folder of a study, or of filed records: results/<machine>/<study>",
            )

    def __repr__(self) -> str:
        return f"open_study({str(self.folder)!r})"

    @property
    def is_filed(self) -> bool:
        """Whether it is filed records, without artifacts."""
        return (self.folder / "records.json").is_file()

    def records(self) -> "pd.DataFrame":
        """A row for each candidate and workload: what was measured, against the baseline, with 95 % intervals.

        Columns are those of `temper.report.tables.Row`, units in their names, and `speed_up` with `speed_up_low` and
        `speed_up_high`: times as fast as the baseline (1 / `latency_ratio`). What was not measured is missing, and `reason`
        says why.

        Raises:
            DataError: the study has not been run to its end.
            ArtifactError: a record was altered since it was taken.
        """
        import pandas as pd

        from temper.report.tables import rows

        if self.is_filed:
            filed = self._filed()
            found = rows(filed.records, filed.compared)
        else:
            with self._standing_there():
                finished = self._finished("read the records of this study")
                found = rows([finished.record(name) for name in finished.candidates], finished.comparison)
        frame = pd.DataFrame([asdict(row) for row in found])
        for own, of in (("speed_up", ""), ("speed_up_low", "_high"), ("speed_up_high", "_low")):
            frame[own] = 1 / frame[f"latency_ratio{of}"].astype(float)
        return frame

    def choice(self) -> dict[str, Chosen]:
        """What to serve, by workload.

        Raises:
            DataError: the study has not been run to its end.
            ArtifactError: a record or the report was altered.
        """
        from temper.report.decide.decision import decide

        if self.is_filed:
            filed = self._filed()
            decision = decide(filed.records, filed.compared)
        else:
            with self._standing_there():
                decision = self._finished("read the choice of this study").decision
        return {
            name: Chosen(
                candidate=each.chosen,
                provisional=each.may_change,
                speed_up=None if each.latency_ratio is None else 1 / each.latency_ratio,
                sentence=each.sentence,
            )
            for name, each in decision.workloads.items()
        }

    def predict(
        self,
        inputs: "Sequence[str | tuple[str, str]]",
        *,
        candidate: str | None = None,
        workload: str | None = None,
        batch_size: int | None = None,
        strict: bool = False,
    ) -> Predictions:
        """Answer with what the decision chose, as `temper predict` does.

        Args:
            inputs: texts; of a study of pairs, pairs of texts; of images, their paths.
            candidate: its name; None takes the decision's.
            workload: whose decision counts; None takes the one nearest to the number of inputs.
            batch_size: rows of a call; None: as many as when the accuracy was measured.
            strict: refuse rows that would be cut, and calls that do not fit.

        Raises:
            PipelineError: as `temper.prediction.answered.answered`; DataError where an input is empty.
        """
        from temper.data.examples import Examples
        from temper.data.images import ImageFiles
        from temper.data.prepare import check_examples
        from temper.prediction.answered import answered

        self._refuse_filed("predict")
        rows = [(each,) if isinstance(each, str) else tuple(each) for each in inputs]
        paths = [str(Path(each[0]).resolve()) for each in rows]
        with self._standing_there():
            finished = self._finished("predict with the artifact that the study's decision chose")
            task = finished.params["model"]["task"]
            given: dict[str, Any] = {"images": ImageFiles(paths)} if task == "image-classification" else {"texts": rows}
            examples = Examples(origin="what predict was given", labels=[0] * len(rows), **given)
            check_examples(examples, task)
            wanted = {"candidate": candidate, "workload": workload}
            choice, _, found = answered(finished, examples, **wanted, batch_size=batch_size, strict=strict)
        return Predictions(
            labels=found.labels,
            confidences=found.confidences,
            probabilities=found.probabilities,
            label_names=found.label_names,
            candidate=choice.candidate,
            notes=(*choice.notes, *found.notes),
        )

    def artifact(self, name: str) -> Artifact:
        """Files of an artifact; their digests are checked.

        Args:
            name: of a candidate, or what it loads: checkpoint, onnx/<entry>, engines/<entry>.

        Raises:
            ConfigError: there is no such candidate or artifact.
            ArtifactError: a file is not there, or not what its manifest says.
        """
        from temper.artifacts.manifest import MANIFESTS, read_manifest
        from temper.study.resolve import load_resolved

        self._refuse_filed("artifact")
        candidates: Mapping[str, Mapping[str, Any]] = load_resolved(self.folder / "params.yaml")["candidates"]
        loads = candidates[name]["loads"] if name in candidates else name
        kind = loads.partition("/")[0]
        if loads not in {row["loads"] for row in candidates.values()} or kind not in MANIFESTS:
            raise ConfigError(
                asked=f"open the artifact {name} of {self.folder.name}",
                happened="no candidate has this name or loads it",
                affected="nothing",
                fix=f"name one of {', '.join(candidates)}",
            )
        with self._standing_there():
            folder = Path("artifacts", loads)
            manifest = read_manifest(folder / MANIFESTS[kind], kind={"engines": "engine"}.get(kind, kind))
            files = {file: str(facts["sha256"]) for file, facts in manifest["files"].items()}
            return Artifact(loads, folder.resolve(), files, manifest)

    def _filed(self) -> "FiledStudy":
        from temper.report.filed import read_filed_study

        return read_filed_study(self.folder)

    def _finished(self, asked: str) -> "Finished":
        from temper.report.finished import read_finished

        return read_finished(asked, self.machine)

    def _refuse_filed(self, what: str) -> None:
        if self.is_filed:
            raise ArtifactError(
                asked=f"{what} with {self.folder}",
                happened="it is filed records: the artifacts are not with them",
                affected="nothing",
                fix=f"open the study's own folder, once it was run: temper run -C studies/{self.folder.name}",
            )

    @contextlib.contextmanager
    def _standing_there(self) -> Iterator[None]:
        with _STANDING, contextlib.chdir(self.folder):
            yield
