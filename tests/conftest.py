"""What every test starts from."""

import signal

# A shell starts background commands with Ctrl-C ignored, and children inherit that: the tests of Ctrl-C need it as it is
# in a terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Hand out the workflow's files first, the longest of them at the head: they take minutes, and last they run alone."""
    longest = ("test_how_to", "test_experiments", "test_dvc", "test_faults")

    def place(item):
        name = item.path.stem
        return "workflow" not in item.path.parts, longest.index(name) if name in longest else len(longest)

    items.sort(key=place)  # stable: the order within a file stays
