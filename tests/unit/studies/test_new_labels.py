"""Which output is which label: taken from the checkpoint, asked for, or refused; never permuted, never one off."""

import json

import pytest
from safetensors.torch import load_file

from temper.data.prepare import prepare_data
from temper.studies.create import standing_in
from temper.studies.new import make_study
from temper.studies.new_data import Given
from temper.studies.questions import Questions
from temper.study.study import read_study
from temper.training.checkpoint import make_checkpoint
from tests.tiny_classifier import rename_tensors, save_classifier
from tests.tiny_study import SEED
from tests.unit.studies.conftest import params, refused

NLI = ("entailment", "neutral", "contradiction")
STARS = tuple(f"{stars} star{'s' * (stars > 1)}" for stars in range(1, 6))
PLACEHOLDERS = tuple(f"LABEL_{number}" for number in range(5))


@pytest.fixture
def rows(tmp_path):
    """A file of rows with these labels."""

    def rows(*labels, count=60):
        file = tmp_path / "rows.tsv"
        file.write_text("text\tlabel\n" + "".join(f"a film {n}\t{labels[n % len(labels)]}\n" for n in range(count)))
        return file

    return rows


def given(*names):
    return Given(None, None, None, list(names))


def config_of(checkout):
    return json.loads((checkout / "studies/mine/data/raw/checkpoint/config.json").read_text())


@pytest.mark.parametrize("fine_tune", ["yes", "no"])
@pytest.mark.parametrize(
    "labels", [("contradiction", "neutral", "entailment"), ("Neutral", "Entailment"), ("0", "1", "2")]
)
def test_the_checkpoints_order_is_kept(new, checkout, tmp_path, rows, fine_tune, labels):
    new(name="mine", model=save_classifier(tmp_path / "nli", NLI), data=rows(*labels), fine_tune=fine_tune)
    assert [name.lower() for name in params(checkout)["data"]["label_names"]] == list(NLI)


@pytest.mark.parametrize("fine_tune", ["yes", "no"])
def test_the_checkpoints_names_in_another_order_are_refused(new, checkout, tmp_path, rows, fine_tune):
    flags = {"name": "mine", "model": save_classifier(tmp_path / "nli", NLI), "data": rows(*NLI)}
    error = refused(checkout, new, **flags, fine_tune=fine_tune, lists=given(*sorted(NLI)))
    assert error.happened.startswith("the checkpoint has the labels 'entailment', 'neutral', 'contradiction'")


def test_as_many_labels_of_other_names_are_asked_about_before_a_head_is_kept_or_left(new, checkout, tmp_path, rows):
    flags = {"name": "mine", "model": save_classifier(tmp_path / "nli", NLI), "data": rows("e", "n", "c")}
    assert refused(checkout, new, **flags, fine_tune="yes").fix == "give --new-head yes, or no"
    assert refused(checkout, new, **flags, fine_tune="yes", new_head="no").fix.startswith(
        "give the data the checkpoint's"
    )
    assert refused(checkout, new, **flags, new_head="yes").fix == "leave out --new-head"
    made = new(**flags, fine_tune="yes", new_head="yes")
    assert params(checkout)["data"]["label_names"] == ["c", "e", "n"]
    assert "classifier: a new one of 3 labels is trained" in made.lines
    assert config_of(checkout)["id2label"]["0"] == "entailment"  # the copy is the checkpoint's


@pytest.mark.parametrize("fine_tune", ["yes", "no"])
def test_a_mapping_that_is_given_is_written_into_the_copy(new, checkout, tmp_path, rows, fine_tune):
    folder = save_classifier(tmp_path / "stars", STARS)
    flags = {"name": "mine", "model": folder, "data": rows(*"12345"), "fine_tune": fine_tune}
    made = new(**flags, lists=given(*"12345"))
    assert params(checkout)["data"]["label_names"] == list("12345")
    assert config_of(checkout)["id2label"] == {str(n): str(n + 1) for n in range(5)}
    assert any("1 star = 1, 2 stars = 2" in line for line in made.lines)
    assert not (checkout / "studies/mine/raw.yaml").exists()
    copied = checkout / "studies/mine/data/raw/checkpoint/model.safetensors"
    assert copied.read_bytes() == (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("names", [PLACEHOLDERS, STARS], ids=["placeholders", "stars"])
@pytest.mark.parametrize("labels", ["1234", "12345", "24"])
def test_numbers_that_may_count_from_one_are_asked_about(new, checkout, tmp_path, rows, names, labels):
    flags = {"name": "mine", "model": save_classifier(tmp_path / "stars", names), "data": rows(*labels)}
    error = refused(checkout, new, **flags)
    assert error.fix == "give --label-names, 5 names with commas between"
    assert f"the data's label of each, in their order, with commas (it has {', '.join(labels)})" in error.asked
    new(**flags, lists=given(*"12345"))
    assert params(checkout)["data"]["label_names"] == list("12345")


@pytest.mark.parametrize("fine_tune", ["yes", "no"])
def test_names_may_be_given_as_they_are_asked_for(new, checkout, tmp_path, rows, fine_tune):
    folder = save_classifier(tmp_path / "stars", PLACEHOLDERS)
    new(name="mine", model=folder, data=rows(*"1234"), fine_tune=fine_tune, lists=given("1, 2,3,4,5"))
    assert params(checkout)["data"]["label_names"] == list("12345")


def test_the_answer_to_the_question_is_the_order_of_the_outputs(checkout, tmp_path, rows):
    flags = {"name": "mine", "model": str(save_classifier(tmp_path / "stars", PLACEHOLDERS)), "fine_tune": "yes"}
    flags["data"] = str(rows(*STARS))
    answers = {"label-names": ", ".join(STARS)}

    def person(question):
        return answers["label-names"] if "in their order" in question else ""

    make_study(
        checkout, Questions(flags, suggested_without_asking=False, ask=person), Given(["text"], None, None, None)
    )
    assert params(checkout)["data"]["label_names"] == list(STARS)


def test_fewer_labels_than_a_head_without_names_has_get_a_head_of_their_own(new, checkout, tmp_path, rows):
    flags = {
        "name": "mine",
        "model": save_classifier(tmp_path / "base", PLACEHOLDERS),
        "data": rows("bad", "good"),
    }
    new(**flags, fine_tune="yes")
    assert params(checkout)["data"]["label_names"] == ["bad", "good"]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"problem_type": "regression"}, "a score and not a label"),
        ({"function_to_apply": "sigmoid"}, "a sigmoid is to be applied"),
    ],
)
def test_a_head_that_is_no_softmax_over_one_label_is_refused(new, checkout, tmp_path, rows, config, said):
    folder = save_classifier(tmp_path / "nli", NLI, **config)
    flags = {"name": "mine", "model": folder, "data": rows(*NLI)}
    for fine_tune in (None, "no"):
        error = refused(checkout, new, **flags, fine_tune=fine_tune)
        assert said in error.happened
        assert error.affected == "nothing: no study was made"
        assert "--fine-tune yes" in error.fix
        assert "data.labels" not in error.fix  # init has a flag for it
    made = new(**flags, fine_tune="yes")
    assert "classifier: a new one of 3 labels is trained" in made.lines


def test_scores_are_not_made_into_classes(new, checkout, tmp_path, rows):
    folder = save_classifier(tmp_path / "reranker", ("LABEL_0",), num_labels=1)
    scores = rows(*(f"{number / 50:.2f}" for number in range(50)))
    flags = {"name": "mine", "model": folder, "data": scores, "label_column": "label", "fine_tune": "yes"}
    error = refused(checkout, new, **flags, labels="single_label")
    assert (
        error.happened == "they are numbers such as 0.02, 0.04, 0.06: scores, of which each would be a class of its own"
    )
    assert "--labels score" in error.fix
    new(**{**flags, "data": rows("0.5", "1.0", "1.5")}, labels="single_label")
    assert params(checkout)["data"]["label_names"] == ["0.5", "1.0", "1.5"]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({name: n for n, name in enumerate(NLI)}, "its id2label has names as keys ('entailment': 0)"),
        (list(NLI), "its id2label is list, not names"),
        ({n + 1: name for n, name in enumerate(NLI)}, "its id2label names the outputs 1, 2, 3, not each from 0 on"),
    ],
    ids=["names as keys", "a list", "from 1 on"],
)
def test_names_that_name_no_output_are_said_with_the_cure(new, checkout, tmp_path, rows, found, said):
    folder = save_classifier(tmp_path / "nli", NLI)
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "id2label": found}))
    error = refused(checkout, new, name="mine", model=folder, data=rows(*NLI))
    assert said in error.happened
    assert error.fix.startswith("write id2label of its config.json as {output: name}, outputs from 0 on")


def test_what_was_made_reads_as_it_was_meant(new, checkout, tmp_path, rows):
    """The data of a study whose labels count from 1 is read with the first output as 1."""
    from temper.data.files import Options, load

    new(name="mine", model=save_classifier(tmp_path / "s", PLACEHOLDERS), data=rows(*"1234"), lists=given(*"12345"))
    content = params(checkout)
    assert read_study(content).study == "mine"
    with standing_in(checkout / "studies/mine"):
        splits = load(Options.model_validate(content["data"]), 0)
    assert set(splits.train.labels) == {0, 1, 2, 3}
    assert load_file(checkout / "studies/mine/data/raw/checkpoint/model.safetensors")


@pytest.mark.parametrize(
    ("names", "labels", "lists", "tensors"),
    [
        (NLI, sorted(NLI), None, ""),
        (NLI, ["e", "n", "c"], ["e", "n", "c"], ""),
        (PLACEHOLDERS, list("12345"), list("12345"), "_orig_mod."),
    ],
    ids=["names", "a mapping", "numbers, under a prefix"],
)
def test_a_step_that_changes_nothing_leaves_every_label(new, checkout, tmp_path, rows, names, labels, lists, tensors):
    """From the user's folder to the study's checkpoint: at a rate of 1e-9 the answers are those of transformers."""
    folder = save_classifier(tmp_path / "user", names)
    expected = answers(folder, range(60))
    rename_tensors(folder, tensors)
    new(name="mine", model=folder, data=rows(*labels), fine_tune="yes", lists=Given(None, None, None, lists))
    content = params(checkout)
    content["train"] |= {"learning_rate": 1e-9, "epochs": 1, "threads": 1}
    with standing_in(checkout / "studies/mine"):
        prepare_data(data=content["data"], model=content["model"], seed=SEED, folder="data/prepared")
        places = {"data_folder": "data/prepared", "folder": "made"}
        make_checkpoint(model=content["model"], train=content["train"], seed=SEED, **places)
    found = answers(checkout / "studies/mine/made", range(60))
    spelled = dict(zip(names, lists or names, strict=True))
    assert found == [spelled[name] for name in expected]
    assert len(set(found)) > 1


def answers(folder, numbers):
    """Names that transformers' own classes give to texts, one by one."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    network, tokenizer = (
        AutoModelForSequenceClassification.from_pretrained(folder),
        AutoTokenizer.from_pretrained(folder),
    )
    with torch.inference_mode():
        found = [network(**tokenizer(f"a film {number}", return_tensors="pt")).logits.argmax() for number in numbers]
    return [network.config.id2label[int(label)] for label in found]
