import json
from pathlib import Path

import pytest

from temper.errors import ArtifactError
from temper.studies.checkpoint import inspect_checkpoint
from temper.study.sections.model import model_options
from temper.training.checkpoint_head import check_model
from temper.training.checkpoint_kind import foreign

BERT = {"model_type": "bert", "architectures": ["BertForSequenceClassification"]}
# files by name (content as JSON, or empty), what it is, what cures it
KINDS = {
    "LoRA": (
        {
            "adapter_config.json": {
                "peft_type": "LORA",
                "base_model_name_or_path": "roberta-base",
                "task_type": "SEQ_CLS",
            },
            "adapter_model.safetensors": "",
        },
        "an adapter (LORA) for roberta-base",
        "AutoPeftModelForSequenceClassification.from_pretrained(ADAPTER, num_labels=N).merge_and_unload()",
    ),
    "LoRA of tags": (
        {"adapter_config.json": {"peft_type": "LORA", "task_type": "TOKEN_CLS"}},
        "an adapter (LORA) for its base model",
        "AutoPeftModelForTokenClassification.from_pretrained(ADAPTER, num_labels=N).merge_and_unload()",
    ),
    "IA3 with a config": (
        {"adapter_config.json": {"peft_type": "IA3"}, "config.json": BERT, "adapter_model.safetensors": ""},
        "an adapter (IA3) for its base model",
        "PeftModel.from_pretrained(AutoModelFor….from_pretrained(BASE, num_labels=N), ADAPTER).merge_and_unload()",
    ),
    "bitsandbytes": (
        {
            "config.json": {**BERT, "quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}},
            "model.safetensors": "",
        },
        "quantised already, by bitsandbytes (8-bit)",
        "dequantize",
    ),
    "GPTQ": (
        {"config.json": {**BERT, "quantization_config": {"quant_method": "gptq", "bits": 4}}, "model.safetensors": ""},
        "quantised already, by gptq (4-bit)",
        "the checkpoint from before",
    ),
    "AWQ": (
        {"config.json": {**BERT, "quantization_config": {"quant_method": "awq", "bits": 4}}, "model.safetensors": ""},
        "quantised already, by awq (4-bit)",
        "dequantize",
    ),
    "Lightning": ({"epoch=3.ckpt": "", "hparams.yaml": ""}, "a checkpoint of Lightning", "load_from_checkpoint"),
    "Lightning's logs": ({"lightning_logs/version_0/a.ckpt": ""}, "a checkpoint of Lightning", "load_from_checkpoint"),
    "sentence-transformers": (
        {"modules.json": [{"path": ""}, {"path": "0_Transformer"}], "0_Transformer/config.json": BERT},
        "whose model lies in 0_Transformer",
        "0_Transformer",
    ),
    "SetFit": (
        {"modules.json": [{"path": ""}], "model_head.pkl": "", "config.json": BERT},
        "a SetFit model",
        "fine_tune",
    ),
    "GGUF": ({"model.gguf": ""}, "a GGUF file of llama.cpp", "made from"),
    "optimum": ({"model.onnx": "", "config.json": BERT}, "an ONNX file", "exported from"),
    "TensorFlow": ({"tf_model.h5": "", "config.json": BERT}, "of TensorFlow", "from_tf=True"),
    "timm": (
        {"config.json": {"architecture": "resnet18"}, "model.safetensors": ""},
        "a model of timm (resnet18): its network and its images' transforms are code of the package timm",
        "as transformers has it itself",
    ),
    "timm, wrapped": (
        {"config.json": {"architecture": "vit_tiny", "model_type": "timm_wrapper"}, "model.safetensors": ""},
        "a model of timm (vit_tiny) in the wrapper of transformers",
        "as transformers has it itself",
    ),
}


def lay(folder: Path, files: dict) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content) if content else "")
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_checkpoint_of_transformers_is_named_with_its_cure(tmp_path, kind):
    files, what, cure = KINDS[kind]
    folder = lay(tmp_path / "given", files)
    found = foreign(folder)
    assert found is not None
    assert what in found.what
    assert cure in found.cure
    section = {"task": "text-classification", "source": "checkpoint", "checkpoint": str(folder), "revision": None}
    for method in ("none", "fine_tune"):
        with pytest.raises(ArtifactError) as planned:
            check_model(model_options(section), {"method": method})
        assert (what in planned.value.happened, planned.value.fix) == (True, found.cure)
    with pytest.raises(ArtifactError) as made:
        inspect_checkpoint(folder)
    assert what in made.value.happened


@pytest.mark.parametrize("name", ["last.ckpt", "model.safetensors"])
def test_a_file_is_no_folder(tmp_path, name):
    (tmp_path / name).touch()
    assert foreign(tmp_path / name) is not None


@pytest.mark.parametrize(
    "files",
    [
        {"config.json": BERT, "model.safetensors": ""},
        {"config.json": BERT, "model.safetensors": "", "modules.json": [{"path": ""}]},
        {"config.json": BERT, "model.safetensors": "", "model.onnx": ""},
        {"config.json": BERT, "pytorch_model.bin": ""},  # the job says what it is
        {},
    ],
)
def test_what_transformers_loads_or_nobody_knows_is_left_to_it(tmp_path, files):
    assert foreign(lay(tmp_path / "given", files)) is None


def test_files_that_cannot_be_read_say_nothing(tmp_path):
    folder = lay(tmp_path / "given", {"config.json": BERT, "model.safetensors": ""})
    (folder / "modules.json").write_text("[" * 100_000)
    assert foreign(folder) is None
