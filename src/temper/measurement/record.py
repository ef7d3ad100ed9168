"""The shape of one JSON record: what was measured, on what, with what, or why it was not."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from temper.artifacts.manifest import canonical_json, write_text

SCHEMA_VERSION = 2  # 1 had no baseline beside the candidate; it is refused by its number


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FixedLoop(_Closed):
    """What the processor took for the same loop between the turns that were kept, in µs: its speed, whoever slowed it."""

    p10: float
    median: float
    p90: float


class Contention(_Closed):
    """How much of the machine others took beside the turns that were kept, and how many turns were dropped for it."""

    sources: list[str]  # that this platform has, and that were read: 'schedstat', 'cpu_times', 'pressure', 'nvml' …
    others_share: float | None  # of the processors' time that others ran in, steal included, 0–1
    waited_share: float | None  # time that this process's threads waited for a processor, over the time by the clock
    steal_share: float | None  # of the processors' time that a hypervisor gave to others, 0–1; part of others_share
    pressure_share: (
        float | None
    )  # of the time in which some task of the machine waited for a processor, own ones included
    involuntary_switches: int | None  # of this process, over the windows of which turns were kept
    fixed_loop_us: FixedLoop | None = None  # None in records of before, and where no turn was kept
    dropped_turns: int  # blocks that were taken again
    waited_s: float  # for a quiet machine, before and between turns
    busiest: str | None  # name and share of the process that took most, as last seen
    gpu: dict[str, Any] | None  # others' processes and reasons of slower clocks that were seen; None without a GPU


class NotMeasured(_Closed):
    """A measurement that did not happen, and why. Nothing is ever put in its place."""

    status: Literal["not measured"] = "not measured"
    reason: str
    cause: Literal["busy"] | None = None  # others took too much of the machine; `contention` has the evidence
    contention: Contention | None = None


class Artifact(_Closed):
    """What was loaded, by the digests of its files."""

    loads: str
    files_sha256: dict[str, str]
    size_bytes: int  # of the weights and the graph, or of the engine; tokenizer and manifests left out
    producer: dict[str, Any]  # versions its maker recorded
    census: dict[str, Any] | None  # of an ONNX file: its matrix products and convolutions, and how many are quantized


class LatencyRatio(_Closed):
    """Candidate over baseline, below 1 is faster, with a 95 % bootstrap interval over blocks."""

    status: Literal["measured"] = "measured"
    statistic: Literal["median", "mean"]
    ratio: float
    low: float
    high: float
    taken: Literal["in turns", "apart"]
    why_apart: str | None
    stopped: str | None  # what ended the timing; None where it was taken apart


class Workload(_Closed):
    """Latencies of one workload, host arrays to host logits."""

    status: Literal["measured"] = "measured"
    batch_size: int
    sequence_length: int | None  # None for images, and where the rows keep their own lengths
    real_lengths: Literal["arrival", "bucketed"] | None
    calls_per_turn: int
    latencies_ms: list[float]  # candidate, in the order of its calls; each calls_per_turn of them are one block
    baseline_latencies_ms: list[float] | None  # on the same batches, block by block; None where it was not timed
    candidate_first: list[bool] | None  # of each block, whether the candidate had the first turn
    latency_percentiles_ms: dict[str, float]  # '50' is the median
    percentiles_left_out: dict[str, str]  # and why
    latency_mean_ms: float
    timed_runs: int
    ratio: LatencyRatio | NotMeasured
    sequential_samples_per_s: float  # samples over the sum of the timed calls, one call after the other
    alone_median_ms: float  # in a process with nothing beside it
    alone_mean_ms: float
    alone_calls: int
    throughput_samples_per_s: dict[str, float]  # saturated, by the number of concurrent callers
    throughput_left_out: dict[str, str] = {}  # and why; absent in records of before
    device_time_ms: float | None = None  # median of what one call computes on the device, by its own clock: no copies
    device_time_reason: str | None = None  # why not, where not; both absent in records of before
    padding_share: float  # of the tokens of the timed inputs, 0–1
    # of the tokens that the candidate computed for them, its own padding to an engine's shape included; rows for images.
    # None in records that were written before it was counted
    computed_padding_share: float | None = None
    inputs_sha256: str  # equal for every candidate of the workload
    executed: dict[str, Any] | None  # what the library says it executed; None for a backend that executes nothing
    contention: Contention | None = None  # None in records that were written before it was looked at


class Predictions(_Closed):
    """Answers on the whole test split at one batch size."""

    batch_size: int
    cut_rows: int
    accuracy: float  # 0–1; the figure of a task whose answers are not right or wrong (temper/tasks/), −1 to 1
    predictions: list[int] | list[float]  # floats where answers are scores
    logits: list[list[float]]


_TASKS_OWN = ("task", "thresholds", "outputs", "groups")


class Accuracy(_Closed):
    """Answers on the whole test split by the runner that was timed."""

    status: Literal["measured"] = "measured"
    split: Literal["test"] = "test"
    rows: int
    labels: list[int] | list[float]  # the true ones
    label_names: list[str]
    stated: str  # the batch size, as a key of by_batch_size, whose answers count
    by_batch_size: dict[str, Predictions]  # more than one where the labels can depend on the batch
    task: Literal["multi_label", "score", "token_classification", "embedding"] | None = (
        None  # of temper/tasks/; absent of single_label and in records of before
    )
    thresholds: tuple[float, ...] | None = None  # of probabilities, by label, where the task decides by them
    outputs: int | None = None  # numbers of a row's logits, where they are not as many as label_names
    groups: list[int] | None = None  # of each row: what it belongs to, such as its query, by number from 0

    @model_serializer(mode="wrap")
    def _without_what_says_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A record of single_label is as it was before there were others."""
        content: dict[str, Any] = handler(self)
        return {key: value for key, value in content.items() if value is not None or key not in _TASKS_OWN}

    @property
    def answers(self) -> Predictions:
        """The answers that count."""
        return self.by_batch_size[self.stated]


class ColdStart(_Closed):
    """From a process without the library to the first answer."""

    import_s: float | None  # None where the backend needs no library
    load_s: float
    first_call_ms: float
    # the runner's description in that process: whether it found compiled kernels on the disk; None in older records
    ran: dict[str, Any] | None = None
    others_share: float | None = None  # of the processors that others took meanwhile; None in records of before


class Memory(_Closed):
    """Of a process that loads and runs the candidate alone."""

    rss_harness_mib: float  # peak resident set before the library was imported
    peak_rss_imported_mib: float
    peak_rss_loaded_mib: float
    peak_rss_running_mib: float
    gpu_peak_mib: float | None  # in use on the GPU above what was before
    gpu_reason: str | None  # why not, where not


class Record(_Closed):
    """One candidate's measurement."""

    schema_version: Literal[2]
    study: str = ""  # of records that still name it: the report does, and another name measures nothing anew
    candidate: str
    status: Literal["measured", "not measured"]
    reason: str | None  # why not, where not
    backend: dict[str, Any]
    artifact: Artifact | None
    baseline: dict[str, Any]  # backend, loads, digests, library and what ran
    ran: dict[str, Any] | None  # the runner's own description
    threads: list[dict[str, Any]] | None
    cold_start: ColdStart | None
    memory: Memory | None
    workloads: dict[str, Workload | NotMeasured]
    accuracy: Accuracy | NotMeasured
    measurement: dict[str, Any]
    seed: int
    machine: dict[str, Any]
    conditions_before: dict[str, Any]
    conditions_after: dict[str, Any]
    warnings: list[str]
    gpus: list[dict[str, str]]
    versions: dict[str, str]
    source_digest: str


def write_record(path: str | Path, record: Record) -> None:
    """Write a record, whole or not at all."""
    write_text(path, canonical_json(record.model_dump(mode="json")))
