"""A package is written whole or not at all: beside its place, replayed, and only then under its name."""

import importlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import write_manifest, write_text
from temper.backends.packaged import RUNNERS
from temper.errors import ConfigError, ParityError, restated
from temper.package.card import card
from temper.package.contents import Source, copy_contents, facts_of
from temper.package.replay import replay
from temper.package.runtime.manifest import KIND, NAME
from temper.package.runtime_at import NOTHING_WRITTEN
from temper.package.select import select
from temper.package.supported import runtime_of
from temper.prediction.answer import check_artifact, preprocessing
from temper.report.finished import read_finished

FORMS = tuple(sorted(file.stem for file in Path(__file__).with_name("formats").glob("[a-z]*.py")))


def check_target(target: Path) -> None:
    """Check that a folder can be made there.

    Raises:
        ConfigError: something is there already, or there is no folder to make it in.
    """
    if target.exists() or target.is_symlink():
        happened, fix = (
            "it is there already",
            "name another folder, or remove this one yourself: nothing is written over",
        )
    elif not target.parent.is_dir():
        happened, fix = f"there is no folder {target.parent}", "make it, or name another"
    else:
        return
    raise ConfigError(asked=f"write a package to {target}", happened=happened, affected=NOTHING_WRITTEN, fix=fix)


def read_source(
    *, workload: str | None, candidate: str | None, machine: str | None = None, anyway: bool, verb: str = "package"
) -> Source:
    """What is to be packaged, of the study in the working directory.

    Args:
        workload: as of `select`.
        candidate: as of `select`.
        machine: as of `read_finished`.
        anyway: as of `select`.
        verb: what was asked for, in an error's words: package or serve.

    Raises:
        PipelineError: as `read_finished`, `select`, `runtime_of`, `check_artifact` and `preprocessing`.
    """
    with restated(NOTHING_WRITTEN, {"predict with": verb}):
        finished = read_finished(machine=machine, candidate=candidate)
        selected = select(finished, workload=workload, candidate=candidate, anyway=anyway, verb=verb)
        runtime = runtime_of(finished, selected.choice.record, selected.choice.workload)
        files = check_artifact(selected.choice)
        return Source(finished, selected, runtime, files, preprocessing(files))


def write_base(source: Source, folder: Path, *, form: str, say: Callable[[str], None]) -> dict[str, Any]:
    """The package itself, in a folder that is there and empty: replayed, with its card and its manifest.

    Returns:
        The manifest's facts.

    Raises:
        ParityError: its answers are not the record's; or the record has none.
    """
    copy_contents(source, folder)
    facts = facts_of(source)
    accuracy = source.accuracy
    if accuracy is None:
        raise ParityError(
            asked=f"replay the test rows that {source.selected.choice.candidate} was measured on",
            happened="its record has no answers",
            affected=NOTHING_WRITTEN,
            fix="package a candidate whose accuracy was measured",
        )
    write_manifest(folder / NAME, kind=KIND, facts={**facts, "replayed": None})
    say(f"replaying {accuracy.rows:,} test rows in a fresh process")
    if not source.texts_per_row:
        check_pixels(source)
    facts["replayed"] = replay(folder, source.test_rows(), accuracy, texts_per_row=source.texts_per_row)
    facts["written_for"] = form_of(form).WRITTEN_FOR
    write_text(folder / "README.md", card(facts, form=form))
    write_manifest(folder / NAME, kind=KIND, facts=facts)
    return facts


def check_pixels(source: Source) -> None:
    """The runtime makes the very pixels of images that the study's own processor makes.

    Raises:
        ParityError: it does not.
    """
    import numpy as np

    from temper.package.runtime.images import ImageEncoder

    own, other = ImageEncoder(source.how.folder), source.how.preprocessor()
    generator = np.random.default_rng(0)
    from temper.data.examples import Examples

    for height, width in ((8, 8), (32, 32), (224, 224), (300, 200), (199, 301)):
        pixels = generator.integers(0, 256, (1, height, width, 3), dtype=np.uint8)
        wanted = other.encode(Examples(origin="generated", labels=[0], images=pixels), None).inputs["pixel_values"][0]
        if not np.array_equal(own.encode(pixels[0]), wanted):
            raise ParityError(
                asked="make the pixels that the model was measured on, without transformers",
                happened=f"a generated image of {width} × {height} has other pixels",
                affected=NOTHING_WRITTEN,
                fix="temper predict answers with this model; its image processor does more than a package's",
            )


def form_of(form: str) -> Any:
    """The module of a form: WRITTEN_FOR, and `lay_out(source, facts, base, target)`, which returns what is printed.

    Some say in TAKES which runners they are for.
    """
    return importlib.import_module(f"temper.package.formats.{form}")


def check_form(form: str, source: Source) -> None:
    """Raise ConfigError where a form is for other runners than the candidate's."""
    takes = getattr(form_of(form), "TAKES", RUNNERS)
    if source.runtime.runner not in takes:
        raise ConfigError(
            asked=f"package {source.selected.choice.candidate} for {form}",
            happened=f"it runs on {source.runtime.runner}, and this form is for {' and '.join(takes)}",
            affected=NOTHING_WRITTEN,
            fix="--for folder, triton or docker; or name a candidate of these with --candidate",
        )


def write_package(
    target: Path,
    *,
    form: str,
    workload: str | None,
    candidate: str | None,
    anyway: bool,
    say: Callable[[str], None],
    machine: str | None = None,
    verb: str = "package",
) -> list[str]:
    """Write what the decision of the study in the working directory chose, or a named candidate.

    Args:
        target: the folder to make.
        form: of FORMS.
        workload, candidate, anyway: as of `select`.
        say: is told what is being done.
        machine: as of `read_finished`.
        verb: as of `read_source`.

    Returns:
        What was written, in lines.

    Raises:
        ConfigError: the folder is there, or as `select` and `runtime_of`.
        PipelineError: as `read_source` and `write_base`.
    """
    check_target(target)
    source = read_source(workload=workload, candidate=candidate, machine=machine, anyway=anyway, verb=verb)
    check_form(form, source)
    scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        base, laid_out = scratch / "base", scratch / "laid-out"
        base.mkdir()
        facts = write_base(source, base, form=form, say=say)
        said = form_of(form).lay_out(source, facts, base, laid_out)
        check_target(target)
        os.chmod(laid_out, 0o755)
        os.rename(laid_out, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    verdict = facts["verdict"]
    return [
        f"written:   {target}: {facts['study']['name']}, {facts['candidate']}",
        f"artifact:  {facts['artifact']['loads']}, digest {facts['artifact']['digest']}",
        f"accuracy:  {verdict['accuracy_in_words']}",
        *(f"warning:   {each}" for each in (*verdict["against"], *verdict["notes"])),
        f"replayed:  {facts['replayed']['rows']:,} test rows, every label as measured, logits within "
        f"{facts['replayed']['largest_logit_difference']:.2g}",
        *said,
    ]
