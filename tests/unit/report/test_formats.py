from temper.report.formats import in_order, interval


def test_numbers_in_names_are_compared_as_numbers():
    assert in_order(["b16-s128", "b1-s128", "b128-s64", "b4-s128", "arrival", "b4-s128"]) == [
        *("arrival", "b1-s128", "b4-s128", "b16-s128", "b128-s64")
    ]


def test_a_ratio_far_below_one_keeps_its_digits():
    assert interval(0.1534, 0.1511, 0.1549) == "0.153 [0.151, 0.155]"
    assert interval(0.000648, 0.000633, 0.000658) == "0.000648 [0.000633, 0.000658]"
