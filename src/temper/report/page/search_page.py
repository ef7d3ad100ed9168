"""A search for layers to keep in float as a page: what it chose, every layer, every trial."""

from collections.abc import Mapping
from typing import Any

from temper.report.page.charts import layer_bars
from temper.report.page.tables_page import tables_page
from temper.report.searches import LAYERS_HEADER, TRIALS_HEADER, layers_lines, trials_lines


def search_page(name: str, search: Mapping[str, Any]) -> str:
    """The page, from the search's record alone.

    Args:
        name: of its row in `searches:`.
        search: search.json's content.
    """
    kept, rows, chosen = search["keep_in_float"], search["all_quantized"]["rows"], search["chosen"]
    layers = [
        {
            "name": each["layer"]["name"],
            "loss": each["loss"],
            "gain": each["gain"],
            "kept": each["layer"]["name"] in kept,
        }
        for each in search["layers"]
    ]
    everything, flips = search["all_quantized"]["flips"], chosen["distance"]["flips"]
    lead = (
        f"Kept in float: {len(kept)} of {len(layers)} layers, {100 * chosen['float_share']:.1f} % of the multiplications. "
        f"Of {rows:,} validation rows {flips} get another label than from the float file; all quantised {everything}."
    )
    notes = [
        "Gain: by how much the mean absolute logit difference from the float file falls where a layer alone is left out. Loss: "
        "by how much it rises where a layer alone is quantised. Test rows were not read.",
    ]
    said = (
        f"what leaving each layer out gains, and what quantising it alone loses, on {rows:,} rows; bold: kept in float"
    )
    return tables_page(
        f"Search {name}: which layers to keep in float",
        said=said,
        picture=layer_bars(layers, label=said, most=len(layers), width=960.0, left=420.0),
        series=[("left out: gain", "own"), ("quantised alone: loss", "theirs")],
        tables=[
            ("Trials", TRIALS_HEADER, trials_lines(search), 3),
            ("Layers", LAYERS_HEADER, layers_lines(search), 2),
        ],
        notes=notes,
        lead=lead,
        nothing="It found no layers.",
    )
