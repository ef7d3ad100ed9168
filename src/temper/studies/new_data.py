"""The `data:` section of a new study: files of texts or a folder of images, copied below it, and what was found in them."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from temper.data.prepare import check_examples
from temper.data.source import splits_from_columns
from temper.errors import DataError
from temper.studies import create
from temper.studies.checkpoint import NOT_MADE, Checkpoint, are_outputs, labels_differ, match_labels
from temper.studies.data_file import DataFile, are_scores, draw_test, image_labels, read_data_file
from temper.studies.kinds import Rows, label_values
from temper.studies.questions import Questions, number
from temper.studies.sections import SEED, Section
from temper.tasks.task import USUAL, task_of
from temper.training.checkpoint_head import compared

MOST_TEST_ROWS, LEAST_ROWS = 2000, 10
KEPT_SHARE = 0.1  # where nothing is trained, the rest of the rows only calibrates and validates


def path_of(text: str) -> Path:
    """Reads a path."""
    if not text:
        raise ValueError("give a path")
    return Path(text).expanduser().resolve()


def own_words(checkpoint: Checkpoint, path: Path) -> dict[str, str]:
    """What the user calls what a run of the study would name."""
    return {
        create.CHECKPOINT: str(checkpoint.folder),
        "set data.quoting: false": "give --no-quoting",
        "data.quoting": "--quoting",
        "the file's `columns`": "--columns",
        "data.text": "--text-column",
        "data.format": "the file's ending",
    } | ({f"{create.RAW}/train": str(path)} if checkpoint.task == "image-classification" else {})


@dataclass(frozen=True)
class Given:
    """Flags whose values are lists or may be left out without being asked.

    text: one column, or two for pairs.
    columns: names of the columns of TSV or CSV without a header.
    quoting: of TSV or CSV; None finds out.
    label_names: of the data, in the order of the model's outputs.
    """

    text: list[str] | None
    columns: list[str] | None
    quoting: bool | None
    label_names: list[str] | None


@dataclass(frozen=True)
class Labels:
    """Label names of the study, in the order of the model's outputs, and whether its classifier is the checkpoint's own."""

    names: list[str]
    own_head: bool


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _labels(
    questions: Questions, given: Given, checkpoint: Checkpoint, labels: str, values: list[str], fine_tune: bool
) -> Labels:
    """The study's labels: the checkpoint's order where they are its own, else what somebody says.

    Args:
        questions: flags, and how to ask.
        given: flags that are lists.
        checkpoint: the model.
        labels: the study's task.
        values: distinct labels of the data, as it writes them.
        fine_tune: whether the checkpoint is trained.

    Raises:
        ConfigError: they differ from the checkpoint's, or nobody says which is which.
        DataError: they are scores.
    """
    if given.label_names is not None and len(given.label_names) == 1:  # with commas, as where they are asked for
        given = replace(given, label_names=_names(given.label_names[0]))
    if fine_tune and _new_head(questions, given, checkpoint, labels, values):
        _refuse_scores(values)
        return Labels(given.label_names or values, own_head=False)
    found = match_labels(checkpoint, values, given.label_names)
    if found is None:
        own = checkpoint.head.names
        said = "does not name" if checkpoint.head.names_nothing else f"names {', '.join(own)}:"
        typed = questions.answer(
            "label-names",
            f"the checkpoint {said} its {len(own)} outputs; the data's label of each, in their order, with commas "
            f"(it has {', '.join(values)})",
            _names,
            values=f", {len(own)} names with commas between",
        )
        found = match_labels(checkpoint, values, typed)
        if found is None:
            raise labels_differ(checkpoint, typed)
    return Labels(found, own_head=True)


def _new_head(questions: Questions, given: Given, checkpoint: Checkpoint, labels: str, values: list[str]) -> bool:
    """Whether fine-tuning begins a classifier: the checkpoint has none of so many labels, or theirs are not the data's.

    Raises:
        ConfigError: its labels are as many and others, and nobody says whether they mean the same.
    """
    own, wanted = checkpoint.names_for(labels), given.label_names or values
    if own is None or (given.label_names is not None and len(wanted) != len(own)):
        return True
    numbers = all(value.isdecimal() for value in values)
    same = set(compared(wanted)) <= set(compared(own)) or (given.label_names is None and are_outputs(values, len(own)))
    if same or (len(wanted) == len(own) and checkpoint.head.names_nothing):
        return False  # which label is which output is known, or asked
    if len(wanted) > len(own) or (len(wanted) < len(own) and not numbers):
        return True
    return questions.agree(
        "new-head",
        f"the checkpoint's labels are {', '.join(own[:12])}, the data's {', '.join(wanted[:12])}; train a new classifier for the "
        "data's (else --label-names says which of them each output is)",
        "no" if given.label_names else None,
    )


def _refuse_scores(values: list[str]) -> None:
    """Refuse labels of which each is a score of its own: a class for each would be trained.

    Raises:
        DataError: they are.
    """
    if are_scores(values):
        scores = [value for value in values if float(value) % 1]
        raise DataError(
            asked=f"train a classifier for {len(values):,} labels",
            happened=f"they are numbers such as {', '.join(scores[:3])}: scores, of which each would be a class of its own",
            affected=NOT_MADE,
            fix="--labels score, which trains one output for the number; or give the rows one label of several, such as low, "
            "middle and high",
        )


def _names_of(
    questions: Questions, given: Given, checkpoint: Checkpoint, rows: Rows, values: list[str], fine_tune: bool
) -> Labels:
    """Names of the outputs: of labels as `_labels` has them, of a number what its column is called."""
    if task_of(rows.labels).COUNTED:
        return _labels(questions, given, checkpoint, rows.labels, values, fine_tune)
    return Labels(given.label_names or rows.label, own_head=not fine_tune or checkpoint.kind == rows.labels)


def texts_section(
    questions: Questions,
    given: Given,
    checkpoint: Checkpoint,
    data: DataFile,
    rows: Rows,
    fine_tune: bool,
    folder: Path,
    words: dict[str, str],
) -> tuple[Section, list[str], dict[str, Path]]:
    """The `data:` section for a file of texts, what was found, and the files that were copied by their target.

    `words` learns which of the user's files those of the study come from.
    """
    path, label = data.path, rows.label if len(rows.label) > 1 else rows.label[0]
    own = checkpoint.names_for(rows.labels) or []
    values = label_values(data, rows, own)
    other = questions.answer(
        "test",
        "file of test rows (empty: draw them from the data)",
        lambda typed: path_of(typed) if typed else None,
        "",
    )
    copied: dict[str, Path] = {}
    if other is None:
        most = data.rows - LEAST_ROWS
        if most < 1:
            raise DataError(
                asked=f"draw test rows from {path.name}",
                happened=f"it has {data.rows} rows, and {LEAST_ROWS} have to stay to calibrate and validate on",
                affected=NOT_MADE,
                fix="give more rows, or a file of test rows: --test",
            )
        drawn = questions.answer(
            "test-rows",
            f"test rows to draw from its {data.rows:,}",
            number(1, most),
            str(min(_test_rows(data.rows, trained=fine_tune), most)),
        )
        train, test = draw_test(data, drawn, SEED, folder / create.RAW)
        train_rows, test_rows, said = data.rows - drawn, drawn, f"{drawn:,} rows drawn from {path.name} (seed {SEED})"
    else:
        test_data = read_data_file(other, columns=given.columns, quoting=data.quoting)
        if test_data.format != data.format:
            raise DataError(
                asked=f"test on {other.name}",
                happened=f"its format is {test_data.format}, that of {path.name} is {data.format}",
                affected=NOT_MADE,
                fix="write both in one format",
            )
        train, test = f"train.{data.format}", f"test.{data.format}"
        for target, source in ((train, path), (test, other)):
            shutil.copyfile(source, folder / create.RAW / target)
            copied[f"{create.RAW}/{target}"] = source
            words[f"{create.RAW}/{target}"] = str(source)
        if len(rows.label) == 1 and label in test_data.names:
            values = sorted({*values, *label_values(test_data, rows, own)})
        train_rows, test_rows, said = data.rows, test_data.rows, f"{test_data.rows:,} rows of {other.name}"
    labels = _names_of(questions, given, checkpoint, rows, values, fine_tune)
    names = labels.names
    if len(rows.label) > 1:
        label = names  # a column for each, in the order of the outputs
    task = None if rows.labels == USUAL else rows.labels
    if other is None:  # before a row that is wrong has another number in the file that it was drawn into
        whole = dict.fromkeys(("train", "test"), data.table)
        read = splits_from_columns(whole, text=rows.text, label=label, label_names=names, notes={}, labels=task)
        check_examples(read.train, checkpoint.task)
        words |= {f"{create.RAW}/{part}": f"the {Path(part).stem} rows of {path}" for part in (train, test)}
    quoting = "" if data.quoting is None else f", quotes {'around fields' if data.quoting else 'are text'}"
    shown = f" ({', '.join(values[:6])}{', …' if len(values) > 6 else ''})" if values else ""
    section = {
        "source": "files",
        **({} if task is None else {"labels": task}),
        "format": data.format,
        "quoting": data.quoting,
        "train": {"path": f"{create.RAW}/{train}", "columns": given.columns},
        "validation": None,
        "test": {"path": f"{create.RAW}/{test}", "columns": given.columns},
        "text": rows.text,
        "label": label,
        "label_names": names,
        **create.drawn_rows(train_rows, trained=fine_tune),
        "max_tokens": create.UNBOUNDED,
    }
    lines = [
        f"data:       {path.name}: {data.format}{quoting}, {data.rows:,} rows, columns {', '.join(data.names)}",
        f"columns:    text {', '.join(rows.text)}; label {', '.join(rows.label)}{shown}",
        *([] if task is None else [f"answers:    {task_of(task).TITLE} ({task}), {rows.why}; --labels changes it"]),
        f"test:       {said}",
        create.parts_line(section, train_rows, test_rows),
        *create.settle_head(folder, checkpoint, rows.labels, names, labels.own_head),
    ]
    return section, lines, copied


def _test_rows(rows: int, *, trained: bool) -> int:
    """How many of so many rows to test on: a fifth where the others are trained on, else all but what stays to validate."""
    kept = min(max(int(rows * KEPT_SHARE), 2 * create.LEAST_PART_ROWS), rows // 2)
    return max(1, min(rows // 5 if trained else rows - kept, MOST_TEST_ROWS))


def images_section(
    questions: Questions, given: Given, checkpoint: Checkpoint, path: Path, fine_tune: bool, folder: Path
) -> tuple[Section, list[str]]:
    """The `data:` section for a folder of images by label, and what was found."""
    values = image_labels(path)
    labels = _labels(questions, given, checkpoint, USUAL, values, fine_tune)
    names = labels.names

    def share(text: str) -> float:
        value = float(text)
        if not 0 < value < 1:
            raise ValueError(f"{text} is no share between 0 and 1")
        return value

    count = max(5, sum(1 for name in values for _ in (path / name).iterdir()))
    suggested = f"{max(0.01, round(_test_rows(count, trained=fine_tune) / count, 2)):g}"
    test_share = questions.answer("test-share", "share of each label's images to test on", share, suggested)
    create.copy_images(path, folder / create.RAW / "train")
    section: Section = {
        "source": "image_folder",
        "train": f"{create.RAW}/train",
        "validation": None,
        "test": None,
        "test_share": test_share,
        "label_names": names,
        "validation_rows": 1,
        "calibration_rows": 1,
        "max_tokens": None,
    }
    splits = create.loaded(folder, section, checkpoint.task)
    section |= create.drawn_rows(len(splits.train), trained=fine_tune)
    lines = [
        f"data:       {path.name}: {len(splits.train) + len(splits.test):,} images of {len(values)} labels",
        f"test:       {len(splits.test):,} images, {test_share:g} of each label (seed {SEED})",
        create.parts_line(section, len(splits.train), len(splits.test)),
        *create.settle_head(folder, checkpoint, USUAL, names, labels.own_head),
        *(f"note:       {warning}" for warning in splits.warnings),
    ]
    return section, lines
