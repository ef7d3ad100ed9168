"""`temper diagnose`: where an ONNX entry's layers part from the float file's."""

import math
import textwrap
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from temper.cli.command import Directory
from temper.cli.study_folder import stand_in
from temper.errors import ConfigError
from temper.logs.script_log import WIDTH

EXAMPLES = (
    "temper diagnose int8 -C studies/mine",
    "temper diagnose ort-int8 -C studies/mine --tolerance 0.02 --rows 32",
)
_SHOWN = 12  # layers of the table


def diagnose(
    entry: Annotated[str, Argument(metavar="ENTRY", help="Of conversions, or a candidate that loads one.")],
    directory: Directory = ".",
    rows: Annotated[int, Option(metavar="N", min=1, max=256, help="Validation rows that both files are given.")] = 8,
    tolerance: Annotated[
        float | None,
        Option(
            metavar="SHARE",
            help="Mean difference over mean magnitude beyond which a layer counts (default: 0.1, or 0.5 of a file that "
            "quantises activations).",
        ),
    ] = None,
) -> int:
    """Compare, and print what was found.

    Raises:
        ConfigError: there is no such entry, or it is no ONNX file made from another.
    """
    import numpy as np

    from temper.artifacts.signature import read_signature
    from temper.comparison.diagnose import diagnose as compare
    from temper.data.encoded import collate, read_split
    from temper.study.params_file import load_params
    from temper.study.study import read_study

    stand_in(directory)
    study = read_study(load_params("params.yaml") or {})
    name = entry
    if entry in study.candidates and study.candidates[entry].loads.startswith("onnx/"):
        name = study.candidates[entry].loads.partition("/")[2]
    if name not in study.onnx_rows or name in study.exports:
        raise ConfigError(
            asked=f"say where {entry} parts from the float file",
            happened="it is no ONNX file that is made from another",
            affected="nothing",
            fix=f"name one of {', '.join([*study.conversions, *study.quantization_aware]) or 'conversions, once there are'}",
        )
    reference = name
    while reference not in study.exports:
        row = study.conversions.get(reference) or study.quantization_aware[reference].model_dump()
        reference = str(row["onnx"])
    data, folders = Path("data/prepared"), {each: Path("artifacts/onnx") / each for each in (name, reference)}
    for folder in folders.values():
        if not (folder / "model.onnx").is_file() or not (data / "validation.parquet").is_file():
            raise ConfigError(
                asked=f"say where {entry} parts from the float file",
                happened=f"{folder / 'model.onnx'} is not there, or the prepared rows are not",
                affected="nothing",
                fix="run the study first: temper run; its rows and files are what is compared",
            )
    signature = read_signature(data / "signature.json")
    split = read_split(data / "validation.parquet", signature)
    feed = collate(split, np.arange(min(rows, len(split))), signature, sequence_length=None)
    found = compare(folders[reference] / "model.onnx", folders[name] / "model.onnx", feed, tolerance=tolerance)
    print(f"{name} beside {reference}:")
    for sentence in found.sentences():
        print("\n".join(textwrap.wrap(sentence, WIDTH, subsequent_indent="  ", break_on_hyphens=False)))
    worst = sorted(found.layers, key=lambda layer: -layer.difference)[:_SHOWN]
    print(f"\nThe {len(worst)} that differ most, of the mean magnitude:")
    for layer in worst:
        off = "no number" if math.isinf(layer.difference) else f"{100 * layer.difference:.3g} %"
        print(
            "\n".join(textwrap.wrap(f"{off:>10}  {layer}", WIDTH, subsequent_indent=" " * 14, break_on_hyphens=False))
        )
    return 0
