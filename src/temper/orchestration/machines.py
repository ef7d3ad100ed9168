"""Named machines: what was seen on each, in a file that whoever plans can read without being there.

A study that gives `machines:` is planned on a login node and measured elsewhere. The first job on a machine writes
machines/<name>.json; from then on the settings of what is measured there are of that file, whoever plans, and a job that finds
itself on another kind of machine refuses. The file names no node and no time: two nodes of one kind give equal bytes. It lies
beside params.yaml and is kept in git, as kept_versions.json is: experiments in temporary folders and fresh clones see it.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import canonical_json, write_text
from temper.environment import plugins
from temper.environment.devices import gpu_indices, gpus_used, nvidia_gpus
from temper.environment.library import INSTALLED, NOT_INSTALLED, Library, resolve_version
from temper.environment.machine import KIND, machine, measuring_machine, node
from temper.errors import ArtifactError, MachineError
from temper.load_test.generator import LIBRARY as LOADGEN
from temper.reading.json_file import read_object

FOLDER = "machines"
FORMAT_VERSION = 1
NOT_SEEN = {"seen": "no job has looked at it yet"}  # among a job's settings, in place of what would be seen
HERE = ""  # no name: the machine that plans is the one that measures
Json = dict[str, Any]


def machine_file(name: str) -> str:
    """Path of what was seen on a machine, from the study's folder."""
    return f"{FOLDER}/{name}.json"


def is_machine_file(path: str) -> bool:
    """Whether a file of the study's folder is one of these: what it says is among jobs' settings, so its bytes do not count."""
    return path.startswith(f"{FOLDER}/")


def _libraries() -> dict[str, Library]:
    """What candidates may run on, by the name of its module."""
    found = [plugins.load("backends", name).LIBRARY for name in plugins.names("backends")]
    return {each.module: each for each in (*found, LOADGEN) if each is not None}


def look(file: str) -> None:
    """Write what this machine is: its kind, its GPUs with their driver, the libraries that candidates may run on.

    Args:
        file: where that goes.
    """
    kind, gpus = measuring_machine(), [[gpu.name, gpu.driver_version] for gpu in nvidia_gpus()]
    content = {
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "gpus": gpus,
        "libraries": {module: resolve_version(each, INSTALLED) for module, each in _libraries().items()},
    }
    write_text(file, canonical_json(content))
    print(f"{file}: {kind['cpu']}, {kind['cores_usable']} cores, {len(gpus)} GPUs")


@lru_cache(maxsize=64)
def _read(file: str, size: int, time_ns: int) -> Json:
    try:
        content = read_object(file)
        if content["format_version"] != FORMAT_VERSION:
            raise ValueError("it is of another format version")
        kind, gpus, libraries = content["kind"], content["gpus"], content["libraries"]
        if not (isinstance(kind, dict) and isinstance(libraries, dict) and set(kind) == set(KIND)):
            raise ValueError("kind and libraries have to be tables, as a job on the machine writes them")
        return {
            "kind": kind,
            "gpus": [(str(name), str(driver)) for name, driver in gpus],
            "libraries": {str(module): str(version) for module, version in libraries.items()},
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            asked=f"read what was seen on a machine, {file}",
            happened=f"{type(error).__name__}: {error}",
            affected="nothing: no job was started",
            fix=f"git checkout -- {file}; or delete it: the next run looks at the machine again",
        ) from None


def seen(name: str) -> Json | None:
    """What was seen on a machine; None where no job has looked yet.

    Raises:
        ArtifactError: its file is no such record.
    """
    file = Path(machine_file(name))
    if not file.is_file():
        return None
    found = file.stat()
    return _read(str(file), found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=1)
def _kind_here() -> Json:
    """Once in a process, as `_version_here`."""
    return measuring_machine()


def kind_of(name: str) -> Json:
    """A machine among the settings of a job that is measured there; this machine's kind where it has no name."""
    if name == HERE:
        return _kind_here()
    found = seen(name)
    return {"name": name, **(NOT_SEEN if found is None else found["kind"])}


def gpus_of(name: str, count: int, options: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Name and driver of the GPUs that a backend uses on a machine; arguments as `devices.gpus_used`."""
    if name == HERE:
        return gpus_used(count, options)
    there = (seen(name) or {"gpus": []})["gpus"]
    return [there[index] for index in gpu_indices(count, options) if index < len(there)]


@lru_cache(maxsize=64)
def _version_here(library: Library | None, asked: str) -> str:
    """Once in a process: a plan asks for hundreds of candidates, and each answer searches the disk."""
    return resolve_version(library, asked)


def version_on(name: str, library: Library | None, asked: str) -> str:
    """The version of a library that a row will run with on a machine, as `library.resolve_version` says it of this one."""
    if name == HERE or library is None or asked != INSTALLED:
        return _version_here(library, asked)
    return str((seen(name) or {"libraries": {}})["libraries"].get(library.module, NOT_INSTALLED))


def check_here(asked: str, settings: Mapping[str, Any]) -> None:
    """Check in a job that what it was planned for is what it runs on.

    Args:
        asked: the job, in an error's words.
        settings: its params; those without `machine` may run anywhere.

    Raises:
        MachineError: this is another kind of machine, or its GPUs or their driver are others.
    """
    planned = settings.get("machine")
    if planned is None:
        return
    name, here = planned.get("name", HERE), measuring_machine()
    other = [f"{key} is {here[key]}, not {planned.get(key)}" for key in here if planned.get(key) != here[key]]
    backend = settings.get("backend", {})
    gpus = [list(gpu) for gpu in gpus_used(backend.get("gpus", 0), backend.get("options", {}))]
    if not other and gpus != [list(gpu) for gpu in settings.get("gpus", [])]:
        other = [f"its GPUs are {gpus or 'none'}, not {settings['gpus'] or 'none'}"]
    if not other:
        return
    if name == HERE:
        fix = "name the machine that measures: machines: in params.yaml (docs/how-to/cluster.md); then the same command again"
        planned_for = "the machine that planned it"
    else:
        planned_for = f"the machine {name} ({machine_file(name)})"
        fix = (
            f"ask for such nodes alone under machines.{name} in params.yaml (constraint, partition); where the machine was "
            f"changed: temper run --again {name}, which looks again and measures what that changes"
        )
    raise MachineError(
        asked=asked,
        happened=f"it was planned for {planned_for}, and runs on {node()}, where " + "; ".join(other),
        affected="nothing was measured: a latency of this machine would have stood as the other's",
        fix=fix,
    )


def unseen(names: Sequence[str]) -> list[str]:
    """Those of some machines that no job has looked at."""
    return [name for name in names if name != HERE and seen(name) is None]


def counted(inputs: Iterable[Any]) -> list[str]:
    """What a job reads, without what was seen on machines: of that, the part that it depends on is among its settings."""
    return [str(file) for file in inputs if not is_machine_file(str(file))]


def where_it_ran() -> dict[str, Any]:
    """The machine that a job runs on, as it sees it: its node's name, processor, GPUs with their driver, what is installed."""
    gpus = [{"name": gpu.name, "driver": gpu.driver_version} for gpu in nvidia_gpus()]
    return {"node": node(), **machine(), "gpus": gpus}
