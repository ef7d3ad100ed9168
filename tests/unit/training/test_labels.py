import pytest

from temper.artifacts.signature import Signature
from temper.errors import ArtifactError
from temper.training.checkpoint_head import head_of
from temper.training.labels import keeps_head

BERT = {"architectures": ["BertForSequenceClassification"]}


def signature(*names, labels=None):
    return Signature(task="text-classification", inputs=(), label_names=names, padding_side="right", labels=labels)


def head(*names, **more):
    return head_of({**BERT, "id2label": dict(enumerate(names)), **more})


@pytest.mark.parametrize(
    ("names", "data", "kept"),
    [
        (("no", "yes"), ("No", "yes"), True),
        (("LABEL_0", "LABEL_1"), ("no", "yes"), True),
        (("no", "yes"), ("bad", "good"), False),
        (("no", "yes"), ("no", "yes", "maybe"), False),
    ],
)
def test_a_head_is_kept_where_its_names_are_the_data_s(names, data, kept):
    assert keeps_head(head(*names), signature(*data), "load it") is kept


@pytest.mark.parametrize(
    ("own", "wanted"),
    [
        (("no", "yes"), ("yes", "no")),
        (("neutral", "contradiction", "entailment"), ("contradiction", "entailment", "neutral")),
        (("5 stars", "1 star", "3 stars"), ("1 star", "3 stars", "5 stars")),
        (("World ", "SPORTS"), ("sports", "world")),
    ],
)
def test_the_same_names_in_another_order_are_refused(own, wanted):
    with pytest.raises(ArtifactError, match="numbers its labels"):
        keeps_head(head(*own), signature(*wanted), "load it")
    assert keeps_head(head(*own), signature(*own), "load it")


@pytest.mark.parametrize(
    ("more", "labels"),
    [
        ({"problem_type": "regression"}, "score"),
        ({}, "score"),
        ({"architectures": ["BertForTokenClassification"]}, "token_classification"),
    ],
)
def test_a_score_s_head_and_a_head_for_words_are_kept_for_theirs(more, labels):
    names = ("B-X", "O") if labels != "score" else ("LABEL_0",)
    own = head(*names, **more)
    assert own.labels == labels
    wanted = names if labels != "score" else ("relevance",)
    assert keeps_head(own, signature(*wanted, labels=labels), "load it")
    assert not keeps_head(own, signature("a", "b"), "load it")


@pytest.mark.parametrize("labels", [None, "multi_label"])
def test_a_head_is_kept_for_its_own_task_alone(labels):
    several = head("joy", "fear", problem_type="multi_label_classification")
    assert keeps_head(several, signature("joy", "fear", labels=labels), "load it") is (labels == "multi_label")
    one = head("joy", "fear")
    assert keeps_head(one, signature("joy", "fear", labels=labels), "load it") is (labels is None)
