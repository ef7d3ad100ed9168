"""A load test's artifact behind a server, with what it took: its own processor time, and the client's."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from temper.data.encoded import Split
from temper.load_test.socket_system import Endpoint, SocketSystem, labels_of, processor_s, requests_of
from temper.measurement.contention import Reading, read_counters
from temper.package.bare import Material
from temper.package.runtime.budget import budget_of
from temper.study.sections.load_tests import LoadTestRow

CONNECTIONS = 64  # at least; twice the rows of a call where that is more
WAITING = 1 << 16  # rows: none is refused, as the connections bound what waits


class Served:
    """One artifact, served; a context. What it starts ends with it."""

    def __init__(
        self,
        request: Mapping[str, Any],
        split: Split,
        labels: Sequence[str],
        *,
        max_tokens: int,
        folder: Path,
        serve: Callable[[Material, Path], AbstractContextManager[Endpoint]],
    ) -> None:
        """Prepare.

        Args:
            request: what `temper.load_test.loadgen.run_load_test` writes, with `serving` (`serving_of`).
            split: the test rows, with their texts: LoadGen's samples.
            labels: of each as the runner itself answers.
            max_tokens: longest row.
            folder: for the package and the server's log.
            serve: packages and serves the material, in a folder that is empty.
        """
        row, serving = LoadTestRow.model_validate(request["row"]), request["serving"]
        self._serve, self._folder, self._labels = serve, folder / "served", list(labels)
        pairs = serving["texts_per_row"] == 2
        self._rows = [text.split("\t") if pairs else [text] for text in split.texts]
        tokens, rows = budget_of([(size, length or max_tokens) for size, length in serving["sizes"]], max_tokens)
        self._connections = max(CONNECTIONS, 2 * rows)
        self._material = Material(
            loads=row.loads,
            artifact=Path(request["artifact"]),
            backend={**request["backend"], "name": row.backend},
            library_version=request["library_version"],
            data_folder=Path(request["data_folder"]),
            max_tokens=max_tokens,
            texts_per_row=serving["texts_per_row"],
            sizes=sorted({size for size, _ in serving["sizes"]}),
            rows=rows,
            tokens=tokens,
            waiting=WAITING,
            timeout_s=row.timeout_s,
        )
        self._undo = ExitStack()
        self._systems: list[SocketSystem] = []

    def __enter__(self) -> Self:
        self._folder.mkdir()
        self._endpoint: Endpoint = self._undo.enter_context(self._serve(self._material, self._folder))
        with ExitStack() as undo:
            undo.push(self._undo)
            self._requests = requests_of(self._endpoint, self._rows)
            found = labels_of(self._endpoint, self._requests, self._connections)  # warms the shapes up, too
            undo.pop_all()
        self._differing = sum(one != other for one, other in zip(found, self._labels, strict=True))
        self._began_s = (processor_s(self._endpoint.pid), time.process_time())
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._undo.close()

    def system(self, loadgen: Any) -> SocketSystem:
        """What answers a run."""
        self._systems.append(SocketSystem(loadgen, self._endpoint, self._requests, self._connections))
        return self._systems[-1]

    def counters(self) -> Reading:
        """The machine's counters, the server's time among this process's own."""
        found = read_counters()
        return replace(found, own_s=found.own_s + processor_s(self._endpoint.pid))

    def facts(self) -> dict[str, Any]:
        """What the record says of it: the server, batches that it formed by their rows (where it says), budget of a call,
        connections, labels that differ from the runner's own, and
        milliseconds of processor time that the server, and the client with LoadGen, took for a sample."""
        samples = max(1, sum(system.samples for system in self._systems))
        server_s, client_s = self._began_s
        return {
            "server": self._endpoint.server,
            "batches": self._endpoint.batches(),
            "rows_of_a_call": self._material.rows,
            "tokens_of_a_call": self._material.tokens,
            "connections": self._connections,
            "samples": len(self._rows),
            "labels_differing": self._differing,
            "server_processor_ms_per_sample": 1e3 * (processor_s(self._endpoint.pid) - server_s) / samples,
            "client_processor_ms_per_sample": 1e3 * (time.process_time() - client_s) / samples,
        }
