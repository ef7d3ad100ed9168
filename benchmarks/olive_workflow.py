"""Olive's own search; benchmarks/olive_search.py runs it in an environment with olive-ai. It imports nothing of Temper.

    python benchmarks/olive_workflow.py request.json found.json

request.json says: checkpoint, folder (of calibration.npz, validation.npz and latency.npz: arrays "<batch>/<input>" and
"<batch>/labels"), output, labels, threads, minutes, points, repeats, seed. It serves Olive as user script, too: the datasets are
registered here.

The passes are those that Olive's documentation gives for encoders on a CPU: conversion, the optimiser for transformers, INT8
(dynamic or static), and the session's options. Of INT8 all values are searched that Olive has to search for, but one. The sampler
is TPE over all passes jointly, the only order that takes a time limit. What Olive calls best is the fastest on the latency batch
of those within the goal of accuracy.

Olive 0.11.0 is the last release whose search runs: in 0.12.0 to 0.13.0 each step that takes a pass's result from the cache
fails ('"FootprintNode" object has no field "model_config"'). In all of them TPE draws from several passes of one group and then
runs the first, so that each group here has one pass, and INT8 is left out by a search of its own before: three points, in the
same minutes; the better of the two answers counts. torch.onnx.export of 2.13 no longer takes what the other exporter of 0.11.0
passes.
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil  # noqa: F401  the session's pass imports it late: without it each point fails, after minutes
import torch
from olive.data.registry import Registry
from olive.workflows import run


@Registry.register_dataset("stored_batches")
def stored_batches(data_dir, **kwargs):
    """Batches of an .npz, each (inputs by name, labels)."""
    batches = {}
    with np.load(data_dir) as stored:
        for key in stored.files:
            number, name = key.split("/")
            batches.setdefault(int(number), {})[name] = torch.from_numpy(stored[key])
    return [(inputs, inputs.pop("labels")) for _, inputs in sorted(batches.items())]


def data(name, folder):
    """A data config."""
    return {
        "name": name,
        "user_script": str(Path(__file__).resolve()),
        "load_dataset_config": {"type": "stored_batches", "data_dir": f"{folder}/{name}.npz"},
        "post_process_data_config": {"type": "text_classification_post_process"},
        "dataloader_config": {"type": "no_auto_batch_dataloader"},
    }


def workflow(request, *, int8, minutes):
    """The configuration of a run, as `olive run` reads it; int8: with the pass for it."""
    kept = {"warmup_num": 5, "repeat_test_num": request["repeats"], "sleep_num": 0}
    accuracy = {
        "name": "accuracy_score",
        "priority": 2,
        "metric_config": {"task": "multiclass", "num_classes": request["labels"]},
        "goal": {"type": "max-degradation", "value": request["points"] / 100},
    }
    # without its preprocessing, static and all INT8 by channel fail on such a model
    quantization = {"type": "OnnxQuantization", "data_config": "calibration", "quant_preprocess": True}
    return {
        "input_model": {
            "type": "HfModel",
            "model_path": request["checkpoint"],
            "task": "text-classification",
            "load_kwargs": {"attn_implementation": "eager"},  # of the other, no attention is fused
        },
        "systems": {
            "cpu": {
                "type": "LocalSystem",
                "accelerators": [{"device": "cpu", "execution_providers": ["CPUExecutionProvider"]}],
            }
        },
        "data_configs": [data(name, request["folder"]) for name in ("calibration", "validation", "latency")],
        "evaluators": {
            "both": {
                "metrics": [
                    {
                        "name": "latency",
                        "type": "latency",
                        "data_config": "latency",
                        "sub_types": [{"name": "p50", "priority": 1, "metric_config": kept}],
                    },
                    {"name": "accuracy", "type": "accuracy", "data_config": "validation", "sub_types": [accuracy]},
                ]
            }
        },
        "passes": {
            "conversion": {"type": "OnnxConversion"},
            "transformers": {"type": "OrtTransformersOptimization"},
            **({"quantization": quantization} if int8 else {}),
            "session": {
                "type": "OrtSessionParamsTuning",
                "data_config": "latency",
                "execution_mode_list": [0],  # sequential: an encoder is one chain of operators
                "opt_level_list": [1, 2, 99],
                "intra_thread_num_list": [request["threads"]],
            },
        },
        "search_strategy": {
            "execution_order": "joint",
            "sampler": "tpe",
            "seed": request["seed"],
            "max_time": round(minutes * 60),
        },
        "evaluator": "both",
        "host": "cpu",
        "target": "cpu",
        "cache_dir": f"{request['output']}/cache",
        "output_dir": f"{request['output']}/{'int8' if int8 else 'float'}",
        "log_severity_level": 1,
    }


def plain(options):
    """What a pass was told, without what it left open and without data configs."""
    return {name: value for name, value in options.items() if isinstance(value, str | int | float)}


def main():
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(request["threads"])
    began = time.monotonic()
    outputs = [run(workflow(request, int8=False, minutes=request["minutes"]))]
    left = request["minutes"] - (time.monotonic() - began) / 60
    if left > 0:
        outputs.append(run(workflow(request, int8=True, minutes=left)))
    bests = [(output.get_best_candidate(), output) for output in outputs if output is not None]
    bests = [(best, output) for best, output in bests if best is not None]
    nodes = [node for output in outputs if output is not None for node in output.footprint.nodes.values()]
    evaluated = sum(1 for node in nodes if node.metrics is not None and node.parent_model_id is not None)
    if not bests:
        if not evaluated:
            sys.exit("Olive could evaluate no model: its log says why, and nothing is known of what it finds")
        sys.exit(f"none of the {evaluated} models that Olive evaluated is within the goal")
    best, output = min(bests, key=lambda pair: pair[0].metrics_value["latency-p50"]["value"])
    found = {
        "versions": {name: version(name) for name in ("olive-ai", "onnxruntime", "torch", "transformers", "optuna")},
        "model": str(best.model_path),
        "inference_settings": best.get_inference_config(),
        "metrics": {name: value["value"] for name, value in best.metrics_value.items()},
        "input_model_metrics": {name: value["value"] for name, value in output.get_input_model_metrics().items()},
        "passes": [plain(options) for options in output.trace_back_run_history(best.model_id).values() if options],
        "evaluated": evaluated,
        "failed": sum(1 for node in nodes if (node.model_config or {}).get("is_pruned", False)),
    }
    Path(sys.argv[2]).write_text(json.dumps(found, indent=2, default=str), encoding="utf-8")


if __name__ == "__main__":
    main()
