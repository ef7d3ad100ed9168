import json
import platform

from temper.provenance import machine, versions


def test_versions_are_those_installed_and_absent_distributions_are_left_out():
    import numpy

    assert versions("numpy", "no-such-thing") == {"python": platform.python_version(), "numpy": numpy.__version__}


def test_the_machine_is_described_without_its_name():
    facts = machine()
    assert facts["cpu"]
    assert facts["cores_usable"] >= 1
    assert platform.node() not in json.dumps(facts)
