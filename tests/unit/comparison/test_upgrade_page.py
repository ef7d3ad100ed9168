"""The page of another version: one line for each ratio, and the band in which two versions are equal."""

import re

from temper.comparison.upgrade_page import ratios_drawn, upgrade_page
from temper.comparison.versions import timed_rows
from tests.unit.comparison.test_versions import timed

HOSTILE = "<script>alert(1)</script>"


def found(*names: str):
    return timed_rows([timed(name, 0.8, 0.78, 0.82) for name in names], 0.05)


def test_faster_lies_left_of_one_and_outside_the_band_in_which_versions_are_equal():
    picture = ratios_drawn(found("a", "b"), 0.05)
    dots = [float(x) for x in re.findall(r'<circle cx="([0-9.]+)"', picture)]
    (one,) = (float(x) for x in re.findall(r'<line x1="([0-9.]+)"[^>]*class="one"', picture))
    (band,) = (float(x) for x in re.findall(r'<rect x="([0-9.]+)"[^>]*class="noise"', picture))
    assert len(dots) == 2
    assert all(x < band < one for x in dots)
    assert "0.800 [0.780, 0.820] ×: faster" in picture


def test_a_hostile_name_stays_text_and_without_ratios_the_page_says_so():
    page = upgrade_page("Old → new", [], [], found(HOSTILE), ["a note"], 0.05)
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)" in page
    nothing = upgrade_page("Old → new", [], [], [], [], 0.05)
    assert "No latency was taken with both versions here." in nothing
    assert "<table" not in nothing
