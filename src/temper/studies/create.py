"""A new study from a checkpoint's folder and data: everything is made and checked beside its place, then moved there."""

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from temper.artifacts.inside import why_not_inside
from temper.artifacts.manifest import write_text
from temper.data.prepare import check_examples, draw_splits
from temper.data.source import Splits
from temper.environment.plugins import load as plugin
from temper.errors import ArtifactError, ConfigError, DataError, PipelineError, StorageError
from temper.studies.about import FILE as ABOUT
from temper.studies.checkpoint import NOT_MADE, Checkpoint
from temper.studies.made import Contents, check_replaceable, note_files, remove
from temper.studies.sections import SEED, Section, Wanted, sections, text_of
from temper.study.names import LONGEST_NAME, NAME_PATTERN
from temper.study.params_file import load_params
from temper.study.resolve import resolve
from temper.study.study import read_study
from temper.tasks.task import task_of
from temper.training.checkpoint_config import read_config
from temper.training.checkpoint_head import compared
from temper.training.checkpoint_sizes import SIZES_FIX, why_larger_than_weights

RAW = "data/raw"
CHECKPOINT = f"{RAW}/checkpoint"
MOST_VALIDATION_ROWS, MOST_CALIBRATION_ROWS = 500, 300
LEAST_PART_ROWS = 48  # of validation and of calibration, where there are enough
UNBOUNDED = 1_000_000  # tokens, where the model states no limit: only to count a text's


def check_name(checkout: Path, name: str, *, replaces: bool = False) -> Contents | None:
    """Refuse a name that is no folder's name, or that a study has.

    Returns:
        What is in the place of the new study and may go, where it `replaces` one.

    Raises:
        ConfigError: it is, or somebody else than Temper wrote something in the place of the new study.
    """
    taken = {"embedded": "params.yaml"} | {
        path.parent.name: f"studies/{path.parent.name}" for path in checkout.glob("studies/*/params.yaml")
    }
    happened, fix = None, "choose another name"
    if not re.fullmatch(NAME_PATTERN, name) or len(name) > LONGEST_NAME:
        happened = f"it is no name for a folder: {LONGEST_NAME} letters, digits, _ and - at most, the first a letter or a digit"
    elif replaces and name != "embedded" and (checkout / "studies" / name).is_dir():
        return check_replaceable(checkout / "studies" / name)
    elif name in taken or (checkout / "studies" / name).exists():
        happened = f"{taken.get(name, f'studies/{name}')} is there already"
        fix += (
            "" if name == "embedded" else "; or, where temper init made that one, --force puts the new one in its place"
        )
    elif other := next((each for each in taken if each.lower() == name.lower()), None):
        happened = f"{taken[other]} is there, which is the same name on a disk that takes capitals for small letters"
    if happened is not None:
        raise ConfigError(
            asked=f"make the study {name[:200]}",
            happened=happened,
            affected=NOT_MADE,
            fix=fix,
        )
    return None


@contextlib.contextmanager
def staging(checkout: Path, name: str, before: Contents | None = None) -> Iterator[Path]:
    """A folder that becomes studies/<name> when the block ends well, and vanishes when it does not.

    Args:
        checkout: where studies/ is.
        name: of the study.
        before: what is in its place, and goes when the block has ended well.

    Raises:
        StorageError: it cannot be written.
        ConfigError: somebody changed what is in its place in the meantime.
    """
    studies = checkout / "studies"
    try:
        studies.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=studies, prefix=f".{name}.") as scratch:
            folder = Path(scratch) / name
            folder.mkdir()
            (folder / RAW).mkdir(parents=True)
            yield folder
            note_files(folder)
            if before is not None:
                remove(studies / name, check_replaceable(studies / name))  # it may have been edited in the meantime
            folder.rename(studies / name)
    except OSError as error:
        raise StorageError(
            asked=f"make studies/{name}",
            happened=f"{type(error).__name__}: {error.strerror or error}",
            affected=NOT_MADE,
            fix="give yourself room and write permission below studies/",
        ) from None


@contextlib.contextmanager
def standing_in(folder: Path) -> Iterator[None]:
    """Paths of a study start in its folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _shelf(folder: Path) -> Path:
    """The folder that a checkpoint's files may lie in: its own; of one in the hub's cache, whose files are links, the model's."""
    model = folder.parent.parent
    return model if folder.parent.name == "snapshots" and (model / "blobs").is_dir() else folder


def copy_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Copy what a study needs of a checkpoint.

    Raises:
        ArtifactError: one of its files is a link to something outside of it, or no ordinary file; or its config.json has sizes
            that its weights have not.
    """
    for name, source in checkpoint.files.items():
        # of sentence-transformers' old folders the weights lie below what says how they are pooled
        why = why_not_inside(source, _shelf(source.parents[len(Path(name).parts) - 1]))
        if why is not None:
            raise ArtifactError(
                asked=f"copy the checkpoint {checkpoint.folder}",
                happened=why,
                affected=NOT_MADE,
                fix="put the file itself in the link's place, if it is the checkpoint's",
            )
    larger = why_larger_than_weights(checkpoint.folder, read_config(checkpoint.folder / "config.json"))
    if larger is not None:  # here, and not when it has been copied and half of it built
        raise ArtifactError(
            asked=f"make a study of the checkpoint {checkpoint.folder}",
            happened=larger,
            affected=NOT_MADE,
            fix=SIZES_FIX,
        )
    target = folder / CHECKPOINT
    target.mkdir(parents=True)
    for name, source in checkpoint.files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target / name)


def settle_head(folder: Path, checkpoint: Checkpoint, labels: str, names: list[str], own_head: bool) -> list[str]:
    """Write the data's names of the outputs into the study's copy of config.json, where the checkpoint has other names for them.

    Args:
        folder: of the study.
        checkpoint: which was copied there.
        labels: the study's task.
        names: label names of the study, in the order of the outputs.
        own_head: whether its classifier stays.

    Returns:
        What is to be said of it.
    """
    own = checkpoint.names_for(labels)
    if not own_head:
        what = f"one of {len(names)} labels" if task_of(labels).COUNTED else "output"
        return [f"classifier: a new {what} is trained"]
    if own is None or len(own) == 1 or compared(own) == compared(names) or checkpoint.head.names_nothing:
        return []
    file = folder / CHECKPOINT / "config.json"
    content = read_config(file)
    content |= {"id2label": dict(enumerate(names)), "label2id": {name: number for number, name in enumerate(names)}}
    write_text(file, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    pairs = ", ".join(f"{before} = {name}" for before, name in zip(own[:6], names, strict=False))
    return [f"classifier: the checkpoint's, its outputs named anew in the study's copy of config.json: {pairs}"]


def copy_images(source: Path, target: Path) -> None:
    """Copy a folder of images by label, hidden files left out.

    Raises:
        DataError: something in it is a link to elsewhere or to a folder, or no ordinary file.
    """
    for place, folders, names in os.walk(source):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        linked = [name for name in folders if (Path(place) / name).is_symlink()]
        files = [Path(place) / name for name in sorted(names) if not name.startswith(".")]
        why = f"{Path(place) / linked[0]} is a link to a folder" if linked else None
        why = why or next((found for path in files if (found := why_not_inside(path, source)) is not None), None)
        if why is not None:
            raise DataError(
                asked=f"copy the images of {source}",
                happened=why,
                affected=NOT_MADE,
                fix="put the files themselves in its place, or take it away",
            )
        below = target / Path(place).relative_to(source)
        below.mkdir(parents=True, exist_ok=True)
        for path in files:
            shutil.copyfile(path, below / path.name)


def drawn_rows(train: int, *, trained: bool) -> dict[str, int]:
    """How many rows to draw for validation and calibration from so many in train.

    Validation rows choose an epoch, check each export, decide searches and what `temper optimize` drops. Where nothing is
    trained they are half, since the others only calibrate; else a tenth, or the least that says something, at most a fifth.

    Args:
        train: rows that are not for the test.
        trained: whether the checkpoint is trained on them.
    """
    share = min(max(train // 10, LEAST_PART_ROWS), train // 5) if trained else train // 2
    validation = max(1, min(MOST_VALIDATION_ROWS, share))
    return {"validation_rows": validation, "calibration_rows": max(1, min(MOST_CALIBRATION_ROWS, train - validation))}


def parts_line(data: Section, train: int, test: int) -> str:
    """How many rows each part of a study has, as `temper init` says it.

    Args:
        data: the section, with what is drawn.
        train: rows that are not for the test.
        test: rows of the test.
    """
    validation, calibration = data["validation_rows"], data["calibration_rows"]
    left = train - validation
    return f"parts:      train {left:,} ({calibration:,} of them calibrate), validation {validation:,}, test {test:,}"


def loaded(folder: Path, data: Section, task: str) -> Splits:
    """The rows that a run would read, checked as it would check them.

    Raises:
        DataError: a run would stop at them.
    """
    with standing_in(folder):
        module = plugin("data", data["source"])
        options = module.Options.model_validate(data)
        splits: Splits = module.load(options, SEED)
        for examples in (splits.train, splits.validation, splits.test):
            if examples is not None:
                check_examples(examples, task)
        parts = draw_splits(splits, options, SEED)
        examples, rows = parts["train"]
        task_of(options.labels).check_labels(examples.take(rows).labels, examples.origin, splits.label_names)
    return splits


def write_params(folder: Path, wanted: Wanted, title: str) -> Section:
    """Write params.yaml and check it as `temper check` does.

    Returns:
        Its content with every value.

    Raises:
        ConfigError: it would be refused.
    """
    file = folder / "params.yaml"
    write_text(file, text_of(sections(wanted), title))
    content = load_params(file)
    try:
        read_study(content)
    except PipelineError as error:  # what was typed does not go together
        raise ConfigError(
            asked=f"make the study {wanted.name}", happened=error.happened, affected=NOT_MADE, fix=error.fix
        ) from None
    return resolve(content)


def write_beside(folder: Path, checkout: Path, about: Section, readme: str, raw: dict[str, str] | None) -> None:
    """Write what stands beside params.yaml: about.yaml, README.md and, where `temper raw` can repeat it, raw.yaml."""
    write_text(folder / ABOUT, yaml.safe_dump(about, sort_keys=False, allow_unicode=True, width=10**6))
    write_text(folder / "README.md", readme)
    if raw is not None:
        command = f"temper raw -C studies/{folder.name} --from folder"
        head = f"# What `{command}` copies: target in this study ← source in that folder.\n"
        write_text(folder / "raw.yaml", head + yaml.safe_dump(raw, sort_keys=False, allow_unicode=True, width=10**6))
