import re

import pytest

from temper.report.page.trade_off import Mark, trade_off

PLACES = re.compile(r'<circle[^>]*cx="([0-9.]+)"[^>]*cy="([0-9.]+)"[^>]*class="dot"')


def mark(name, speed, points, **own):
    told = {"precision": "INT8", "chosen": False, "front": False, "holds": True, "said": name} | own
    return Mark(name, f"#{name}", speed, points, **told)


def drawn(*marks, told=0.02, width=960):
    return trade_off(marks, baseline="base", budget=0.5, told=told, width=width, height=430, label="all")


def test_faster_is_to_the_right_and_more_accurate_is_above():
    picture = drawn(
        mark("slow", (0.5, 0.4, 0.6), (0.2, 0.1, 0.3)),
        mark("fast", (4, 3.9, 4.1), (-0.2, -0.3, -0.1)),
    )
    (slow_x, slow_y), (fast_x, fast_y) = ((float(x), float(y)) for x, y in PLACES.findall(picture))
    assert slow_x < fast_x
    assert slow_y < fast_y
    assert picture.count("<a ") == 2
    assert {"slow", "fast", "base"} <= set(re.findall(r">([a-z]+)</text>", picture))


@pytest.mark.parametrize("told", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("speeds", [[], [(1.0, 1.0, 1.0)], [(1e-3, 9e-4, 2e-3), (900, 800, 1000)]])
def test_whatever_was_measured_has_a_place(told, speeds):
    picture = drawn(*(mark(f"c{at}", speed, (0.0, 0.0, 0.0)) for at, speed in enumerate(speeds)), told=told)
    numbers = [float(found) for found in re.findall(r' (?:x|cx|x1|width)="(-?[0-9.]+)"', picture)]
    assert all(-1 <= number <= 961 for number in numbers)
    assert "nan" not in picture


def test_what_lies_far_below_the_budget_is_drawn_at_the_edge_and_presses_no_one():
    near, far = mark("near", (2, 1.9, 2.1), (-0.1, -0.3, 0.1)), mark("far", (3, 2.9, 3.1), (-40, -42, -38))
    picture = drawn(near, far)
    ((_, y),) = PLACES.findall(picture)
    assert 100 < float(y) < 300
    assert "h12l-6 9z" in picture


def test_a_crowd_is_not_labelled_over_one_another_and_the_chosen_one_always_is():
    crowd = [mark(f"candidate-{at}", (2, 1.9, 2.1), (0.0, -0.1, 0.1), chosen=at == 7) for at in range(30)]
    named = re.findall(r">(candidate-\d+)</text>", drawn(*crowd))
    assert "candidate-7" in named
    assert len(named) < 10
