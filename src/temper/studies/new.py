"""`temper init`: from a checkpoint and data, by flags or by asking, to a folder that runs."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from temper.artifacts.onnx_file import PROTOBUF_LIMIT_BYTES
from temper.data.examples import Examples
from temper.engines.tensorrt_rtx import LIBRARY
from temper.environment.devices import nvidia_gpus
from temper.environment.library import INSTALLED, installed_version
from temper.environment.machine import machine
from temper.errors import ConfigError, DataError, restated
from temper.evaluation.evaluation import evaluation_of
from temper.statistics.metrics import TITLES
from temper.statistics.paired_labels import against_budget
from temper.studies import create, model
from temper.studies.checkpoint import NOT_MADE, Checkpoint, inspect_checkpoint
from temper.studies.data_file import read_data_file
from temper.studies.hub import checkpoint_folder
from temper.studies.kinds import rows_of
from temper.studies.made import in_words
from temper.studies.new_data import Given, images_section, own_words, path_of, texts_section
from temper.studies.questions import Questions, ignored, number
from temper.studies.sections import ONE_TOKEN, Section, Wanted
from temper.tasks.task import USUAL, task_of
from temper.training.checkpoint_head import fix_of


@dataclass(frozen=True)
class Made:
    """A study that was made: its name, and lines that say what was found and what to run."""

    name: str
    lines: list[str]


def _some_name(text: str) -> str:
    if not text:
        raise ValueError("give a name")
    return text


def _some_model(text: str) -> str:
    if not text:
        raise ValueError("give a path or a name")
    return text


def _max_tokens(questions: Questions, lengths: model.Lengths) -> int:
    """Longest row of the study in tokens."""
    return questions.answer(
        "max-tokens",
        f"longest row in tokens (the longest text has {lengths.longest:,}; what is beyond is cut)",
        number(3, lengths.most_asked),
        str(model.rounded(lengths.longest, lengths.takes)),
    )


def _fine_tune(questions: Questions, checkpoint: Checkpoint, labels: str) -> bool:
    """Whether the checkpoint is trained; one whose head does not answer as the study's task has to be."""
    task = task_of(labels)
    if not getattr(task, "TRAINS", True):
        if questions.given("fine-tune") not in (None, "no"):
            raise ignored("fine-tune", f"nothing trains {task.TITLE} here: the checkpoint is taken as it is")
        return False
    if checkpoint.names_for(labels) is not None:
        return questions.agree("fine-tune", "train the checkpoint on the data (else as it is)", "no")
    asked = f"make a study of {checkpoint.name} as it is"
    unlike = checkpoint.head.unlike_task(labels)
    if checkpoint.head.task is not None and unlike is not None:
        if not questions.agree("fine-tune", f"{unlike}: train a new classifier on the data", "no"):
            raise ConfigError(
                asked=asked, happened=unlike, affected=NOT_MADE, fix=fix_of("--fine-tune yes", "--labels")
            )
        return True
    agreed = questions.agree(
        "fine-tune",
        "the checkpoint has no classifier of its own: train one on the data",
        enter="yes",
        values=" yes, or name a fine-tuned checkpoint",
    )
    if not agreed:
        raise ConfigError(
            asked=asked,
            happened="it has no classifier: its config.json names no architecture for classification",
            affected=NOT_MADE,
            fix="name a fine-tuned checkpoint, or --fine-tune yes",
        )
    return True


def _check_kind(checkpoint: Checkpoint, path: Path) -> None:
    """Refuse images for a model of texts, and the reverse."""
    images = checkpoint.task == "image-classification"
    if path.is_dir() != images:
        takes = (
            "a folder with a folder of images for each label"
            if images
            else "a file of texts (TSV, CSV, JSON lines, Parquet)"
        )
        raise DataError(
            asked=f"make a study of {checkpoint.name} and {path.name}",
            happened=f"{path.name} is {'a folder' if path.is_dir() else 'no folder'}, and a {checkpoint.model_type} for "
            f"{checkpoint.task} takes {takes}",
            affected=NOT_MADE,
            fix="give data of the model's kind: --data",
        )


def _check_flags(questions: Questions, given: Given, images: bool) -> None:
    """Refuse flags that are for data of the other kind."""
    if not images:
        questions.refuse(["test-share"], "it is for images; texts have --test, or --test-rows")
        return
    why = "it is for texts, and the data is a folder of images (--test-share says how many are for the test)"
    questions.refuse(["test", "test-rows", "label-column", "max-tokens", "labels"], why)
    lists = {"text-column": given.text, "columns": given.columns, "quoting": given.quoting}
    for flag, value in lists.items():
        if value is not None:
            raise ignored(flag, why)


def _raw_listing(checkpoint: Checkpoint, copied: Mapping[str, Path], folder: Path) -> dict[str, str] | None:
    """What raw.yaml lists, from the nearest folder that holds all; None where the study's files are no copies."""
    config = (folder / create.CHECKPOINT / "config.json").read_bytes()
    if (
        not copied
        or checkpoint.name != checkpoint.folder.name
        or config != (checkpoint.folder / "config.json").read_bytes()
    ):
        return None
    sources = {f"{create.CHECKPOINT}/{name}": source for name, source in checkpoint.files.items()} | dict(copied)
    top = os.path.commonpath([path.parent for path in sources.values()])
    return {target: path.relative_to(top).as_posix() for target, path in sources.items()}


def _readme(wanted: Wanted, lines: list[str], listed: bool) -> str:
    bring = (
        f"`temper raw -C studies/{wanted.name} --from folder` copies them (raw.yaml)"
        if listed
        else "they are not in git; `dvc pull` brings them where they were pushed"
    )
    found = "\n".join(f"- {line.partition(':')[0]}: {line.partition(':')[2].strip()}" for line in lines)
    return f"""# {wanted.name}

Made by `temper init`:

{found}

```
temper plan -C studies/{wanted.name}
temper run -C studies/{wanted.name}
```

Files from outside are in data/raw/: {bring}. params.yaml is yours to change (docs/params.md); not measured yet.
"""


def make_study(checkout: Path, questions: Questions, given: Given, *, replaces: bool = False) -> Made:
    """Ask what was not given, look at checkpoint and data, and make studies/<name>/ or nothing.

    Args:
        checkout: where studies/ is.
        questions: flags, and how to ask.
        given: flags that are lists.
        replaces: whether it may take the place of a study of that name that Temper made and nobody changed.

    Raises:
        PipelineError: what was named cannot become a study; nothing is left of it.
    """
    name = questions.answer("name", "name of the study", _some_name)
    before = create.check_name(checkout, name, replaces=replaces)
    checkpoint = inspect_checkpoint(
        checkpoint_folder(questions.answer("model", "folder of the checkpoint, or its name on the hub", _some_model))
    )
    path = questions.answer("data", "file of labelled texts, or folder of images by label", path_of)
    if not path.exists():
        raise DataError(
            asked=f"make a study of {path}", happened="it is not there", affected=NOT_MADE, fix="correct --data"
        )
    _check_kind(checkpoint, path)
    images = checkpoint.task == "image-classification"
    _check_flags(questions, given, images)
    words = own_words(checkpoint, path)
    with restated(NOT_MADE, words):
        data = None if images else read_data_file(path, columns=given.columns, quoting=given.quoting)
        rows = None if data is None else rows_of(questions, given.text, checkpoint, data)
    labels = USUAL if rows is None else rows.labels
    fine_tune = _fine_tune(questions, checkpoint, labels)
    if not fine_tune:
        questions.refuse(["new-head"], "the checkpoint is taken as it is; --fine-tune yes trains it")
    replaced = "" if before is None else in_words(checkout / "studies" / name, before)
    with restated(NOT_MADE, words), create.staging(checkout, name, before) as folder:
        create.copy_checkpoint(checkpoint, folder)
        copied: dict[str, Path] = {}
        length = None
        if data is None or rows is None:
            section, lines = images_section(questions, given, checkpoint, path, fine_tune, folder)
        else:
            section, lines, copied = texts_section(questions, given, checkpoint, data, rows, fine_tune, folder, words)
        splits = create.loaded(folder, section, checkpoint.task)
        with model.loaded_model(folder, checkpoint, splits, labels=labels, trained=fine_tune) as loaded:
            if images:
                model.check_images(loaded, splits, folder)
            else:
                lengths = model.measure_texts(loaded, splits)
                section["max_tokens"] = _max_tokens(questions, lengths)
                length = model.rounded(lengths.most, section["max_tokens"])
                tokens = f"the longest text has {lengths.longest:,}"
                if lengths.cut:
                    longer = "1 text is" if lengths.cut == 1 else f"{lengths.cut:,} texts are"
                    tokens = f"{longer} longer than the {lengths.longest:,} that the model takes"
                tokens += f"; max_tokens {section['max_tokens']}"
                lines += [f"tokens:     {tokens}", *(f"note:       {note}" for note in loaded.notes)]
            here = "yes" if nvidia_gpus() and installed_version(LIBRARY) else "no"
            gpu = questions.agree("gpu", "TensorRT engines for an NVIDIA GPU as well", here)
            wanted = Wanted(
                name=name,
                task=checkpoint.task,
                data=section,
                checkpoint=create.CHECKPOINT,
                attends=checkpoint.attends,
                sequence_length=length,
                fine_tune=fine_tune,
                engine_version=(installed_version(LIBRARY) or INSTALLED) if gpu else None,
                threads=machine()["cores_usable"],
                weight_bytes=loaded.weight_bytes,
            )
            if wanted.weight_bytes >= PROTOBUF_LIMIT_BYTES:
                lines.append(
                    f"size:       {wanted.weight_bytes / 1024**3:.1f} GiB of weights: they stand beside the ONNX graphs "
                    "(onnx_external_data), and are calibrated by percentile (NNCF takes 2 GiB)"
                )
            title = f"{checkpoint.name} ({checkpoint.model_type}) on {path.name}"
            content = create.write_params(folder, wanted, title)
            unread = model.check_model(loaded, section["max_tokens"])
        if unread is not None and ONE_TOKEN in content["candidates"]:
            content = create.write_params(folder, replace(wanted, fixed_token=False), title)
            lines.append(f"note:       {ONE_TOKEN} is left out: {unread}")
        lines = [
            _about_checkpoint(checkpoint, section, fine_tune),
            *lines,
            *_too_few(_answers(splits.test, labels), labels, content),
        ]
        raw = _raw_listing(checkpoint, copied, folder)
        about = {"title": title, "needs": {"gpu": gpu, "network": False, "files": True}, "minutes": None}
        create.write_beside(folder, checkout, about, _readme(wanted, lines, raw is not None), raw)
    if before is not None:
        lines.append(f"replaced:   {replaced}")
    here = os.path.relpath(checkout / "studies" / name)  # the checkout need not be where the person stands
    lines += [
        f"written:    {here}/params.yaml: {len(content['candidates'])} candidates, closed schema holds",
        f"run it:     temper run -C {here}",
    ]
    return Made(name, lines)


def _answers(test: Examples, labels: str) -> int:
    """How many answers test rows have: of each word, or of each row."""
    return len(test) if task_of(labels).ANSWERS_AT is None else sum(map(len, test.labels))


def _too_few(answers: int, labels: str, content: Section) -> list[str]:
    """Said where the test rows cannot show that a figure is within the budget, whatever the answers are."""
    budget = content["analysis"]["accuracy_budget_points"]
    unit = "rows" if task_of(labels).ANSWERS_AT is None else "words"
    figure = "an accuracy" if labels == USUAL else TITLES[evaluation_of(labels).METRICS[0]]
    at_best = against_budget(0, 0, answers, budget_points=budget)
    if at_best.verdict == "within":
        return []
    return [
        f"note:       {answers:,} test {unit} cannot show that {figure} is within {budget:g} points, so a choice is "
        f"provisional: {at_best.rows_that_would_decide:,} can, where no answer changes (--test FILE gives more)"
    ]


def _about_checkpoint(checkpoint: Checkpoint, section: Section, fine_tune: bool) -> str:
    how = "to be fine-tuned" if fine_tune else "as it is"
    names: list[Any] = section["label_names"]
    shown = ", ".join(map(str, names[:6])) + (", …" if len(names) > 6 else "")
    return f"checkpoint: {checkpoint.name}: {checkpoint.model_type} for {checkpoint.task}, {how}; labels {shown}"
