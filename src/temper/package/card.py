"""The model card: README.md of a package, with the header that a model hub reads."""

from collections.abc import Mapping
from typing import Any

import yaml

from temper.report.formats import milliseconds
from temper.statistics.metrics import TITLES

Facts = Mapping[str, Any]
ONNX = ("onnxruntime", "openvino")  # runners of ONNX files


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _header(facts: Facts) -> str:
    """The hub's metadata: only what is known. A licence is the model's owner's to say."""
    accuracy = facts["measured"]["accuracy"]
    content: dict[str, Any] = {
        "pipeline_tag": facts["task"],
        "library_name": facts["runner"]["name"],
        "tags": [*(["onnx"] if facts["runner"]["name"] in ONNX else []), facts["runner"]["name"], "temper"],
    }
    if accuracy["status"] == "measured":
        judged = accuracy.get("metric", "accuracy")
        metric = {
            "type": judged,
            "value": accuracy.get("metric_value", accuracy["accuracy"]),
            "name": f"{TITLES[judged]} of {accuracy['rows']} test rows",
        }
        result = {
            "task": {"type": facts["task"]},
            "dataset": {"name": facts["study"]["name"], "type": facts["study"]["name"], "split": "test"},
            "metrics": [metric],
        }
        content["model-index"] = [{"name": f"{facts['study']['name']} {facts['candidate']}", "results": [result]}]
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _verdict(facts: Facts) -> list[str]:
    verdict = facts["verdict"]
    lines = [f"- Accuracy: {verdict['accuracy_in_words']}.", f"- Chosen: {verdict['why']}."]
    lines += [f"- **Against it**: {each}. It was packaged all the same (`--anyway`)." for each in verdict["against"]]
    lines += [f"- Note: {each}" for each in verdict["notes"]]
    return lines


def _machine(study: Mapping[str, Any]) -> str:
    """What it was measured on, in words."""
    machine, device = study["machine"], study.get("device")
    processors = f"{machine.get('cpu', 'a CPU')}, {machine.get('cores_usable', '?')} cores"
    return f"{device}; {processors}" if device and "cpu" not in str(device).lower() else processors


def _latencies(facts: Facts) -> list[str]:
    study, rows = facts["study"], []
    for name, own in facts["measured"]["workloads"].items():
        if own["status"] != "measured":
            rows.append(f"| {name} | – | – | – | not measured: {own['reason']} |")
            continue
        ratio = own.get("ratio")
        said = "–"
        if ratio is not None:
            faster, low, high = (1 / value for value in (ratio, own["high"], own["low"]))
            said = f"{faster:.2f} [{low:.2f}, {high:.2f}]"
        holds = own["verdict"] if own["holds"] else f"does not hold: {own['why_not']}"
        per_s = f"{own['throughput_samples_per_s']:,.0f}"
        rows.append(f"| {name} | {milliseconds(own['latency_p50_ms'])} | {said} | {per_s} | {holds} |")
    return [
        f"Host arrays in, logits out, tokenising left out; {_machine(study)}. Ratios are medians with 95 % "
        f"intervals, taken in turns with "
        f"{facts['measured']['baseline']}.",
        "",
        f"| workload | median, ms | times as fast as {facts['measured']['baseline']} | rows/s, saturated | verdict |",
        "| --- | ---: | ---: | ---: | --- |",
        *rows,
    ]


def _differing(facts: Facts) -> str:
    """What is counted of two models' answers."""
    if facts.get("answers") == "score":
        return "scores moved by more than a tenth of their standard deviation"
    return "labels differ" if facts.get("answers") is None else "rows have another label"


def _does(facts: Facts, kind: str, labels: str) -> str:
    """What the model does, in a sentence."""
    if facts.get("answers") == "score":
        return f"Gives {kind} a score, {labels}."
    if facts.get("answers") == "multi_label":
        return f"Gives {kind} any of the labels {labels}: those whose sigmoid reaches the thresholds of model/signature.json."
    return f"Classifies {kind} as {labels}."


def _accuracy(facts: Facts) -> list[str]:
    own = facts["measured"]["accuracy"]
    paired = own.get("against_baseline", {})
    if own["status"] != "measured" or paired.get("status") != "measured" or paired["is_baseline"]:
        return []
    points = [_signed(paired[f"difference_{key}points"]) for key in ("", "low_", "high_")]
    judged = own.get("metric", "accuracy")
    title = "" if judged == "accuracy" else f"{TITLES[judged]} "
    value = own.get("metric_value", own["accuracy"])
    return [
        f"{title}{100 * value:.2f} % of {own['rows']:,} test rows: {points[0]} points [{points[1]}, {points[2]}] (95 %, "
        f"paired) from {facts['measured']['baseline']}; {paired['labels_differing']:,} {_differing(facts)}.",
        "",
    ]


def _how(facts: Facts, form: str) -> list[str]:
    example = '"a charming film"' if facts["task"] == "text-classification" else "photo.jpg"
    given = '"a charming film"' if facts["task"] == "text-classification" else 'open("photo.jpg", "rb").read()'
    lines = [
        "```bash",
        "python -m venv venv && venv/bin/pip install --no-deps -r requirements.txt",
        f"venv/bin/python -m package_runtime {example}",
        "```",
        "```python",
        "from package_runtime import load",
        "",
        "with load() as model:",
        f"    print(model({given}))",
        "```",
        "Over HTTP, on this machine alone unless `--host` says otherwise:",
        "```bash",
        "venv/bin/pip install --no-deps -r requirements-serve.txt",
        "venv/bin/python -m package_runtime serve",
        "```",
    ]
    return lines + ([] if form == "folder" else ["", f"This folder was written for `{form}`: {facts['written_for']}."])


def card(facts: Facts, *, form: str) -> str:
    """The text of README.md.

    Args:
        facts: of the manifest.
        form: what --for named.
    """
    study, replayed, runner = facts["study"], facts["replayed"], facts["runner"]
    commit = study["commit"] or "not in git"
    changed = " (with changes that were not committed)" if study["changed"] else ""
    labels = ", ".join(facts["labels"])
    kind = "texts" if facts["task"] == "text-classification" else "images"
    longest = facts["calls"]["max_tokens"]
    cut = f" Rows are cut at {longest} tokens." if longest else ""
    libraries = ", ".join(f"{name} {version}" for name, version in facts["libraries"].items())
    lines = [
        "---",
        _header(facts).rstrip(),
        "---",
        f"# {study['name']}: {facts['candidate']}",
        "",
        f"{_does(facts, kind, labels)}{cut} It runs on {runner['name']} ({libraries}) and nothing of Temper"
        + ("" if runner["name"] == "pytorch" else ", PyTorch or transformers")
        + " is needed.",
        "",
        "## Verdict",
        *_verdict(facts),
        "",
        "## Use",
        *_how(facts, form),
        "",
        "## Measured",
        *_accuracy(facts),
        *_latencies(facts),
        "",
        f"Before it was written {replayed['rows']:,} test rows were replayed through this folder's own runtime in a fresh "
        f"process: every label is the record's, and no logit differs by more than {replayed['largest_logit_difference']:.2g}.",
        "",
        "## Where it comes from",
        f"- Study {study['name']}, commit {commit}{changed}; artifact {facts['artifact']['loads']}, digest "
        f"{facts['artifact']['digest']}.",
        f"- Executed products: {facts['measured']['precision']}.",
        "- manifest.json has the digest of every file (checked whenever it is loaded), all figures, and the settings.",
        "",
    ]
    return "\n".join(lines)
