"""`temper optimize`: from a study's checkpoint and data to the fastest artifact within the accuracy budget, in a given time."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from temper.artifacts.manifest import canonical_json, sha256
from temper.data.encoded import split_files
from temper.environment.source_digest import source_digest
from temper.errors import ConfigError
from temper.measurement.isolated import run_isolated
from temper.optimize import applies, build, told
from temper.optimize.confirm import EXACT, FASTEST, Confirmed, confirm, confirmed, confirmed_throughput, where
from temper.optimize.gpu_shapes import SHAPED_BY, row_lengths_of
from temper.optimize.points import Point
from temper.optimize.race import Rules, Standing
from temper.optimize.record import FILE, append, lines
from temper.optimize.search import LOG, WORKER, Search
from temper.optimize.space import Machine, Space, most_points, space, this_machine, variants
from temper.optimize.steps import GRAPH_STEPS, PACKING
from temper.optimize.studies import TRIALS, take_over, targets, trials_params, winner_params, write_study
from temper.optimize.taken import BASELINE
from temper.optimize.told import Trial
from temper.optimize.wish import MINUTES, Wish, completed, workload_of
from temper.optimize.written import FOLDER, write_own
from temper.statistics.tail import calls_needed
from temper.study.names import LONGEST_NAME
from temper.study.params_file import load_params
from temper.study.resolve import spelt_out
from temper.study.schema import Study
from temper.study.study import read_study
from temper.tasks.task import task_of

_BUILDS_SHARE = 0.6  # of the time, for making artifacts; what is left of it is raced
_COMPILES_SHARE = 0.25  # of what is left, for compiling kernels ahead of the race
_UNCONFIRMED = "Nothing was measured on the test rows yet; the same command goes on there."
_COMMENT = "Written by `temper optimize`: "


def optimize(folder: Path, wish: Wish, say: Callable[[str], None]) -> list[str]:
    """Search, confirm, and say what was found.

    Args:
        folder: of the study.
        wish: what the command line says.
        say: tells the person at the terminal how far it is.

    Returns:
        The answer, line by line.

    Raises:
        ConfigError: the study has no such workload, its answers are not right or wrong, or the wish contradicts itself.
        ExperimentError: the float file cannot be made, or the winner not be confirmed.
    """
    section = load_params(folder / "params.yaml")
    words = spelt_out(section)
    task = task_of(words["data"].get("labels"))
    if not task.COUNTED:
        raise ConfigError(
            asked="find the fastest within a budget",
            happened=f"the study's answers are {task.TITLE}, and the race counts right answers",
            affected="nothing: no search was begun",
            fix="write the candidates into params.yaml; temper run gives each a verdict in the study's own metric",
        )
    wish = completed(wish, read_study(section).optimize)
    minutes = wish.minutes or MINUTES
    workload, row = workload_of(wish, words["workloads"])
    if workload not in words["workloads"]:
        section = {**section, "workloads": {**section.get("workloads", {}), workload: row}}
        words = spelt_out(section)
    budget = wish.budget_points or float(words["analysis"]["accuracy_budget_points"])
    trials, here = folder / FOLDER / TRIALS, this_machine()
    asked = time.monotonic()
    say(f"{minutes:g} minutes for candidates; the float file before them and measuring the winner come on top")
    found_space = _space(section, words, folder, trials, workload, here, wish, say)
    began = time.monotonic()
    study = read_study(load_params(trials / "params.yaml"))
    say(f"making {len(found_space.artifacts)} artifacts, {minutes * _BUILDS_SHARE:.1f} minutes at most")
    build.make(
        trials,
        targets(found_space.artifacts),
        cores=wish.cores,
        seconds=60 * minutes * _BUILDS_SHARE,
        keep_going=True,
    )
    search, not_made = _search(trials, study, found_space, workload, budget, here, wish, say)
    left = began + 60 * minutes - time.monotonic()
    search.compile_ahead(here.cores, time.monotonic() + left * _COMPILES_SHARE)
    made = time.monotonic()
    standing = search.run(began + 60 * minutes, also=lambda name: variants(search.taken.points[name], here))
    raced = time.monotonic()
    exact = search.fastest_exact(standing)
    found = _trials(search, standing, not_made)
    answer = told.sentences(found, winner=standing.incumbent, baseline=BASELINE, margin=search.rules.margin)
    if search.busy:
        answer.append(f"Others used the machine: {search.busy[-1]}.")
    goal = folder / FOLDER / f"{wish.target}-{workload}"
    facts: dict[str, Any] = {
        **{"target": wish.target, "workload": workload, "budget_points": budget, "p99_ms": wish.p99_ms},
        "minutes": minutes,
        **{"baseline": words["baseline"], "incumbents": list(standing.led), "exact": exact},
        **({"price_per_hour": wish.price_per_hour} if wish.price_per_hour is not None else {}),
        **{"rules": asdict(search.rules), "trials": told.as_json(found)},
    }
    write_own(goal, "search.svg", told.picture(found, workload=workload, baseline=BASELINE))
    chosen = {FASTEST: standing.incumbent, EXACT: exact}
    points = {name: search.taken.points[point] for name, point in chosen.items() if point not in (None, BASELINE)}
    if len({point.name for point in points.values()}) < len(points):
        del points[EXACT]
    if points:
        params = winner_params(
            section,
            study=f"{words['study']}-{goal.name}"[:LONGEST_NAME],
            points=points,
            space=found_space,
            workload=workload,
            budget_points=budget,
            measurement=_measured_too(wish, points.values()),
        )
        comment = f"{_COMMENT}what its search found for {workload}, with at most {budget:g} points lost."
        write_study(goal, folder, params, comment)
        # what the race found stands there already where the rest is interrupted
        _write_answer(goal, facts, found, [*answer, _UNCONFIRMED])
        say(f"to the test rows: {', '.join(point.name for point in points.values())}")
        confirm(goal, [trials, folder], wish.cores)
        outcome = _outcome(goal, workload, wish, read_study(params).baseline_candidate)
        facts["confirmed"] = asdict(outcome)
        backend = next((points[name].backend for name in (outcome.chosen, FASTEST) if name in points), None)
        study_lies, *then = where(goal, params, outcome, backend)
        answer += [*outcome.sentences, study_lies, _named(points), *then]
    confirming_s = time.monotonic() - raced if points else None
    answer.append(told.took(made - asked, raced - made, confirming_s))
    facts["seconds"] = {"making": round(made - asked, 1), "racing": round(raced - made, 1)}
    facts["seconds"] |= {} if confirming_s is None else {"measuring": round(confirming_s, 1)}
    _write_answer(goal, facts, found, answer)
    return [*_fastest(found), *answer]


def _named(points: Mapping[str, Point]) -> str:
    """Which of the table's rows the candidates of the winner's study are."""
    words = {FASTEST: "fastest is", EXACT: "exact, which changed no label of the validation rows, is"}
    return f"In it {' and '.join(f'{words[name]} {point.name}' for name, point in points.items())}."


def _write_answer(goal: Path, facts: Mapping[str, Any], found: Sequence[Trial], answer: Sequence[str]) -> None:
    """search.json and search.md."""
    write_own(goal, "search.json", canonical_json(facts))
    write_own(goal, "search.md", f"{told.table(found)}\n" + "\n".join(f"- {line}" for line in answer) + "\n")


def _space(
    section: Mapping[str, Any],
    words: Mapping[str, Any],
    folder: Path,
    trials: Path,
    workload: str,
    here: Machine,
    wish: Wish,
    say: Callable[[str], None],
) -> Space:
    """The space of this study on this machine, its trials written as a study; the float file is made for it."""
    export = next(iter(words["exports"]))
    longest, row = words["data"].get("max_tokens"), words["workloads"][workload]
    asked: dict[str, Any] = {"export": export, "opset": words["exports"][export]["opset"], "longest": longest}
    asked |= {"machine": here, "workload": row, "throughput": wish.saturated}
    # with every name that it may come to have, so that the baseline's rows have theirs from the start
    named = np.array([longest]) if longest is not None and here.gpus else None
    bare = space(**asked, applied=(*GRAPH_STEPS, PACKING), lengths=named)
    comment = f"{_COMMENT}what the search of ../../ may come to try; it is written anew by each."
    write_study(trials, folder, trials_params(section, bare, workload), comment)
    taken = take_over(trials, [folder])
    if taken:
        say(f"{taken} jobs' files taken over from the study")
    baseline = str(words["baseline"]["loads"])
    more = targets([baseline]) if "/" in baseline else []
    data = [f"data/prepared/{file}" for split in SHAPED_BY for file in split_files(split)]
    made = dict.fromkeys([*targets([f"onnx/{export}"]), *more, *data])
    build.make(trials, list(made), cores=wish.cores, seconds=None, keep_going=False)
    steps = _steps(trials, export, longest)
    for step, why in steps["refused"].items():
        say(f"{step} does not apply: {why}")
    applied = steps["applied"]
    lengths = row_lengths_of(trials / "data/prepared") if longest is not None and here.gpus else None
    whole = space(**asked, applied=applied, lengths=lengths, masked=steps["masked"])
    write_study(trials, folder, trials_params(section, whole, workload), comment)
    return whole


def _steps(trials: Path, export: str, longest: int | None) -> Mapping[str, Any]:
    """Graph steps that apply to the exported file; tried once for its bytes and the steps' code."""
    artifact = trials / "artifacts/onnx" / export
    of = {
        "onnx": sha256(artifact / "model.onnx"),
        "row_tokens": longest,
        "source": source_digest(Path(applies.__file__)),
    }
    record = trials / FILE
    known = [line for line in lines(record) if line.get("kind") == "applies" and line.get("of") == of]
    if known:
        return known[-1]
    request = {"task": "applies", "folder": str(artifact), "row_tokens": longest, "log": str(trials / LOG)}
    found = run_isolated(request, worker=WORKER)
    append(record, {"kind": "applies", "of": of, **found})
    return found


def _search(
    trials: Path,
    study: Study,
    whole: Space,
    workload: str,
    budget: float,
    here: Machine,
    wish: Wish,
    say: Callable[[str], None],
) -> tuple[Search, list[Trial]]:
    """The search with every point whose artifact is made, and the others."""
    search = Search(
        folder=trials,
        record=trials / FILE,
        study=study,
        workload=workload,
        budget_points=budget,
        rules=Rules(arms=1 + most_points(whole.points, here)),
        most_ms=wish.p99_ms,
        say=say,
    )
    row = study.backends[study.baseline.backend]
    search.add(Point(BASELINE, study.baseline.loads, row.model_dump(mode="json"), BASELINE), row.options, row.version)
    not_made = []
    for point in whole.points:
        if point.loads in whole.artifacts and not build.is_made(trials, point.loads):
            not_made.append(Trial(point.name, "not made", reason=build.why_not_made(trials, study, point.loads)))
            continue
        row = study.backends[point.name]
        search.add(point, row.options, row.version)
    return search, not_made


def _trials(search: Search, found: Standing, not_made: Sequence[Trial]) -> list[Trial]:
    """What became of every point."""
    failed, verdicts = search.taken.failed(), search.taken.verdicts(search.budget_points)
    speeds, medians = search.speeds(found), search.taken.medians_ms()
    trials = list(not_made)
    for name in search.taken.points:
        median, speed = medians.get(name), speeds.get(name)
        beside, interval = search.beside(name, found)
        rest: dict[str, Any] = {"beside": beside, "interval": interval, "median_ms": median, "speed": speed}
        if name == found.incumbent:
            trials.append(Trial(name, "ahead", median_ms=median, speed=speed))
        elif name in failed:
            trials.append(Trial(name, "failed", reason=failed[name]))
        elif verdicts.get(name) is not None:
            trials.append(Trial(name, "answers", reason=verdicts[name], **rest))
        elif name in found.led:
            trials.append(Trial(name, "overtaken", **rest))
        elif name in found.dropped:
            trials.append(Trial(name, "slower" if found.dropped[name].why == "slower" else "not told apart", **rest))
        elif name in found.open:
            trials.append(Trial(name, "open", **rest))
        else:
            trials.append(Trial(name, "bound", reason=f"p50 is {median:.3g} ms", **rest))
    return trials


def _measured_too(wish: Wish, points: Iterable[Point]) -> dict[str, Any]:
    """Keys of `measurement:` by which the winner's study measures what was asked for."""
    found: dict[str, Any] = {}
    if wish.p99_ms is not None:
        found |= {"percentiles": [50, 99], "min_calls": calls_needed(99)}
    if wish.saturated:
        found["throughput_callers"] = sorted({1, *(point.callers for point in points)})
    return found


def _outcome(goal: Path, workload: str, wish: Wish, baseline: str) -> Confirmed:
    if wish.saturated:
        return confirmed_throughput(goal, workload, baseline, wish.price_per_hour)
    return confirmed(goal, workload, wish.p99_ms)


def _fastest(found: Sequence[Trial], most: int = 8) -> list[str]:
    """The top of the table, for a terminal."""
    rows = [trial for trial in told.in_order(found) if trial.speed is not None][:most]
    return [f"  {trial.speed:5.2f} ×  {trial.name}: {told.SAID[trial.fate]}" for trial in rows] + [""]
