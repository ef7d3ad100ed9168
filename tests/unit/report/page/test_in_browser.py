"""The page as a person meets it, in a real Chromium: `make browser` installs one; without it these are skipped."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from temper.comparison.figure import write_page
from temper.comparison.rows import rows as rows_of
from temper.comparison.tables import comparison_of
from temper.comparison.upgrade_page import upgrade_page
from temper.comparison.versions import timed_rows
from temper.report.page.material import AskedRows, Material
from temper.report.page.render import report_page
from temper.report.page.search_page import search_page
from temper.report.page.sources import filed_material
from temper.report.page.table import points_of, speed_of
from temper.report.tables import rows
from tests.records import record, workload
from tests.unit.comparison.experiments import experiment, wrong
from tests.unit.comparison.test_versions import timed
from tests.unit.report.page.test_report_page import HOSTILE, material

STUDY = Path(__file__).resolve().parents[4] / "results/cpu-2c-epyc/embedded"
SEARCH = STUDY.parents[1] / "cpu-2c/sst2-minilm-full/searches/main/search.json"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 400, "height": 800}
CANDIDATE = "openvino-int8"


@pytest.fixture(scope="module")
def chromium():
    """One browser for all tests."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium here: make browser installs Debian's")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"])  # root, as in a container
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def study() -> Material:
    return filed_material(STUDY)


@pytest.fixture(scope="module")
def file(study, tmp_path_factory):
    target = tmp_path_factory.mktemp("page") / "report.html"
    target.write_text(report_page(study), encoding="utf-8")
    return target


@pytest.fixture
def opened(chromium):
    """`opened(file)`: a page, which at the end has asked for nothing and said nothing on the console."""
    said, contexts = [], []

    def open_page(file, **options):
        context = chromium.new_context(**{"viewport": DESK, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request", lambda asked: said.append(asked.url) if not asked.url.startswith(("file:", "data:")) else None
        )
        page.goto(file.as_uri())
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


@pytest.fixture
def page(opened, file):
    return opened(file)


def column(page, key):
    return page.locator(f".results:visible tbody tr:visible [data-key='{key}']").evaluate_all(
        "cells => cells.map(cell => cell.dataset.value)"
    )


def test_every_number_of_the_table_is_the_records(page, study):
    for name in study.workloads:
        page.click(f"#table .picker [data-pick='{name}']")
        shown = {
            key: dict(zip(column(page, "candidate"), column(page, key), strict=True))
            for key in ("speed", "latency", "points", "flips")
        }
        own = [
            row for row in rows(study.records, study.compared) if row.workload == name and row.candidate != "harness"
        ]
        assert len(own) == len(shown["speed"])
        for row in own:
            speed, points = speed_of(row), points_of(row)
            exact = {
                "speed": speed and speed[0],
                "latency": row.latency_p50_ms,
                "points": points and points[0],
                "flips": row.labels_differing,
            }
            told = {key: shown[key][row.candidate] for key in exact}
            assert {key: None if text == "" else float(text) for key, text in told.items()} == exact


def test_a_heading_sorts_and_sorts_the_other_way(page):
    assert column(page, "speed")[0] == max(column(page, "speed"), key=lambda text: float(text or 0))
    head = page.locator(".results:visible th[data-key='latency']")
    head.locator("button").click()
    given = [float(value) for value in column(page, "latency") if value]
    assert given == sorted(given, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    head.locator("button").press("Enter")  # the keyboard
    values = column(page, "latency")
    given = [float(value) for value in values if value]
    assert given == sorted(given)
    assert values[len(given) :] == [""] * (len(values) - len(given))  # what was not measured stays last
    assert head.get_attribute("aria-sort") == "ascending"


def test_candidates_are_filtered_columns_switched_on_and_both_are_copied(page):
    page.locator(".results:visible [data-filter-table]").fill("OPENVINO")
    names = column(page, "candidate")
    assert names
    assert all("openvino" in name for name in names)
    assert not page.locator(".results:visible td[data-key='size']").first.is_visible()
    page.locator(".results:visible .menu summary").click()
    page.locator(".results:visible input[data-column='size']").check()
    assert page.locator(".results:visible tbody tr:visible td[data-key='size']").first.is_visible()
    copy = page.locator(".results:visible [data-copy]")
    copy.click()
    lines = list(csv.reader(io.StringIO(copy.get_attribute("data-csv"))))
    assert [line[0] for line in lines] == ["candidate", *names]
    assert lines[0][-1] == "size, MiB"
    assert [line[-1] for line in lines[1:]] == column(page, "size")


def test_a_pointer_or_the_keyboard_on_a_mark_shows_its_record(page):
    tip = page.locator("#tip")
    page.locator(f".picture:visible a.mark[data-candidate='{CANDIDATE}'] circle.reach").hover()
    tip.wait_for()
    assert tip.inner_text().splitlines()[:2] == [CANDIDATE, "2.71 × [2.68, 2.75] as fast"]
    page.mouse.move(0, 0)
    tip.wait_for(state="hidden")
    page.locator(".results:visible tr[data-candidate='rtx-fp32'] td[data-key='speed'] abbr").focus()
    tip.wait_for()
    assert tip.inner_text() == "no NVIDIA GPU: the backend asks for 1, this machine has none"


def test_a_link_leads_to_a_candidate_and_back(page):
    details = page.locator(f"details#candidate-{CANDIDATE}")
    assert details.get_attribute("open") is None
    page.locator(f".results:visible tr[data-candidate='{CANDIDATE}'] th a").click()
    page.wait_for_selector(f"details#candidate-{CANDIDATE}[open]")
    assert page.url.endswith(f"#candidate-{CANDIDATE}")
    assert details.locator("svg.chart").first.is_visible()
    page.go_back()
    assert "#" not in page.url
    page.go_forward()
    details.locator(".back a").first.click()
    assert page.url.endswith("#table")


def test_one_workload_is_picked_everywhere(page, study):
    first, other = study.workloads[:2]
    assert page.locator(".of-workload:visible").evaluate_all(
        "(all, name) => all.every(each => each.dataset.workload === name)", first
    )
    page.click(f"#trade-off .picker [data-pick='{other}']")
    assert page.locator(".of-workload:visible").evaluate_all(
        "(all, name) => all.every(each => each.dataset.workload === name)", other
    )
    assert page.locator(f"#table .picker [data-pick='{other}']").get_attribute("aria-pressed") == "true"


def test_flips_are_filtered_and_counted(page, study):
    paired = study.paired(CANDIDATE)
    page.select_option("#flip-candidate", CANDIDATE)
    lines = page.locator("#flip-table tbody tr")
    assert lines.count() == paired.labels_differing > 0
    page.select_option("#flip-direction", "lost")
    assert lines.count() == paired.counted.right_to_wrong
    page.select_option("#flip-direction", "")
    page.select_option("#flip-label", "positive")
    assert lines.count() == sum(flip.label == "positive" for flip in paired.flipped)
    moved = page.locator("#confusion td:not(.same)").all_inner_texts()
    assert sum(map(int, moved)) == paired.labels_differing


def test_dark_is_the_systems_until_a_person_chooses(opened, file):
    dark = opened(file, color_scheme="dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    assert dark.evaluate(colour) == "rgb(18, 21, 26)"
    dark.click("#theme")
    assert dark.evaluate(colour) == opened(file).evaluate(colour) == "rgb(251, 251, 250)"


@pytest.mark.parametrize("everything_open", [False, True])
def test_a_phone_scrolls_down_only(opened, file, everything_open):
    page = opened(file, viewport=PHONE)
    if everything_open:
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.locator(".picture.narrow:visible").count() == 1


def test_on_a_phone_every_shown_figure_of_a_candidate_lies_on_the_screen(opened, file):
    page = opened(file, viewport=PHONE)
    line = page.locator(f".results:visible tr[data-candidate='{CANDIDATE}']")
    boxes = line.locator("th, td:visible").evaluate_all(
        "all => all.map(each => [each.getBoundingClientRect().left, each.getBoundingClientRect().right])"
    )
    assert len(boxes) == 6
    assert all(left >= 0 and right <= PHONE["width"] for left, right in boxes)
    page.locator(".results:visible th[data-key='verdict'] button").click()  # the headings still sort
    assert page.locator(".results:visible th[data-key='verdict']").get_attribute("aria-sort") == "ascending"


def test_hostile_names_and_texts_stay_text(opened, tmp_path):
    base = record("base", workloads={HOSTILE: workload([1.0] * 3)})
    names = [HOSTILE, "=cmd|' /C calc'!A0", "a,\"b\"\n'c'"]
    others = [record(name, predictions=[0, 0, 1, 0], workloads={HOSTILE: workload([1.0] * 3)}) for name in names]
    made = tmp_path / "report.html"
    made.write_text(report_page(material(base, *others, rows=AskedRows(texts=[HOSTILE] * 4))), encoding="utf-8")
    page = opened(made)
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert page.locator("img").count() == 0
    assert page.locator(".results th[scope='row'] a").first.inner_text() in (HOSTILE, "base", *names)
    for name in names:
        page.select_option("#flip-candidate", name)
        assert page.locator("#flip-table tbody td").nth(1).inner_text() == HOSTILE
    page.locator(".picture:visible a.mark").first.focus()
    page.locator("#tip").wait_for()
    assert page.locator("#tip *").count() == 0


def test_a_comparisons_page_is_of_the_same_kind(opened, tmp_path):
    found = rows_of([experiment("a", wrong(1)), experiment("b", wrong(2, 3), samples=64)])
    write_page(comparison_of(found, 0.05), ["a note"], tmp_path / "comparison.html", "Experiments")
    page = opened(tmp_path / "comparison.html", viewport=PHONE)
    page.locator(".picture .mark circle").first.hover()
    page.locator("#tip").wait_for()
    assert "labels differ from the baseline's" in page.locator("#tip").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_searchs_page_and_an_upgrades_are_of_the_same_kind(opened, tmp_path):
    found = timed_rows([timed(HOSTILE, 0.8, 0.78, 0.82)], 0.05)
    pages = {
        "search": search_page("main", json.loads(SEARCH.read_text())),
        "upgrade": upgrade_page("Old → new", [], [], found, [], 0.05),
    }
    for name, text in pages.items():
        (tmp_path / f"{name}.html").write_text(text, encoding="utf-8")
        page = opened(tmp_path / f"{name}.html", viewport=PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert page.locator("table.plain").count() >= 1
        assert page.locator("img").count() == 0
    page.locator(".picture .mark circle").first.hover()
    page.locator("#tip").wait_for()
    assert page.locator("#tip").inner_text() == f"{HOSTILE}, b1\n0.800 [0.780, 0.820] ×: faster"


def test_without_scripts_every_workload_is_there_under_its_name(chromium, file, study):
    context = chromium.new_context(viewport=DESK, java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert (
        page.locator(".results:visible").count()
        == page.locator(".picture.wide:visible").count()
        == len(study.workloads)
    )
    assert page.locator(".results .workload-name:visible").all_inner_texts() == study.workloads
    assert page.locator(".picker:visible").count() == 0
    context.close()


def test_it_prints_on_a_few_sheets(opened, file):
    printed = opened(file).pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") <= 8
