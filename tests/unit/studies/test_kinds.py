"""What a row's label is: found out from the checkpoint's head and the table's form, asked only where both could be meant."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from temper.studies.data_file import read_data_file
from temper.studies.kinds import form_of
from temper.study.study import read_study
from tests.tiny_classifier import SIZES, save_classifier, save_tokenizer
from tests.tiny_study import SEED
from tests.unit.studies.conftest import params, refused

MOODS = ("joy", "love", "fear")
TAGS = ("O", "B-PER", "I-PER")
WORDS = ["Anna", "Lind", "left"]


def save_network(folder: Path, network: str, **config: object) -> Path:
    """A BERT under another head of transformers, or without one."""
    import torch
    import transformers

    save_tokenizer(folder)
    torch.manual_seed(SEED)
    made = transformers.BertConfig(**SIZES, pad_token_id=0, **config)
    getattr(transformers, network)(made).save_pretrained(folder)
    return folder


def embedder(folder: Path, mode: str = "pooling_mode_mean_tokens") -> Path:
    """A folder of sentence-transformers as its releases since 2 write it: the body in it, the pooling in a folder of its own."""
    save_network(folder, "BertModel")
    kinds = ("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")
    modules = [{"type": f"sentence_transformers.models.{kind}", "path": path} for kind, path in kinds]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": 32, mode: True}))
    return folder


def table(file: Path, **columns: list[object]) -> Path:
    """Rows by column in the format of the file's ending."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if file.suffix == ".parquet":
        pq.write_table(pa.table(columns), file)
    elif file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        lines = ["\t".join(columns), *("\t".join(map(str, row.values())) for row in rows)]
        file.write_text("\n".join(lines) + "\n")
    return file


def moods(folder: Path, ending: str = "tsv", count: int = 60) -> Path:
    """Texts with none to three labels each: a field with semicolons, or a list."""
    given = [[name for place, name in enumerate(MOODS) if number >> place & 1] for number in range(count)]
    labels = given if ending in ("jsonl", "parquet") else [";".join(each) for each in given]
    return table(folder / f"moods.{ending}", text=[f"a song {n}" for n in range(count)], labels=labels)


def flags(folder: Path, count: int = 60) -> Path:
    """The same with a column for each label, in another order than the model's."""
    columns = {name: [number >> place & 1 for number in range(count)] for place, name in enumerate(MOODS)}
    texts = [f"a song {n}" for n in range(count)]
    return table(folder / "flags.tsv", fear=columns["fear"], text=texts, joy=columns["joy"], love=columns["love"])


def tagged(folder: Path, ending: str = "jsonl") -> Path:
    tags = [["B-PER", "I-PER", "O"] for _ in range(60)]
    words: list[object] = [[*WORDS[:2], f"{WORDS[2]}{number}"] for number in range(60)]
    if ending == "tsv":
        return table(folder / "tagged.tsv", sentence=[" ".join(row) for row in words], tags=[" ".join(t) for t in tags])
    return table(folder / f"tagged.{ending}", tokens=words, ner_tags=tags)


def pairs(folder: Path, ending: str = "tsv") -> Path:
    scores = [number % 26 / 5 for number in range(60)]
    one, two = [f"a boat {n}" for n in range(60)], [f"a ship {n * n}" for n in range(60)]
    return table(folder / f"pairs.{ending}", sentence1=one, sentence2=two, score=scores)


def classifier(
    folder: Path, network: str = "BertForSequenceClassification", names: tuple[str, ...] = MOODS, **config: object
):
    labels = dict(enumerate(names))
    return save_network(folder, network, id2label=labels, label2id={name: n for n, name in labels.items()}, **config)


def multi(folder: Path) -> Path:
    return classifier(folder, problem_type="multi_label_classification")


def of_words(folder: Path) -> Path:
    return classifier(folder, "BertForTokenClassification", TAGS)


def ranker(folder: Path) -> Path:
    return classifier(folder, names=("LABEL_0",))


@pytest.mark.parametrize(
    ("model", "data", "labels", "wanted"),
    [
        (multi, moods, "multi_label", {"text": ["text"], "label": "labels", "label_names": list(MOODS)}),
        (multi, flags, "multi_label", {"text": ["text"], "label": list(MOODS), "label_names": list(MOODS)}),
        (
            of_words,
            tagged,
            "token_classification",
            {"text": ["tokens"], "label": "ner_tags", "label_names": list(TAGS)},
        ),
        (ranker, pairs, "score", {"text": ["sentence1", "sentence2"], "label": "score", "label_names": ["score"]}),
        (
            embedder,
            pairs,
            "embedding",
            {"text": ["sentence1", "sentence2"], "label": "score", "label_names": ["score"]},
        ),
    ],
)
def test_a_checkpoint_and_a_table_are_enough(new, checkout, tmp_path, model, data, labels, wanted):
    made = new(name="mine", model=model(tmp_path / "model"), data=data(tmp_path))
    content = params(checkout)
    assert content["data"]["labels"] == labels
    assert {key: content["data"][key] for key in wanted} == wanted
    assert content["train"] == {"method": "none"}
    assert read_study(content).study == "mine"
    assert any(line.startswith("answers:") and f"({labels}), " in line for line in made.lines)


@pytest.mark.parametrize(
    ("data", "labels"),
    [
        (moods, "multi_label"),
        (lambda folder: moods(folder, "jsonl"), "multi_label"),
        (lambda folder: moods(folder, "parquet"), "multi_label"),
        (flags, "multi_label"),
        (tagged, "token_classification"),
        (lambda folder: tagged(folder, "parquet"), "token_classification"),
        (lambda folder: tagged(folder, "tsv"), "token_classification"),
        (pairs, "score"),
    ],
)
def test_a_body_is_trained_for_what_the_table_holds(new, checkout, tmp_path, data, labels):
    new(name="mine", model=save_network(tmp_path / "body", "BertModel"), data=data(tmp_path), fine_tune="yes")
    content = params(checkout)
    assert content["data"]["labels"] == labels
    assert content["train"]["method"] == "fine_tune"
    assert read_study(content).study == "mine"


@pytest.mark.parametrize(
    "labels", [["a", "b"], ["1", "2"], ["food, drink", "games"], ["yes|no", "maybe"], ["0.5", "1.0"], ["[x]", "y"]]
)
def test_one_label_a_row_stays_one(tmp_path, labels):
    file = table(tmp_path / "rows.tsv", text=["a film"] * 60, label=[labels[n % 2] for n in range(60)])
    assert form_of(read_data_file(file, columns=None, quoting=None), ["text"], ["label"]) == "single_label"


def test_an_embedder_takes_its_pooling_along(new, checkout, tmp_path):
    from temper.training.pooling import pooling_of

    new(name="mine", model=embedder(tmp_path / "model", "pooling_mode_cls_token"), data=pairs(tmp_path))
    copied = checkout / "studies/mine/data/raw/checkpoint"
    assert pooling_of(str(copied)) == {"mode": "cls", "normalize": True}


def test_an_embedder_of_old_releases_is_named_by_its_inner_folder(new, checkout, tmp_path):
    from temper.training.pooling import pooling_of

    whole = tmp_path / "old"
    embedder(whole / "0_Transformer", "pooling_mode_max_tokens")
    for name in ("modules.json", "1_Pooling"):
        shutil.move(whole / "0_Transformer" / name, whole / name)
    new(name="mine", model=whole / "0_Transformer", data=pairs(tmp_path))
    assert pooling_of(str(checkout / "studies/mine/data/raw/checkpoint"))["mode"] == "max"
    assert params(checkout)["data"]["labels"] == "embedding"


def test_modules_that_lead_elsewhere_are_not_followed(new, checkout, tmp_path):
    folder = embedder(tmp_path / "model")
    (tmp_path / "elsewhere").mkdir()
    shutil.copyfile(folder / "1_Pooling/config.json", tmp_path / "elsewhere/config.json")
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["path"] = "../elsewhere"
    (folder / "modules.json").write_text(json.dumps(modules))
    new(name="mine", model=folder, data=pairs(tmp_path))
    copied = checkout / "studies/mine/data/raw"
    assert sorted(path.name for path in copied.iterdir()) == ["checkpoint", "test.tsv", "train.tsv"]


def test_an_embedder_with_one_text_a_row_gets_a_classifier(new, checkout, tmp_path):
    rows = table(tmp_path / "rows.tsv", text=[f"a film {n}" for n in range(60)], label=["good", "bad"] * 30)
    new(name="mine", model=embedder(tmp_path / "model"), data=rows, fine_tune="yes")
    assert params(checkout)["data"].get("labels") is None


def test_an_embedder_is_not_trained(new, checkout, tmp_path):
    given = {"name": "mine", "model": embedder(tmp_path / "model"), "data": pairs(tmp_path)}
    error = refused(checkout, new, **given, labels="embedding", fine_tune="yes")
    assert error.happened == "nothing trains an embedding here: the checkpoint is taken as it is"
    new(**given, fine_tune="yes")  # a score of pairs can be learned
    assert params(checkout)["data"]["labels"] == "score"


@pytest.mark.parametrize(("model", "kind"), [(multi, "multi_label"), (ranker, "score")])
def test_what_both_could_be_meant_is_asked(new, checkout, tmp_path, model, kind):
    values = MOODS if kind == "multi_label" else (1, 2, 3)
    rows = table(
        tmp_path / "rows.tsv", text=[f"a film {n}" for n in range(60)], label=[values[n % 3] for n in range(60)]
    )
    given = {"name": "mine", "model": model(tmp_path / "model"), "data": rows, "fine_tune": "yes"}
    assert refused(checkout, new, **given).fix == "give --labels"
    new(**given, labels=kind)
    assert params(checkout)["data"]["labels"] == kind


def test_what_is_said_counts(new, checkout, tmp_path):
    given = {"name": "mine", "model": ranker(tmp_path / "model"), "data": pairs(tmp_path)}
    error = refused(checkout, new, **given, labels="multi_label")
    assert "a score and not a label" in error.happened
    assert refused(checkout, new, **given, labels="ranks").happened.startswith("there is no 'ranks'; there are")


def test_a_word_without_a_tag_is_refused_and_nothing_is_left(new, checkout, tmp_path):
    file = tagged(tmp_path)
    rows = file.read_text().splitlines()
    file.write_text("\n".join([*rows[:-1], rows[-1].replace(', "O"]', "]")]) + "\n")
    error = refused(checkout, new, name="mine", model=of_words(tmp_path / "model"), data=file)
    assert error.happened.startswith("row 60 has 3 words and 2 tags")


def test_a_head_of_one_label_is_trained_anew_for_lists(new, checkout, tmp_path):
    made = new(name="mine", model=save_classifier(tmp_path / "one"), data=moods(tmp_path), fine_tune="yes")
    assert params(checkout)["data"]["labels"] == "multi_label"
    assert "classifier: a new one of 3 labels is trained" in made.lines
