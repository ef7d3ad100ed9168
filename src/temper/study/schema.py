"""The closed schema of params.yaml. No key has a default: a removed key is an error that names it."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PositiveFloat,
    PositiveInt,
    Tag,
)

from temper.environment.library import VERSION_PATTERN
from temper.study.names import Loads, Name
from temper.study.sections.buckets import BucketsRow
from temper.study.sections.machines import MachineRow
from temper.study.sections.measurement import Analysis, Measurement, distinct
from temper.study.sections.model import ArchitectureModel, CheckpointModel
from temper.study.sections.optimize import OptimizeSection
from temper.study.sections.quantization_aware import QuantizationAwareRow
from temper.study.sections.searches import SearchRow

PACKING_STEP = "pack_rows"  # temper/transforms/pack_rows.py
Version = Annotated[str, Field(pattern=VERSION_PATTERN)]
Shape = tuple[PositiveInt, ...]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ExportRow(_Closed):
    """An ONNX file out of the checkpoint."""

    opset: Annotated[int, Field(ge=18, le=24)]
    max_logit_difference: PositiveFloat  # largest difference from PyTorch that still counts as parity


class LabelRows(_Closed):
    """Calibration rows of one label."""

    label: str


class CalibrationRow(_Closed):
    """A calibration cache: activation ranges of one ONNX file."""

    method: str
    samples: PositiveInt
    # all but drawn: to see what wrong data does
    rows: Literal["drawn", "random_ids", "shuffled_tokens", "digits_as_text"] | LabelRows
    onnx: Name


class EngineRow(_Closed):
    """A TensorRT engine out of an ONNX file; shapes give the dynamic axes in order (batch, then sequence)."""

    library: str
    version: Version
    onnx: Name


class DynamicEngineRow(EngineRow):
    """One optimization profile for all calls."""

    min_shape: Shape
    opt_shape: Shape
    max_shape: Shape


class StaticEngineRow(EngineRow):
    """One optimization profile for each of these shapes; smaller calls are padded to one of them."""

    static_shapes: Annotated[tuple[Shape, ...], Field(min_length=1), AfterValidator(distinct)]


class BucketedEngineRow(EngineRow):
    """The same for the lengths of a row of `buckets:`, which is chosen from the data."""

    buckets: Name


# the key that says which form a row of engines has, and the form's name in pydantic's paths (temper/study/study.py)
ENGINE_FORMS = {"static_shapes": "engine-of-static-shapes"}
DYNAMIC_ENGINE = "engine-of-a-dynamic-profile"


def _engine_form(row: Any) -> str:
    keys = row if isinstance(row, dict) else type(row).model_fields if isinstance(row, EngineRow) else ()
    return next((form for key, form in ENGINE_FORMS.items() if key in keys), DYNAMIC_ENGINE)


Engine = Annotated[
    Annotated[DynamicEngineRow, Tag(DYNAMIC_ENGINE)] | Annotated[StaticEngineRow, Tag(ENGINE_FORMS["static_shapes"])],
    Discriminator(_engine_form),
]


class BackendRow(_Closed):
    """An inference backend with its settings."""

    runner: str
    version: Version
    gpus: Annotated[int, Field(ge=0)]
    options: dict[str, Any]


class BaselineRow(_Closed):
    """What every candidate is timed beside and held against."""

    backend: Name
    loads: Loads


class CandidateRow(_Closed):
    """One artifact on one backend: what is measured."""

    backend: Name
    loads: Loads
    workloads: Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(distinct)]
    machine: Name | None = None  # a row of `machines:`; None: the machine that plans, too


class Study(_Closed):
    """One model on one data set: the whole of params.yaml."""

    study: Name
    """name of the study, in records and reports"""
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    """of everything that is drawn: data, splits, weights, order, timed rows"""
    data: dict[str, Any]  # closed by temper/data/<source>.py
    model: Annotated[ArchitectureModel | CheckpointModel, Field(discriminator="source")]
    train: dict[str, Any]  # closed by temper/training/<method>.py
    onnx_external_data: bool
    """weights in `model.onnx.data` beside the graph, for every ONNX row; needed above 2 GB"""
    exports: Annotated[dict[Name, ExportRow], Field(min_length=1)]
    calibration_methods: dict[str, dict[str, Any]]  # options of each method in use; closed by its file
    calibrations: dict[Name, CalibrationRow]
    precisions: dict[Name, dict[str, Any]]  # step, onnx; the rest closed by its file
    calibrated_precisions: dict[Name, dict[str, Any]]  # step, onnx, calibration; the rest closed by its file
    searches: dict[Name, SearchRow]  # which layers of a quantised file to keep in float
    searched_precisions: dict[Name, dict[str, Any]]  # step, onnx, calibration, search; the rest closed by its file
    quantization_aware: dict[Name, QuantizationAwareRow]  # fine-tuned with fake quantisation
    buckets: dict[Name, BucketsRow]  # sequence lengths to build for, chosen from the data
    engines: dict[Name, Engine]
    bucketed_engines: dict[Name, BucketedEngineRow]  # a section of its own, as dvc.yaml needs it (docs/decisions/0008)
    backends: Annotated[dict[Name, BackendRow], Field(min_length=1)]
    machines: dict[Name, MachineRow] = {}  # kinds of machine that candidates are measured on
    workloads: Annotated[dict[Name, dict[str, PositiveInt | Literal["arrival", "bucketed"]]], Field(min_length=1)]
    measurement: Measurement
    analysis: Analysis
    baseline: BaselineRow
    """`{backend, loads}`: what every candidate is timed beside and held against. It is a candidate too, of itself: its ratio
    shows this machine's noise. So is the null backend"""
    candidates: Annotated[dict[Name, CandidateRow], Field(min_length=1)]
    load_tests: dict[Name, dict[str, Any]]  # closed by temper/study/sections/load_tests.py
    optimize: OptimizeSection | None = None
    """what `temper optimize` is asked for where its command line does not say otherwise"""

    @property
    def places(self) -> dict[str, tuple[str, ...]]:
        """Candidates by the machine that they are measured and compared on; of a study on one machine all of them, under ''."""
        named = tuple(dict.fromkeys(row.machine or "" for row in self.candidates.values()))
        if len(named) == 1:
            return {"": tuple(self.candidates)}
        return {place: tuple(name for name, row in self.candidates.items() if row.machine == place) for place in named}

    @property
    def baseline_candidate(self) -> str:
        """The candidate that is the baseline itself; of a study on several machines that of the first."""
        return self.baseline_on(next(iter(self.places)))

    def baseline_on(self, place: str) -> str:
        """The candidate that is the baseline itself: its record holds the baseline's answers, and its ratio is the A/A one.

        Args:
            place: of `places`.
        """
        return next(name for name in self.places[place] if self.is_baseline(self.candidates[name]))

    def is_baseline(self, row: CandidateRow) -> bool:
        """Whether a candidate is the baseline itself."""
        return (row.backend, row.loads) == (self.baseline.backend, self.baseline.loads)

    @property
    def conversions(self) -> dict[str, dict[str, Any]]:
        """Rows of all sections of precisions: every ONNX file that is made from another."""
        return {**self.precisions, **self.calibrated_precisions, **self.searched_precisions}

    @property
    def engine_rows(self) -> dict[str, EngineRow]:
        """Rows of both sections of engines."""
        return {**self.engines, **self.bucketed_engines}

    def packing(self, onnx: str) -> dict[str, Any] | None:
        """The row that put an ONNX row on packed rows; None of any other."""
        seen: set[str] = set()
        while (row := self.conversions.get(onnx)) is not None and onnx not in seen:
            if row.get("step") == PACKING_STEP:
                return row
            seen.add(onnx)
            onnx = str(row.get("onnx"))
        return None

    def row_tokens(self, onnx: str) -> int | None:
        """Tokens of a row of an ONNX row on packed rows; None of any other."""
        row = self.packing(onnx)
        return None if row is None else int(row["row_tokens"])

    def engine_section(self, name: str) -> str:
        """The section that an engine's row stands in."""
        return "engines" if name in self.engines else "bucketed_engines"

    @property
    def jobs(self) -> dict[str, tuple[str, ...]]:
        """Rows of every rule, '' for a rule with one job: all jobs of the study."""
        return {
            "prepare_data": ("",),
            "fine_tune": ("",),
            "export_onnx": tuple(self.exports),
            "calibrate": tuple(self.calibrations),
            "convert_precision": tuple(self.conversions),
            "search_layers": tuple(self.searches),
            "train_quantized": tuple(self.quantization_aware),
            "choose_buckets": tuple(self.buckets),
            "build_engine": tuple(self.engine_rows),
            "measure": tuple(self.candidates),
            "remeasure": tuple(self.places),
            "load_test": tuple(self.load_tests),
            "report": tuple(self.places),
        }

    @property
    def onnx_rows(self) -> tuple[str, ...]:
        """Names of all ONNX files."""
        return (*self.exports, *self.conversions, *self.quantization_aware)
