from types import SimpleNamespace

import pytest

from temper.orchestration.planning import is_forced


@pytest.mark.parametrize(
    ("told", "forced"),
    [
        ({}, False),
        ({"forceall": True}, True),
        ({"forcetargets": True}, True),
        ({"forcerun": {"measure"}}, True),
        ({"forcerun": {"machines/big.json"}}, False),  # a machine that is looked at again makes nothing
        ({"forcerun": {"machines/big.json", "report"}}, True),
    ],
)
def test_a_run_adopts_nothing_where_it_was_told_to_make_something_anew(told, forced):
    asked = SimpleNamespace(**{"forcetargets": False, "forceall": False, "forcerun": frozenset(), **told})
    assert is_forced(asked) is forced
