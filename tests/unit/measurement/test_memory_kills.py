import pytest

from temper.measurement.memory_kills import memory_kills


@pytest.fixture
def machine(tmp_path):
    """Writes files of /proc and /sys/fs/cgroup; says what is counted there."""

    def count(**files):
        for name, text in files.items():
            path = (
                tmp_path
                / {
                    "own": "proc/self/cgroup",
                    "vmstat": "proc/vmstat",
                    "two": "cgroup/a/b/memory.events",
                    "inner": "cgroup/memory.events",
                    "one": "cgroup/memory/c/memory.oom_control",
                }[name]
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return memory_kills(tmp_path / "cgroup", tmp_path / "proc")

    return count


EVENTS = "low 0\nhigh 0\nmax 3\noom 2\noom_kill 2\noom_group_kill 0\n"


def test_kills_of_the_own_group_count(machine):
    assert machine(own="0::/a/b\n", two=EVENTS, vmstat="oom_kill 9\n") == 2


def test_inside_a_container_the_group_is_the_root(machine):
    assert machine(own="0::/some/host/path\n", inner=EVENTS) == 2


def test_groups_of_the_first_version_count_too(machine):
    assert machine(own="4:cpu,memory:/c\n0::/\n", one="oom_kill_disable 0\nunder_oom 0\noom_kill 5\n") == 5


def test_else_those_of_the_machine(machine):
    assert machine(own="0::/a/b\n", vmstat="nr_free_pages 1\noom_kill 7\n") == 7


@pytest.mark.parametrize("own", ["0::/a\n", "torn\n"])
def test_where_nobody_counts_nothing_is_known(machine, own):
    assert machine(own=own) is None
