import pytest
from markupsafe import Markup

from temper.report.page.svg import Scale, dots, drawing, path, tag


def test_text_and_attributes_are_escaped_and_elements_are_not():
    made = tag("text", "<b>", tag("title", 'a "b" & c'), class_="small", data_name='"><script>')
    assert made == Markup(
        '<text class="small" data-name="&#34;&gt;&lt;script&gt;">&lt;b&gt;<title>a &#34;b&#34; &amp; c</title></text>'
    )
    assert 'aria-label="&lt;x&gt;"' in drawing(10, 20, label="<x>")


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (Scale(0, 10, 0, 100), [0, 2, 4, 6, 8, 10]),
        (Scale(-1.1, 0.6, 0, 100), [-1, -0.5, 0, 0.5]),
        (Scale(0.09, 1.4, 0, 100, log=True), [0.1, 0.2, 0.5, 1]),
        (Scale(0.001, 5000, 0, 100, log=True), [0.001, 0.1, 10, 1000]),
        (Scale(0.55, 3.1, 0, 100, log=True), [1, 1.5, 2, 2.5, 3]),
    ],
)
def test_ticks_are_round_and_few(scale, expected):
    assert scale.ticks(6) == pytest.approx(expected)


def test_a_scale_ends_at_its_ends():
    scale = Scale(1, 100, 10, 30, log=True)
    assert [scale(value) for value in (0.1, 1, 10, 100, 500)] == pytest.approx([10, 10, 20, 30, 30])


def test_paths_are_whole_pixels_relative_to_one_another():
    assert path([(0.4, 1), (3, 5.2), (7, 2)], close=True) == "M0 1l3 4l4-3z"
    assert dots([(3, 4), (1, 2), (3.2, 4.1)]) == "M0 0m1 2h0m2 2h0"
