"""Prepared data in, checkpoint out: weights, configuration, preprocessor, signature and history in one folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import copy_files, sha256, staged_folder, write_manifest, write_text
from temper.artifacts.signature import PREPROCESSOR_FILES, read_signature
from temper.data.encoded import PREPROCESSOR_FOLDER, check_split
from temper.environment import plugins
from temper.environment.machine import machine, versions
from temper.study.sections.model import model_options
from temper.training.unfinished import FOLDER, Unfinished
from temper.training.validation import on_validation, settled
from temper.training.worth import say_worth

SPLITS = ("train", "validation")  # what a method may read


def make_checkpoint(
    *, model: Mapping[str, Any], train: Mapping[str, Any], seed: int, data_folder: str, folder: str, source: str = ""
) -> None:
    """Train, or take a fine-tuned checkpoint as it is, and write `artifacts/checkpoint/`.

    Args:
        model: the `model:` section.
        train: the `train:` section; `method` names a file of temper/training/.
        seed: the study's.
        data_folder: prepared data.
        folder: where the checkpoint goes: config.json, model.safetensors, preprocessor files, signature.json,
            training_history.json (how right the model is on validation rows included; what that is worth is said on the
            terminal) and the manifest checkpoint.json. Nothing in it depends on the time or the place.
        source: digest of the code, without which a training that was stopped would go on with other code.

    Raises:
        ArtifactError: the starting checkpoint or the prepared data is not what it should be.
    """
    data = Path(data_folder)
    module = plugins.load("training", train["method"])
    for split in SPLITS:
        check_split(data, split)
    signature = read_signature(data / "signature.json")
    inputs = {f"{split}.parquet": sha256(data / f"{split}.parquet") for split in SPLITS} | {
        "signature.json": sha256(data / "signature.json")
    }
    facts = {"seed": seed, "train": dict(train), "versions": versions(*module.LIBRARIES)}
    unfinished = Unfinished(
        Path(folder).parent / FOLDER / "fine_tune.pt",
        {**facts, "model": dict(model), "inputs": inputs, "source": source, "machine": machine()},
    )
    network, history = module.train(
        **({"unfinished": unfinished} if getattr(module, "GOES_ON", False) else {}),
        options=module.Options.model_validate(train),
        model=model_options(model),
        signature=signature,
        data_folder=data,
        seed=seed,
    )
    decided = settled(network, data, signature)
    # known where the method answered validation rows, and with all that decides now
    known = history.get("validation") if signature.labels is None else None
    found = on_validation(network, data, decided, known)
    history = {**history, "validation": None if found is None else found.as_json(decided)}
    if found is not None:
        say_worth(found, decided)
    network.config._name_or_path = ""  # where it came from is a path of this machine
    with staged_folder(folder) as scratch:
        network.save_pretrained(scratch, max_shard_size="1000GB")
        copy_files(PREPROCESSOR_FILES[signature.task], data / PREPROCESSOR_FOLDER, scratch)
        write_text(scratch / "signature.json", decided.as_json())
        write_text(scratch / "training_history.json", json.dumps(history, indent=2) + "\n")
        write_manifest(
            scratch / "checkpoint.json",
            kind="checkpoint",
            facts=facts,
            inputs=inputs,
        )
    unfinished.remove()
