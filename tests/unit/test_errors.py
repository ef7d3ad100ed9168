import inspect
import re

import pytest

from temper import errors
from temper.errors import PipelineError

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, PipelineError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_says_four_things(kind):
    error = kind(asked="a", happened="b", affected="c", fix="d")
    assert (error.asked, error.happened, error.affected, error.fix) == ("a", "b", "c", "d")
    assert str(error) == "\n  asked:    a\n  happened: b\n  affected: c\n  fix:      d"


def test_a_part_that_is_missing_is_refused():
    with pytest.raises(TypeError, match="fix"):
        PipelineError(asked="a", happened="b", affected="c")


def test_the_tree_drawn_in_the_docstring_is_the_tree_of_the_classes():
    drawn, above = {"PipelineError": "Exception"}, ["PipelineError"]
    for before, name in re.findall(r"^((?:│   |    )*)[├└]── (\w+)", errors.__doc__, re.MULTILINE):
        depth = len(before) // 4 + 1
        above = [*above[:depth], name]
        drawn[name] = above[depth - 1]
    assert drawn == {kind.__name__: kind.__bases__[0].__name__ for kind in KINDS}


def test_what_a_machine_lacks_is_no_error_of_the_pipeline():
    lacking = errors.Unavailable("no GPU")
    assert lacking.reason == str(lacking) == "no GPU"
    assert not isinstance(lacking, PipelineError)
