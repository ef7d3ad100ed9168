import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from temper.data.files import Options, load
from temper.errors import PipelineError
from temper.studies import create
from temper.studies.about import read_about
from temper.studies.create import standing_in
from temper.studies.new_data import Given
from temper.study.study import read_study
from tests import tiny_gpt2
from tests.unit.studies.conftest import NONE, edit, left, params, refused
from tests.user_checkpoint import POSITIONS, ROWS


def test_a_study_of_a_checkpoint_and_a_file(new, checkout, checkpoint, data):
    made = new(name="mine", model=checkpoint, data=data)
    content = params(checkout)
    assert read_study(content).study == "mine"
    written = (checkout / "studies/mine/params.yaml").read_text()
    assert values(yaml.safe_load(written)) <= 20
    assert len(written.splitlines()) <= 24
    assert "recipe: quick" in written
    assert content["data"]["label_names"] == ["negative", "positive"]  # the checkpoint's order, the data's spelling
    assert (content["data"]["text"], content["data"]["label"]) == (["review"], "mark")
    assert content["train"] == {"method": "none"}
    assert content["engines"] == {}
    assert content["calibrated_precisions"]["int8-fast"]["quantize_bias"] is False
    folder = checkout / "studies/mine"
    assert not (folder / "dvc.yaml").exists()  # a study that was never run costs the others nothing
    assert (folder / "data/raw/checkpoint/model.safetensors").read_bytes() == (
        checkpoint / "model.safetensors"
    ).read_bytes()
    about = read_about(folder / "about.yaml")
    assert (str(about.needs), about.minutes) == ("files", None)
    assert made.lines[-1] == f"run it:     temper run -C {os.path.relpath(folder)}"
    assert "my-model: distilbert for text-classification, as it is" in made.lines[0]
    assert (folder / "README.md").read_text().startswith("# mine\n")
    assert left(checkout) == ["mine"]


def values(content):
    """How many values a params.yaml gives, those of lists too."""
    if isinstance(content, dict | list):
        return sum(map(values, content.values() if isinstance(content, dict) else content))
    return 1


def test_it_says_where_the_test_rows_are_too_few_to_decide(new, checkpoint, data, tmp_path):
    few = new(name="few", model=checkpoint, data=data)
    assert [line for line in few.lines if "765 can, where no answer changes" in line]
    (tmp_path / "dev.tsv").write_text("review\tmark\n" + "good\tpositive\nbad\tnegative\n" * 400)
    enough = new(name="enough", model=checkpoint, data=data, test=tmp_path / "dev.tsv")
    assert not [line for line in enough.lines if "where no answer changes" in line]


def test_where_nothing_is_trained_most_rows_are_test_rows(new, checkpoint, data, tmp_path):
    """872 rows, as SST-2's dev split has them: a fifth (174) could decide nothing, 776 can."""
    data.write_text("review\tmark\n" + "".join(f"good {n}\tpositive\nbad {n}\tnegative\n" for n in range(436)))
    as_it_is = new(name="mine", model=checkpoint, data=data)
    assert [line for line in as_it_is.lines if line.startswith("test:") and " 776 rows drawn" in line]
    assert not [line for line in as_it_is.lines if "where no answer changes" in line]
    trained = new(name="trained", model=checkpoint, data=data, fine_tune="yes")
    assert [line for line in trained.lines if line.startswith("test:") and " 174 rows drawn" in line]


@pytest.mark.parametrize(
    ("trained", "parts"),
    [
        ("no", "train 48 (48 of them calibrate), validation 48, test 304"),
        ("yes", "train 272 (272 of them calibrate), validation 48, test 80"),
    ],
)
def test_each_part_has_rows_for_what_is_asked_of_it_and_its_size_is_said(new, checkpoint, data, trained, parts):
    data.write_text("review\tmark\n" + "".join(f"good {n}\tpositive\nbad {n}\tnegative\n" for n in range(200)))
    made = new(name="mine", model=checkpoint, data=data, fine_tune=trained)
    assert f"parts:      {parts}" in made.lines


@pytest.mark.parametrize("rows", [1, 2, 3, 10, 64, 128, 1000, 10**6])
@pytest.mark.parametrize("trained", [True, False])
def test_parts_never_take_more_than_there_is(rows, trained):
    drawn = create.drawn_rows(rows, trained=trained)
    assert 1 <= drawn["validation_rows"] <= 500
    assert 1 <= drawn["calibration_rows"] <= max(1, rows - drawn["validation_rows"])


def test_test_rows_are_drawn_from_the_one_file_and_none_is_lost(new, checkout, checkpoint, data):
    new(name="mine", model=checkpoint, data=data, test_rows=20)
    raw = checkout / "studies/mine/data/raw"
    parts = {name: (raw / f"{name}.tsv").read_text().splitlines() for name in ("train", "test")}
    assert {name: lines[0] for name, lines in parts.items()} == dict.fromkeys(parts, "review\tmark")
    assert [len(lines) - 1 for lines in parts.values()] == [40, 20]
    rows = {f"{text}\t{label}" for text, label in ROWS}
    assert set(parts["train"][1:]) | set(parts["test"][1:]) == rows
    assert not set(parts["train"][1:]) & set(parts["test"][1:])
    assert not (raw.parents[1] / "raw.yaml").exists()  # no folder holds these two files


def test_a_file_of_test_rows_is_taken_whole_and_raw_yaml_says_where_from(new, checkout, checkpoint, data, tmp_path):
    other = tmp_path / "elsewhere/dev.tsv"
    other.parent.mkdir()
    other.write_text("mark\treview\npositive\tgood\nnegative\tbad\n")
    new(name="mine", model=checkpoint, data=data, test=other)
    folder = checkout / "studies/mine"
    assert (folder / "data/raw/test.tsv").read_text() == other.read_text()
    listed = yaml.safe_load((folder / "raw.yaml").read_text())
    assert listed["data/raw/test.tsv"] == "elsewhere/dev.tsv"
    assert {target: (tmp_path / source).read_bytes() for target, source in listed.items()} == {
        target: (folder / target).read_bytes() for target in listed
    }


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_every_format_becomes_a_study(new, checkout, checkpoint, tmp_path, ending):
    file = tmp_path / f"rows.{ending}"
    texts, labels = [f'{text}, "quoted"' for text, _ in ROWS], [label for _, label in ROWS]
    if ending == "csv":
        quoted = ['"' + text.replace('"', '""') + '"' for text in texts]
        file.write_text("text,label\n" + "".join(f"{t},{label}\n" for t, label in zip(quoted, labels, strict=True)))
    elif ending == "jsonl":
        pairs = zip(texts, labels, strict=True)
        file.write_text("".join(json.dumps({"text": t, "label": label}) + "\n" for t, label in pairs))
    else:
        pq.write_table(pa.table({"text": texts, "label": labels}), file)
    made = new(name="mine", model=checkpoint, data=file)
    assert params(checkout)["data"]["quoting"] == (True if ending == "csv" else None)
    assert "60 rows" in made.lines[1]


@pytest.mark.parametrize("form", ["with its index", "semicolons", "array"])
def test_files_as_people_have_them_become_a_study_and_no_row_changes(new, checkout, checkpoint, tmp_path, form):
    import pandas as pd

    texts = [f'{text}, "quoted";\rand on\nand on' for text, _ in ROWS]
    table = pd.DataFrame({"text": texts, "label": [label for _, label in ROWS]})
    file = tmp_path / ("rows.json" if form == "array" else "rows.csv")
    if form == "array":
        table.to_json(file, orient="records")
    else:
        table.to_csv(file, index=form == "with its index", sep=";" if form == "semicolons" else ",")
    new(name="mine", model=checkpoint, data=file)
    content = params(checkout)["data"]
    assert content["text"] == ["text"]
    with standing_in(checkout / "studies/mine"):
        splits = load(Options.model_validate(content), 0)
    assert sorted(text for part in (splits.train, splits.test) for (text,) in part.texts) == sorted(texts)


def test_a_file_without_a_header_has_its_columns_named(new, checkout, checkpoint, data):
    data.write_text("".join(f"{text}\t{label}\n" for text, label in ROWS))
    error = refused(checkout, new, name="mine", model=checkpoint, data=data)
    assert "its first line looks like a row" in error.happened
    assert "--columns" in error.fix
    new(name="mine", model=checkpoint, data=data, lists=Given(["text"], ["text", "label"], None, None))
    content = params(checkout)["data"]
    assert content["train"]["columns"] == ["text", "label"]
    assert len((checkout / "studies/mine/data/raw/test.tsv").read_text().splitlines()) == 30


def test_labels_may_be_numbers_of_the_outputs(new, checkout, checkpoint, data):
    data.write_text("text\tlabel\n" + "".join(f"{text}\t{int(label == 'positive')}\n" for text, label in ROWS))
    new(name="mine", model=checkpoint, data=data)
    assert params(checkout)["data"]["label_names"] == ["NEGATIVE", "POSITIVE"]


def test_label_names_that_differ_are_refused_and_both_are_named(new, checkout, checkpoint, data):
    data.write_text(data.read_text().replace("negative", "bad").replace("positive", "good"))
    flags = {"name": "mine", "model": checkpoint, "data": data}
    error = refused(checkout, new, **flags)
    assert error.happened == "the checkpoint has the labels 'NEGATIVE', 'POSITIVE', the data has 'bad', 'good'"
    error = refused(checkout, new, **flags, lists=Given(None, None, None, ["bad", "fine"]))
    assert error.happened == "the checkpoint has the labels 'NEGATIVE', 'POSITIVE', the data has 'bad', 'fine'"
    assert "--label-names" in error.fix
    new(**flags, fine_tune="yes", new_head="yes")
    assert params(checkout)["data"]["label_names"] == ["bad", "good"]
    assert params(checkout)["train"]["method"] == "fine_tune"


def test_more_labels_than_the_checkpoint_has_are_refused(new, checkout, checkpoint, data):
    data.write_text(data.read_text() + "so so\tneutral\n" * 3)
    error = refused(checkout, new, name="mine", model=checkpoint, data=data)
    assert "'neutral'" in error.happened


def test_a_checkpoint_without_names_needs_their_order(new, checkout, checkpoint, data):
    names = {"0": "LABEL_0", "1": "LABEL_1"}
    edit(checkpoint / "config.json", id2label=names, label2id={name: int(key) for key, name in names.items()})
    flags = {"name": "mine", "model": checkpoint, "data": data}
    error = refused(checkout, new, **flags)
    assert error.fix == "give --label-names, 2 names with commas between"
    error = refused(checkout, new, **flags, lists=Given(None, None, None, ["positive"]))
    assert "LABEL_0" in error.happened
    new(**flags, lists=Given(None, None, None, ["positive", "negative"]))
    assert params(checkout)["data"]["label_names"] == ["positive", "negative"]


def test_a_column_that_is_not_there_is_refused_and_the_others_are_named(new, checkout, checkpoint, data):
    error = refused(checkout, new, name="mine", model=checkpoint, data=data, label_column="label")
    assert error.happened == "there is no 'label'; there are 'review', 'mark'"
    lists = Given(["text"], None, None, None)
    error = refused(checkout, new, name="mine", model=checkpoint, data=data, lists=lists)
    assert "'review'" in error.happened


def test_columns_that_leave_doubt_are_asked_for(new, checkout, checkpoint, data):
    rows = "".join(f"{text}\t{label}\t{label[0]}\t{text[::-1]}\n" for text, label in ROWS)
    data.write_text("one\ttwo\tthree\tfour\n" + rows)
    error = refused(checkout, new, name="mine", model=checkpoint, data=data)
    assert error.fix == "give --label-column"
    error = refused(checkout, new, name="mine", model=checkpoint, data=data, label_column="two")
    assert error.fix == "give --text-column"


@pytest.mark.parametrize("name", ["embedded", "taken", "no name", ".hidden", "a/b"])
def test_a_name_that_is_taken_or_none_is_refused(new, checkout, checkpoint, data, name):
    (checkout / "studies/taken").mkdir()
    with pytest.raises(PipelineError) as caught:
        new(name=name, model=checkpoint, data=data)
    assert "there already" in caught.value.happened or "no name for a folder" in caught.value.happened
    assert ("--force" in caught.value.fix) == (name == "taken")  # it helps nothing else
    assert left(checkout) == ["taken"]


def test_files_that_cannot_be_a_study_are_told_what_they_lack(new, checkout, checkpoint, data, tmp_path):
    (tmp_path / "one.csv").write_text("review\na film\nanother\n")
    (tmp_path / "book.xlsx").write_bytes(b"PK")
    (tmp_path / "empty").mkdir()
    flags = {"name": "mine", "model": checkpoint, "data": tmp_path / "one.csv"}
    one = refused(checkout, new, **flags)
    assert (one.happened, one.fix) == (
        "its only column is 'review'",
        "give a file with a column of texts and one of labels: --data",
    )
    assert refused(checkout, new, **flags | {"data": tmp_path / "book.xlsx"}).fix.startswith("save it as one of .tsv")
    assert (
        refused(checkout, new, **flags | {"model": tmp_path / "empty", "data": data}).happened
        == "there is no config.json in it"
    )


def without_padding(checkpoint, **settings):
    """A tokenizer whose configuration names no token that pads."""
    file = checkpoint / "tokenizer_config.json"
    content = {key: value for key, value in json.loads(file.read_text()).items() if key != "pad_token"}
    file.write_text(json.dumps({**content, **settings}))
    (checkpoint / "special_tokens_map.json").unlink(missing_ok=True)


def test_a_tokenizer_without_any_token_to_pad_with_is_refused(new, checkout, checkpoint, data):
    without_padding(checkpoint)
    error = refused(checkout, new, name="mine", model=checkpoint, data=data)
    assert "neither a pad token nor an end-of-sequence token" in error.happened


def test_an_end_of_sequence_token_pads_and_that_is_said(new, checkout, checkpoint, data):
    without_padding(checkpoint, eos_token="[SEP]")
    made = new(name="mine", model=checkpoint, data=data)
    assert any("no pad token; its end-of-sequence token '[SEP]' pads" in line for line in made.lines)


def test_texts_longer_than_the_model_takes_are_counted(new, checkout, checkpoint, data):
    data.write_text(data.read_text() + "the plot " * 200 + "\tnegative\n")
    made = new(name="mine", model=checkpoint, data=data)
    assert params(checkout)["data"]["max_tokens"] == POSITIONS
    assert any("1 text is longer than the" in line for line in made.lines)


def test_a_model_that_reads_a_rows_last_token_has_no_row_of_one_token_and_that_is_said(
    new, checkout, checkpoint, data, tmp_path
):
    other = tiny_gpt2.user_checkpoint(tmp_path / "gpt2", padding_side="right")
    made = new(name="mine", model=other, data=data)
    left_out = "note:       openvino-int8-fast is left out: its classifier does not read the token of one fixed place"
    assert any(line.startswith(left_out) for line in made.lines)
    content = params(checkout)
    assert not {"openvino-int8-fast"} & content["candidates"].keys()
    assert not {"one-token", "unguarded"} & content["precisions"].keys()
    assert "openvino-int8-static" in content["candidates"]
    written = yaml.safe_load((checkout / "studies/mine/params.yaml").read_text())
    assert written["candidates"] == {
        "openvino-int8-fast": None,
        "openvino-int8-static": {"backend": "openvino-fast", "loads": "onnx/int8"},
    }
    assert not any("left out" in line for line in new(name="bert", model=checkpoint, data=data).lines)


def test_engines_are_made_where_they_are_asked_for(new, checkout, checkpoint, data):
    new(name="mine", model=checkpoint, data=data, gpu="yes", max_tokens=16)
    content = params(checkout)
    assert list(content["engines"]) == ["fp16", "bf16", "int8"]
    length = max(shape[1] for shape in content["engines"]["fp16"]["static_shapes"])
    assert content["engines"]["fp16"]["static_shapes"] == [[1, length], [8, length]]
    assert {"rtx-fp16", "rtx-int8", "torch-compile", "ort-int8"} <= content["candidates"].keys()
    assert content["data"]["max_tokens"] == 16


def test_a_checkpoint_without_a_classifier_has_to_be_trained(new, checkout, checkpoint, data):
    edit(checkpoint / "config.json", architectures=["DistilBertForMaskedLM"])
    flags = {"name": "mine", "model": checkpoint, "data": data}
    assert refused(checkout, new, **flags).fix == "give --fine-tune yes, or name a fine-tuned checkpoint"
    assert "no classifier" in refused(checkout, new, **flags, fine_tune="no").happened
    new(**flags, fine_tune="yes")
    assert params(checkout)["train"]["epochs"] == 3


@pytest.mark.parametrize(
    ("spoil", "happened"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "no *.safetensors"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json cannot be read"),
        (lambda folder: [file.unlink() for file in folder.glob("tokenizer*")], ""),
        (lambda folder: edit(folder / "config.json", auto_map={"AutoModel": "a.B"}), "asks for remote code (a.B)"),
        (lambda folder: edit(folder / "config.json", auto_map=7), "asks for remote code (7)"),
        (lambda folder: edit(folder / "config.json", auto_map=[["a"]]), "asks for remote code ([['a']])"),
    ],
    ids=["no weights", "no configuration", "no tokenizer", "code", "a number as code", "a list as code"],
)
def test_a_broken_checkpoint_is_refused(new, checkout, checkpoint, data, spoil, happened):
    spoil(checkpoint)
    assert happened in refused(checkout, new, name="mine", model=checkpoint, data=data).happened


@pytest.mark.parametrize(("flag", "happened"), [("model", "there is no such folder"), ("data", "it is not there")])
def test_a_path_that_is_not_there_is_refused(new, checkout, checkpoint, data, tmp_path, flag, happened):
    flags = {"name": "mine", "model": checkpoint, "data": data, flag: tmp_path / "absent.tsv"}
    assert refused(checkout, new, **flags).happened == happened


def test_a_pipe_in_the_place_of_rows_is_named_as_one(new, checkout, checkpoint, tmp_path):
    os.mkfifo(tmp_path / "rows.tsv")
    error = refused(checkout, new, name="mine", model=checkpoint, data=tmp_path / "rows.tsv")
    assert error.happened == "it is a pipe, a socket or a device, and no file"


def test_labels_that_only_the_test_rows_have_count(new, checkout, checkpoint, data, tmp_path):
    (tmp_path / "dev.tsv").write_text("review\tmark\ngood\tpositive\nso so\tneutral\n")
    flags = {"name": "mine", "model": checkpoint, "data": data, "test": tmp_path / "dev.tsv"}
    assert "the data has 'negative', 'neutral', 'positive'" in refused(checkout, new, **flags).happened
    new(**flags, fine_tune="yes")
    assert params(checkout)["data"]["label_names"] == ["negative", "neutral", "positive"]


def test_too_few_rows_are_refused(new, checkout, checkpoint, data):
    data.write_text("text\tlabel\n" + "a film\tpositive\nno film\tnegative\n" * 5)
    error = refused(checkout, new, name="mine", model=checkpoint, data=data)
    assert "it has 10 rows" in error.happened


def test_rows_of_one_label_are_refused(new, checkout, checkpoint, data):
    data.write_text("text\tlabel\n" + "".join(f"a film {number}\tpositive\n" for number in range(30)))
    flags = {"name": "mine", "model": checkpoint, "data": data, "label_column": "label"}
    assert "have the label 'positive'" in refused(checkout, new, **flags).happened


def test_test_rows_in_another_format_are_refused(new, checkout, checkpoint, data, tmp_path):
    (tmp_path / "dev.csv").write_text("review,mark\ngood,positive\nbad,negative\n")
    flags = {"name": "mine", "model": checkpoint, "data": data, "test": tmp_path / "dev.csv"}
    assert "its format is csv" in refused(checkout, new, **flags).happened


def test_what_stops_the_command_leaves_nothing(new, checkout, checkpoint, data, monkeypatch):
    from temper.studies import model

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "check_model", interrupted)
    with pytest.raises(KeyboardInterrupt):
        new(name="mine", model=checkpoint, data=data, lists=NONE)
    assert left(checkout) == []


def test_no_room_is_said_and_leaves_nothing(new, checkout, checkpoint, data, monkeypatch):
    from temper.studies import create

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(create, "copy_checkpoint", full)
    error = refused(checkout, new, name="mine", model=checkpoint, data=data)
    assert error.happened == "OSError: No space left on device"


def test_a_wrong_row_is_named_as_the_users_file_has_it(new, checkout, checkpoint, data):
    rows = data.read_text().splitlines()
    data.write_text("\n".join([*rows[:6], "\tpositive", *rows[6:]]) + "\n")
    error = refused(checkout, new, name="mine", model=checkpoint, data=data)
    assert error.asked == f"use {data}"
    assert error.happened == "the text is empty in 1 row (counted from 1, without a header: 6)"
    assert error.affected == "nothing: no study was made"
    assert "check --quoting" in error.fix


def test_wrong_rows_of_a_test_file_and_wrong_weights_are_named_by_the_users_paths(
    new, checkout, checkpoint, data, tmp_path
):
    test = tmp_path / "dev.tsv"
    test.write_text("review\tmark\ngood\tpositive\n\tnegative\n")
    assert refused(checkout, new, name="mine", model=checkpoint, data=data, test=test).asked == f"use {test}"
    (checkpoint / "model.safetensors").unlink()
    error = refused(checkout, new, name="mine", model=checkpoint, data=data)
    assert error.happened == f"no *.safetensors in {checkpoint}"
    assert error.affected == "nothing: no study was made"


def test_a_flag_for_images_is_refused_where_the_data_is_texts(new, checkout, checkpoint, data):
    error = refused(checkout, new, name="mine", model=checkpoint, data=data, test_share=0.5)
    assert error.fix == "leave out --test-share"


def test_max_tokens_is_not_beyond_what_the_model_takes(new, checkout, checkpoint, data):
    data.write_text(data.read_text().replace("charming film", "charming " * 30 + "film"))
    error = refused(checkout, new, name="mine", model=checkpoint, data=data, max_tokens=POSITIONS + 1)
    assert error.happened == f"'{POSITIONS + 1}' is no whole number from 3 to {POSITIONS}"


def test_a_checkpoint_of_another_study_is_named_once(new, checkout, checkpoint, data, tmp_path):
    other = tmp_path / "data/raw/checkpoint"
    other.parent.mkdir(parents=True)
    checkpoint.rename(other)
    (other / "model.safetensors").unlink()
    error = refused(checkout, new, name="mine", model=other, data=data)
    assert error.happened == f"no *.safetensors in {other}"


# Links


@pytest.mark.parametrize("name", ["vocab.txt", "tokenizer.json", "model.safetensors"])
def test_a_checkpoints_file_that_is_a_link_to_elsewhere_is_not_copied(new, checkout, checkpoint, data, tmp_path, name):
    (tmp_path / "secret").write_text("root:x:0:0")
    (checkpoint / name).unlink(missing_ok=True)
    (checkpoint / name).symlink_to(tmp_path / "secret")
    error = refused(checkout, new, name="mine", model=checkpoint, data=data)
    assert f"{name} leads out of" in error.happened


def test_a_checkpoint_in_the_hubs_cache_is_made_of_links_and_is_one(new, checkout, checkpoint, data, tmp_path):
    model = tmp_path / "models--me--mine"
    (model / "blobs").mkdir(parents=True)
    snapshot = model / "snapshots/abc"
    snapshot.mkdir(parents=True)
    for number, path in enumerate(sorted(checkpoint.iterdir())):
        path.rename(model / f"blobs/{number}")
        (snapshot / path.name).symlink_to(f"../../blobs/{number}")
    new(name="mine", model=snapshot, data=data)
    copied = checkout / "studies/mine/data/raw/checkpoint/model.safetensors"
    assert copied.is_file()
    assert not copied.is_symlink()
