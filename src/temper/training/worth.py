"""What a checkpoint is worth on validation rows, said before anything is measured."""

from temper.artifacts.signature import Signature
from temper.evaluation.evaluation import evaluation_of
from temper.logs.script_log import say_lasting
from temper.training.validation import Answered

CHANGES_NO_RESULT = "it says in the log and on the terminal what a checkpoint is worth; no file that is made holds it"


def say_worth(found: Answered, signature: Signature) -> None:
    """Say what a model is worth, with what speaks against it, in the log and on the terminal of whoever waits for it."""
    worth = evaluation_of(signature.labels).worth(found.answers, found.labels, signature.label_names, found.groups)
    lines = [f"checkpoint: {worth.sentence('validation')}"]
    lines += [f"checkpoint: warning: {warning}" for warning in worth.warnings("validation")]
    for line in lines:
        say_lasting(line)
