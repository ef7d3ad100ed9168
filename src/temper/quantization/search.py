"""Which layers may be quantised: each one's own loss and gain, then the cheapest choice that stays within the budget.

Validation rows alone are read, never test rows: what is chosen here is measured there.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import read_manifest, sha256, staged_folder, write_manifest
from temper.artifacts.onnx_file import MANIFEST, load
from temper.artifacts.signature import read_signature
from temper.data.encoded import check_split, read_split
from temper.environment.machine import versions
from temper.errors import ArtifactError, DataError
from temper.quantization.distance import Distance, Judge, batches, multiplications
from temper.quantization.layers import Layer, give_back, layers, quantized_layers
from temper.quantization.record import SEARCH_FILE
from temper.study.sections.searches import SearchRow

LIBRARIES = ("onnx", "onnxruntime")
PER_LAYER, AT_LEAST = 2, 8  # evaluations that the sensitivities take, and that must be left for the search


@dataclass(frozen=True)
class Sensitivity:
    """Of one layer.

    Attributes:
        layer: which.
        multiplications: multiply-accumulates for the batch of validation rows with the longest ones.
        alone: distance where this layer alone is quantised.
        left_out: distance where all but this one are.
        loss: mean logit difference of quantising it alone, above that of no layer at all.
        gain: by how much the mean logit difference falls when it is left out.
    """

    layer: Layer
    multiplications: int
    alone: Distance
    left_out: Distance
    loss: float
    gain: float


@dataclass(frozen=True)
class Trial:
    """One evaluated choice: layers kept in float, their share of all multiplications, the distance."""

    kept: tuple[str, ...]
    float_share: float
    distance: Distance
    within: bool
    why: str


class BudgetNotMet(Exception):
    """No choice with at least one quantised layer is within the budget; holds the nearest."""

    def __init__(self, nearest: Trial) -> None:
        super().__init__(nearest)
        self.nearest = nearest


def sensitivities(
    known: Sequence[Layer],
    work: Mapping[str, int],
    evaluate: Callable[[Collection[Layer]], Distance],
    everything: Distance,
    nothing: Distance,
) -> list[Sensitivity]:
    """Each layer quantised alone, and left out.

    Args:
        known: quantised layers.
        work: multiplications by node.
        evaluate: distance of the file in which these layers are kept in float.
        everything: distance with all layers quantised.
        nothing: distance with none (what else is stored in 8 bits, such as embeddings, stays so).
    """
    found = []
    for layer in known:
        alone = evaluate([other for other in known if other is not layer])
        left_out = evaluate([layer])
        found.append(
            Sensitivity(
                layer=layer,
                multiplications=work[layer.node],
                alone=alone,
                left_out=left_out,
                loss=round(alone.mean_logit_difference - nothing.mean_logit_difference, 6),
                gain=round(everything.mean_logit_difference - left_out.mean_logit_difference, 6),
            )
        )
        print(
            f"{layer.name}: alone {alone.mean_logit_difference:.4f}, left out {left_out.mean_logit_difference:.4f}",
            flush=True,
        )
    return found


def search(
    found: Sequence[Sensitivity],
    evaluate: Callable[[Collection[Layer]], Distance],
    everything: Distance,
    *,
    budget_points: float,
    evaluations: int,
) -> list[Trial]:
    """Trials in their order; the last one that is within the budget is the choice.

    Layers are ordered by what leaving them out gains for each multiplication it costs. The shortest beginning of that
    order which is within the budget is found by bisection; then each of its layers, the costliest first, is quantised
    again where the rest stays within.

    Args:
        found: of all quantised layers.
        evaluate: distance of the file in which these layers are kept in float.
        everything: distance with all layers quantised: the first trial.
        budget_points: rows whose label may change, per cent.
        evaluations: how many may be made here.

    Raises:
        BudgetNotMet: all but one layer in float is not within the budget either.
    """
    total = sum(each.multiplications for each in found)
    order = sorted(found, key=lambda each: (-each.gain / max(each.multiplications, 1), each.layer.name))
    trials: list[Trial] = []

    def judge(kept: Sequence[Sensitivity], distance: Distance, why: str) -> Trial:
        share = sum(each.multiplications for each in kept) / total if total else 0.0
        trial = Trial(
            kept=tuple(each.layer.name for each in kept),
            float_share=round(share, 4),
            distance=distance,
            within=100 * distance.flips <= budget_points * distance.rows,
            why=why,
        )
        trials.append(trial)
        print(f"{why}: {len(kept)} in float, {distance.flips} flips, within: {trial.within}", flush=True)
        return trial

    def attempt(kept: Sequence[Sensitivity], why: str) -> Trial:
        return judge(kept, evaluate([each.layer for each in kept]), why)

    if judge([], everything, "all quantised").within:
        return trials
    low, high = 0, len(order) - 1
    best = attempt(order[:high], "all but the last in float")
    if not best.within:
        raise BudgetNotMet(min(trials, key=lambda trial: (trial.distance.flips, trial.float_share)))
    while high - low > 1 and len(trials) <= evaluations:
        middle = (low + high) // 2
        trial = attempt(order[:middle], f"the first {middle} in float")
        if trial.within:
            high = middle
        else:
            low = middle
    kept = list(order[:high])
    for each in sorted(kept, key=lambda each: -each.multiplications):
        if len(trials) > evaluations or len(kept) == 1:
            break
        fewer = [other for other in kept if other is not each]
        if attempt(fewer, f"{each.layer.name} quantised again").within:
            kept = fewer
    return trials


def choice(trials: Sequence[Trial]) -> Trial:
    """The trial within the budget that keeps the smallest share of multiplications in float."""
    return min((trial for trial in trials if trial.within), key=lambda trial: (trial.float_share, len(trial.kept)))


def search_layers(
    *, quantized_folder: str, reference_folder: str, data_folder: str, folder: str, row: Mapping[str, Any]
) -> None:
    """Measure every layer's sensitivity on validation rows, then search which of them to keep in float.

    Args:
        quantized_folder: the quantised ONNX artifact.
        reference_folder: the float one that it was made from.
        data_folder: prepared data; only its validation split is read.
        folder: gets search.json: table, trials, choice; `temper report` makes a page of it.
        row: a `SearchRow`.

    Raises:
        ArtifactError: an input is not what its manifest says, holds no quantised layer, was made from another file, has
            too many layers for the stated evaluations, or no choice meets the budget.
        DataError: there are fewer validation rows.
    """
    asked = SearchRow.model_validate(dict(row))
    quantized_path, reference_path, data = Path(quantized_folder), Path(reference_folder), Path(data_folder)
    for path in (quantized_path, reference_path):
        read_manifest(path / MANIFEST, kind="onnx")
    check_split(data, "validation")
    signature = read_signature(reference_path / "signature.json")
    split = read_split(data / "validation.parquet", signature)
    if asked.rows > len(split):
        raise DataError(
            asked=f"search on {asked.rows} validation rows",
            happened=f"the validation split has {len(split)}",
            affected="this search; nothing was written",
            fix="lower the row's rows, or raise data.validation_rows",
        )
    quantized, reference = load(quantized_path), load(reference_path)
    known = quantized_layers(quantized, reference)
    _check_number(len(known), len(layers(reference)), asked)
    rows = batches(split, signature, asked.rows)
    judge = Judge(reference, rows, asked.threads, signature)

    def evaluate(kept: Collection[Layer]) -> Distance:
        return judge.distance(give_back(quantized, reference, kept))

    everything, nothing = evaluate([]), evaluate(known)
    found = sensitivities(known, multiplications(reference, rows[-1], asked.threads), evaluate, everything, nothing)
    left = asked.max_evaluations - judge.evaluations
    try:
        trials = search(found, evaluate, everything, budget_points=asked.budget_points, evaluations=left)
    except BudgetNotMet as error:
        nearest = error.nearest
        raise ArtifactError(
            asked=f"find layers to keep in float so that at most {asked.budget_points:g} % of {asked.rows} labels change",
            happened=f"no choice does; the nearest changes {nearest.distance.flips} labels with {len(nearest.kept)} of "
            f"{len(known)} layers in float ({', '.join(nearest.kept)[:300]})",
            affected="this search; nothing was written",
            fix=f"raise budget_points to {100 * nearest.distance.flips / asked.rows:.2f} or more, or calibrate otherwise",
        ) from None
    made = choice(trials)
    with staged_folder(folder) as scratch:
        write_manifest(
            scratch / SEARCH_FILE,
            kind="search",
            facts={
                "row": asked.model_dump(mode="json"),
                "evaluations": judge.evaluations,
                "all_quantized": asdict(everything),
                "none_quantized": asdict(nothing),
                "layers": [asdict(each) for each in found],
                "trials": [asdict(each) for each in trials],
                "keep_in_float": sorted(made.kept),
                "chosen": asdict(made),
                "versions": versions(*LIBRARIES),
            },
            inputs={
                "quantized model.onnx": sha256(quantized_path / "model.onnx"),
                "reference model.onnx": sha256(reference_path / "model.onnx"),
                "validation.parquet": sha256(data / "validation.parquet"),
            },
        )
    print(f"{len(known)} layers, {judge.evaluations} evaluations, {len(made.kept)} kept in float")


def _check_number(known: int, all_layers: int, asked: SearchRow) -> None:
    if not known:
        raise ArtifactError(
            asked=f"search among the quantised layers of onnx/{asked.onnx}",
            happened=f"none of its {all_layers} products is quantised",
            affected="this search; nothing was written",
            fix="name a row of calibrated_precisions whose step quantises",
        )
    needed = PER_LAYER * known + 2 + AT_LEAST
    if asked.max_evaluations < needed:
        raise ArtifactError(
            asked=f"search with at most {asked.max_evaluations} evaluations",
            happened=f"{known} layers take {PER_LAYER} each, and the search itself at least {AT_LEAST}: {needed} in all",
            affected="this search; nothing was written",
            fix=f"set max_evaluations to {needed} or more",
        )
