"""A training that is stopped goes on, and what comes out is what it would have been."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from temper.study.sections.model import model_options
from temper.training.fine_tune import Options, train
from temper.training.unfinished import Unfinished
from tests.tiny_study import MODEL, SEED, TRAIN


class Stopped(KeyboardInterrupt):
    """As a kill would have been, after so many writes."""


class Stopping(Unfinished):
    left = 0

    def write(self, state):
        super().write(state)
        self.left -= 1
        if self.left == 0:
            raise Stopped


@pytest.fixture
def fine_tune(tiny_study):
    def fine_tune(unfinished=None, **changes):
        return train(
            options=Options.model_validate({**TRAIN, **changes}),
            model=model_options(MODEL),
            signature=tiny_study.signature,
            data_folder=Path(tiny_study.data),
            seed=SEED,
            unfinished=unfinished,
        )

    return fine_tune


def stopped(fine_tune, file, after, **changes):
    keeper = Stopping(file, {"study": 1}, every_s=0, clock=lambda: 0.0)
    keeper.left = after
    with pytest.raises(Stopped):
        fine_tune(keeper, **changes)


@pytest.mark.parametrize("patience", [None, 3])
def test_what_went_on_is_byte_equal_to_what_was_not_stopped(fine_tune, tmp_path, capfd, patience):
    changes = {"epochs": 3, "early_stopping_patience": patience}
    whole, history = fine_tune(**changes)
    file = tmp_path / "unfinished/fine_tune.pt"
    stopped(fine_tune, file, 2, **changes)
    stopped(fine_tune, file, 3, **changes)  # again, further on
    keeper = Unfinished(file, {"study": 1})
    capfd.readouterr()
    network, again = fine_tune(keeper, **changes)
    assert "fine_tune goes on after step " in capfd.readouterr().out
    assert again == history
    pairs = zip(network.state_dict().items(), whole.state_dict().items(), strict=True)
    assert all(name == other and torch.equal(mine, theirs) for (name, mine), (other, theirs) in pairs)
    keeper.remove()
    assert not file.parent.exists()


@pytest.mark.parametrize(
    ("content", "said"), [(None, "another one"), (b"", "cannot be read"), (b"PK\x03\x04 cut off", "cannot be read")]
)
def test_a_state_of_another_training_or_a_broken_one_is_left_out(fine_tune, tmp_path, capfd, content, said):
    file = tmp_path / "fine_tune.pt"
    stopped(fine_tune, file, 2, epochs=1)
    if content is not None:
        file.write_bytes(content)
    assert Unfinished(file, {"study": 2}).read() is None
    assert said in capfd.readouterr().out


def test_a_pickle_that_would_run_code_is_left_out(tmp_path, capfd):
    class Runs:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"key": Runs()}, tmp_path / "fine_tune.pt")
    assert Unfinished(tmp_path / "fine_tune.pt", {}).read() is None
    assert not (tmp_path / "ran").exists()


def test_it_is_written_now_and_then_and_seldom_where_writing_takes_long(tmp_path):
    now, written = [0.0], []
    keeper = Unfinished(tmp_path / "a/state.pt", {}, every_s=60, clock=lambda: now[0])

    def state():
        written.append(now[0])
        now[0] += 10  # so long it takes
        return {"step": 1}

    for _ in range(600):
        now[0] += 1
        keeper.write(state)
    assert written[0] == 60
    assert written[1] - written[0] >= 200


PROGRAM = """
import sys
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from safetensors.torch import save_file
from temper.artifacts.signature import Signature
from temper.study.sections.model import model_options
from temper.training.fine_tune import Options, train
from temper.training.unfinished import Unfinished
from tests.tiny_study import MODEL, SEED, TRAIN

data, file, out = map(Path, sys.argv[1:])
signature = Signature.model_validate_json((data / "signature.json").read_text())
options = Options.model_validate({**TRAIN, "epochs": 40})
keeper = Unfinished(file, {"study": 1}, every_s=0.5)
network, _ = train(
    options=options, model=model_options(MODEL), signature=signature, data_folder=data, seed=SEED, unfinished=keeper
)
save_file(network.state_dict(), out)
"""


@pytest.mark.long  # three processes that import torch and train; the test above stops the same code inside one
def test_a_training_that_was_killed_goes_on_to_the_same_bytes(tiny_study, tmp_path):
    def start(name, file):
        command = [sys.executable, "-c", PROGRAM, str(tiny_study.data), str(file), str(tmp_path / name)]
        root = Path(__file__).resolve().parents[3]
        return subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"})

    assert start("whole", tmp_path / "never/state.pt").wait(timeout=300) == 0
    file = tmp_path / "unfinished/state.pt"
    killed = start("killed", file)
    deadline = time.monotonic() + 300
    while not file.is_file():
        assert time.monotonic() < deadline
        assert killed.poll() is None, "it was over before its state was written"
        time.sleep(0.01)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    assert start("again", file).wait(timeout=300) == 0
    assert (tmp_path / "again").read_bytes() == (tmp_path / "whole").read_bytes()
