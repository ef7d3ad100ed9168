"""Fine-tuning on several devices: torchrun starts a process for each, and the first one hands the model back.

Each process calls the same `train` as a training on one device does. CPU processes talk through gloo, GPUs through NCCL.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import write_text
from temper.artifacts.signature import Signature, read_signature
from temper.data.encoded import PREPROCESSOR_FOLDER
from temper.environment import plugins
from temper.environment.own_process import environment, python_command
from temper.errors import PipelineError
from temper.study.sections.model import ModelOptions, model_options

_REQUEST, _HISTORY, _WEIGHTS, _REFUSED = "request.json", "history.json", "weights.safetensors", "refused.json"


def train_on_several(
    *, options: Any, model: ModelOptions, signature: Signature, data_folder: Path, seed: int
) -> tuple[Any, dict[str, Any]]:
    """As `temper.training.fine_tune.train`, on `options.devices` devices of this machine.

    Raises:
        PipelineError: as `train`, of the process that was refused; or one ended without a word.
    """
    from safetensors.torch import load_file

    from temper.training.model import initial_model

    with tempfile.TemporaryDirectory(prefix="temper-train.") as folder:
        scratch = Path(folder)
        asked = {
            "options": options.model_dump(mode="json"),
            "model": model.model_dump(mode="json"),
            "data_folder": str(data_folder),
            "seed": seed,
            "pid": os.getpid(),
        }
        write_text(scratch / _REQUEST, json.dumps(asked))
        command = python_command(
            *("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(options.devices)),
            *("-m", "temper.training.several_devices", folder),
        )
        threads = {"OMP_NUM_THREADS": str(options.threads)}  # else torchrun says, at length, that it sets it to 1
        done = subprocess.run(command, env=environment(**threads), check=False)
        refused = scratch / _REFUSED
        if done.returncode != 0:
            parts = json.loads(refused.read_text(encoding="utf-8")) if refused.is_file() else None
            raise PipelineError(
                **(
                    parts
                    or {
                        "asked": f"fine-tune on {options.devices} devices",
                        "happened": f"a process of torchrun ended with code {done.returncode} and without a model",
                        "affected": "this job; no model was trained",
                        "fix": "its own words stand in the job's log; where memory is short, a smaller train.batch_size",
                    }
                )
            )
        longest = json.loads((scratch / _HISTORY).read_text(encoding="utf-8"))
        preprocessor = data_folder / PREPROCESSOR_FOLDER
        network = initial_model(model, signature, preprocessor, longest=longest.pop("longest"), fresh_head=True)
        network.load_state_dict(load_file(scratch / _WEIGHTS))
        return network.eval(), longest


def _end_with(pid: int) -> None:
    """End this process when the job ends that started it: torchrun, in between, would go on without it (Linux)."""
    if not hasattr(os, "pidfd_open"):
        return
    try:
        job = os.pidfd_open(pid)
    except OSError:
        os._exit(1)

    def wait() -> None:
        select.select([job], [], [])
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _one(folder: Path) -> None:
    """What each process does."""
    from safetensors.torch import save_file
    from torch import distributed

    from temper.data.encoded import check_split
    from temper.training.ranks import Ranks

    asked = json.loads((folder / _REQUEST).read_text(encoding="utf-8"))
    _end_with(asked["pid"])
    method = plugins.load("training", asked["options"]["method"])  # which imports this module
    options = method.Options.model_validate(asked["options"])
    ranks = Ranks(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    data = Path(asked["data_folder"])
    try:
        if options.device == "cuda":
            import torch

            if torch.cuda.device_count() < ranks.count:
                raise PipelineError(
                    asked=f"fine-tune on {ranks.count} GPUs",
                    happened=f"PyTorch {torch.__version__} sees {torch.cuda.device_count()} on this machine",
                    affected="this job; no model was trained",
                    fix="lower train.devices, or run where as many GPUs are",
                )
            torch.cuda.set_device(ranks.rank)
        distributed.init_process_group("nccl" if options.device == "cuda" else "gloo")
        network, history = method.train(
            options=options,
            model=model_options(asked["model"]),
            signature=read_signature(data / "signature.json"),
            data_folder=data,
            seed=asked["seed"],
            ranks=ranks,
        )
        if ranks.is_first:
            save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / _WEIGHTS)
            whole = {**history, "longest": check_split(data, "train")["max_tokens"]}
            write_text(folder / _HISTORY, json.dumps(whole))
        distributed.barrier()
        distributed.destroy_process_group()
    except PipelineError as error:
        parts = {"asked": error.asked, "happened": error.happened, "affected": error.affected, "fix": error.fix}
        write_text(folder / _REFUSED, json.dumps(parts))
        sys.exit(1)


if __name__ == "__main__":
    _one(Path(sys.argv[1]))
