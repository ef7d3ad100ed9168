"""What a head answers, by config.json alone."""

import json

import pytest

from temper.errors import ArtifactError
from temper.study.sections.model import model_options
from temper.training.checkpoint_head import check_model, head_of

BERT = {"architectures": ["BertForSequenceClassification"], "model_type": "bert"}
NLI = {"id2label": {"0": "entailment", "1": "neutral", "2": "contradiction"}}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({**BERT, **NLI, "problem_type": "multi_label_classification"}, "a yes or no of its own"),
        ({**BERT, **NLI, "function_to_apply": "sigmoid"}, "a sigmoid is to be applied"),
        (
            {**BERT, **NLI, "sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid"}},
            "a sigmoid is to be applied",
        ),
        ({**BERT, "problem_type": "regression", **NLI}, "a score and not a label (problem_type: regression)"),
        ({**BERT, "id2label": {"0": "LABEL_0"}}, "a score and not a label (one output"),
        ({**BERT, "num_labels": 1}, "a score and not a label (one output"),
        (
            {"architectures": ["BertForTokenClassification"], **NLI},
            "BertForTokenClassification, which answers each token",
        ),
        ({"architectures": ["BertForQuestionAnswering"]}, "BertForQuestionAnswering, which answers something else"),
        ({"architectures": ["DeiTForImageClassificationWithTeacher"], **NLI}, "the mean of two classifiers"),
        ({"architectures": ["LevitForImageClassificationWithTeacher"], **NLI}, "the mean of two classifiers"),
    ],
)
def test_what_is_no_softmax_over_one_label_is_told(config, said):
    assert said in (head_of(config).unlike or "")


@pytest.mark.parametrize(
    "config",
    [
        {**BERT, **NLI},
        {**BERT, **NLI, "problem_type": "single_label_classification"},
        {**BERT, **NLI, "sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}},
        {**BERT},
        {"architectures": ["BertModel"]},
        {"model_type": "bert"},
    ],
)
def test_a_classifier_and_a_bare_body_are_taken(config):
    assert head_of(config).unlike is None


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"bad": 0, "good": 1}, "has names as keys ('bad': 0)"),
        ({"0": "bad", "2": "good"}, "names the outputs 0, 2, not each from 0 on"),
        (["bad", "good"], "is list, not names"),
    ],
)
def test_names_that_name_no_output_are_refused(found, said):
    with pytest.raises(ValueError, match=r"id2label") as caught:
        head_of({**BERT, "id2label": found})
    assert said in str(caught.value)


@pytest.mark.parametrize("found", [0.1, "BertForSequenceClassification", {"0": "BertForSequenceClassification"}, True])
def test_architectures_that_are_no_list_are_said_in_words(found):
    with pytest.raises(ValueError, match=r"its architectures is .+, not a list of names"):
        head_of({**BERT, "architectures": found})


def test_names_are_in_the_order_of_the_outputs_and_placeholders_say_nothing():
    assert head_of({**BERT, "id2label": {"10": "k", **{str(n): f"n{n}" for n in range(10)}}}).names[10] == "k"
    assert head_of({**BERT, "id2label": {"0": "LABEL_0", "1": "LABEL_1"}}).names_nothing
    assert not head_of({**BERT, **NLI}).names_nothing


def test_a_plan_refuses_such_a_checkpoint_and_leaves_the_others_to_the_jobs(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({**BERT, **NLI, "problem_type": "multi_label_classification"}))
    section = {"task": "text-classification", "source": "checkpoint", "checkpoint": str(tmp_path), "revision": None}
    with pytest.raises(ArtifactError) as caught:
        check_model(model_options(section), {"method": "none"})
    assert caught.value.affected == "nothing: no job was started"
    assert "set train.method to fine_tune" in caught.value.fix
    check_model(model_options(section), {"method": "fine_tune"})
    for content in ("{", "[]", '{"id2label": {"bad": 0}}'):
        (tmp_path / "config.json").write_text(content)
        check_model(model_options(section), {"method": "none"})
    check_model(model_options({**section, "checkpoint": "owner/name"}), {"method": "none"})
