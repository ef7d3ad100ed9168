"""The page of a search for layers, from its record."""

import json
from pathlib import Path

from temper.report.page.search_page import search_page

SEARCH = Path(__file__).resolve().parents[4] / "results/cpu-2c/sst2-minilm-full/searches/main/search.json"


def test_the_page_has_the_choice_every_layer_and_every_trial():
    search = json.loads(SEARCH.read_text(encoding="utf-8"))
    page = search_page("main", search)
    kept, chosen = search["keep_in_float"], search["chosen"]
    assert f"Kept in float: {len(kept)} of {len(search['layers'])} layers" in page
    assert f"validation rows {chosen['distance']['flips']} get another label" in page
    assert page.count(" mono strong") == len(kept) > 0
    assert page.count("<tr>") == 2 + len(search["trials"]) + len(search["layers"])
    assert "within, chosen" in page


def test_a_layers_name_stays_text():
    search = json.loads(SEARCH.read_text(encoding="utf-8"))
    search["layers"][0]["layer"]["name"] = hostile = "<b onclick=1>"
    assert hostile not in search_page(hostile, search)
