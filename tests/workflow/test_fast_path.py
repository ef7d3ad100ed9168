"""Every study from its data to each ONNX file that needs no calibration, cut down, in this process.

One text and one image study run whole with every change (`finished`, `finished_images`); those of studies/ run whole with
`make long-test` (docs/decisions/0042). Here their own rows meet the code that reads them. What two studies make with the same
settings is made once; so is an export of two networks that differ in their weights alone.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from temper.artifacts.onnx_file import load
from temper.data.prepare import prepare_data
from temper.export.to_onnx import export_onnx
from temper.study.onnx_rows import precision_options
from temper.study.study import read_study
from temper.training.checkpoint import make_checkpoint
from temper.transforms.convert import convert_precision
from tests.workflow.conftest import ROOT
from tests.workflow.cut_down import cut_down, params_of

STUDIES = sorted(path.parent.name for path in ROOT.glob("studies/*/params.yaml"))
Make = Callable[..., None]
NETWORK = ("config.json", "signature.json", "tokenizer.json", "preprocessor_config.json")


class Workbench:
    """Folders by what made them: the function, its settings and the folders that it read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._networks: dict[str, str] = {}

    def __call__(self, make: Make, **arguments: Any) -> str:
        """The folder that `make(**arguments, folder=...)` fills; the same arguments give the same folder, made once."""
        key = json.dumps([make.__name__, arguments], sort_keys=True, default=str)
        folder = self._folder / sha256(key.encode()).hexdigest()[:16]
        if not folder.exists():
            make(**arguments, folder=str(folder))
        return str(folder)

    def network(self, checkpoint: str) -> str:
        """The first checkpoint of the same network: its configuration and preprocessing, without the weights."""
        read = {path.name: path.read_text() for path in sorted(Path(checkpoint).glob("*.json")) if path.name in NETWORK}
        return self._networks.setdefault(json.dumps(read), checkpoint)


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    folder = tmp_path_factory.mktemp("workbench")
    yield Workbench(folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", STUDIES)
def test_every_onnx_file_without_a_calibration_is_made(workbench, name):
    study = read_study(cut_down(params_of(name)))
    model, train = study.model.model_dump(mode="json"), dict(study.train)
    data = workbench(prepare_data, data=dict(study.data), model=model, seed=study.seed)
    checkpoint = workbench(make_checkpoint, model=model, train=train, seed=study.seed, data_folder=data)
    weights = {"external_data": study.onnx_external_data}
    made = {
        row: workbench(
            export_onnx,
            checkpoint_folder=workbench.network(checkpoint),
            data_folder=data,
            row=export.model_dump(mode="json"),
            **weights,
        )
        for row, export in study.exports.items()
    }
    waiting = dict(study.precisions)
    while ready := {row: step for row, step in waiting.items() if step["onnx"] in made}:
        for row, step in ready.items():
            made[row] = workbench(
                convert_precision,
                onnx_folder=made[step["onnx"]],
                calibration_folder=None,
                search_folder=None,
                step=step["step"],
                options=precision_options(step),
                **weights,
            )
            del waiting[row]
    for row in waiting:  # what is left starts from what needs a calibration
        while row in study.precisions:
            row = study.precisions[row]["onnx"]
        assert row in study.conversions
        assert row not in made
    for row, folder in made.items():
        outputs = [output.name for output in load(folder).graph.output]
        assert outputs == ["logits"], row
