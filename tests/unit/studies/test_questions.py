import pytest

from temper.errors import ConfigError
from temper.studies.questions import Questions, number, one_of, yes_or_no


def questions(*answers, given=None, silent=False):
    """A person who types these lines, and then is gone."""
    lines = iter(answers)
    asked = []

    def ask(question):
        asked.append(question)
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    made = Questions(given or {}, suggested_without_asking=silent, ask=ask)
    made.asked = asked
    return made


def test_what_was_given_is_not_asked():
    made = questions(given={"test_rows": "7"})
    assert made.answer("test-rows", "how many", number(1, 9)) == 7
    assert made.asked == []


def test_an_empty_answer_takes_the_suggestion():
    made = questions("", "3")
    assert [made.answer("x", "how many", number(1, 9), "5") for _ in range(2)] == [5, 3]
    assert made.asked[0] == "how many [5]: "


def test_a_wrong_answer_is_asked_again_with_the_reason(capsys):
    made = questions("ten", "", "2")
    assert made.answer("x", "how many", number(1, 9)) == 2
    assert len(made.asked) == 3
    assert "'ten' is no whole number from 1 to 9" in capsys.readouterr().err


def test_a_wrong_flag_is_an_error():
    with pytest.raises(ConfigError) as caught:
        questions(given={"x": "z"}).answer("x", "which", one_of(["a", "b"]))
    assert caught.value.happened == "there is no 'z'; there are 'a', 'b'"
    assert caught.value.fix == "correct --x"


def test_where_nobody_answers_a_suggestion_counts_and_its_absence_is_an_error(capsys):
    assert questions().answer("x", "which", one_of(["a"]), "a") == "a"
    assert capsys.readouterr().err == "a\n"
    with pytest.raises(ConfigError) as caught:
        questions().answer("x", "which one", one_of(["a"]))
    assert caught.value.fix == "give --x"
    assert capsys.readouterr().err == "\n"  # the error starts on a line of its own


def test_the_name_is_given_without_a_flag():
    with pytest.raises(ConfigError) as caught:
        questions().answer("name", "name of the study", str)
    assert caught.value.fix == "give it first: temper init NAME"


def test_every_suggestion_may_be_taken_without_asking():
    made = questions("b", silent=True)
    assert made.answer("x", "which", one_of(["a", "b"]), "a") == "a"
    assert made.asked == []
    assert made.answer("y", "which", one_of(["a", "b"])) == "b"  # nothing was suggested


def test_yes_or_no_shows_both_and_takes_enter(capsys):
    made = questions("", "", "y", "")
    assert [made.agree("x", "train", "yes"), made.agree("x", "train"), made.agree("x", "train")] == [True, False, True]
    assert made.agree("x", "train", enter="yes") is True
    assert made.asked == [f"train (yes/no) [{default}]: " for default in ("yes", "no", "no", "yes")]
    with pytest.raises(ConfigError) as caught:
        questions().agree("x", "train", enter="yes")  # nobody is there: that somebody would press Enter is no answer
    assert caught.value.fix == "give --x yes, or no"
    with pytest.raises(ConfigError):
        questions(silent=True).agree("x", "train")


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("Y", True), ("no", False), ("n", False)])
def test_yes_and_no(text, value):
    assert yes_or_no(text) is value


def test_neither_yes_nor_no_is_wrong():
    with pytest.raises(ValueError, match="neither"):
        yes_or_no("perhaps")
