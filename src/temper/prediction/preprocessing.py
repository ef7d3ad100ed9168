"""The study's preprocessing, before anything of it is loaded."""

from dataclasses import dataclass
from pathlib import Path

from temper.artifacts.signature import Signature
from temper.data.encoding import Preprocessor
from temper.data.examples import Examples
from temper.data.preprocessing import build_preprocessor
from temper.study.sections.model import CheckpointModel


@dataclass(frozen=True)
class Preprocessing:
    """The study's preprocessing, not yet loaded.

    signature: of the padded rows.
    folder: with the task's PREPROCESSOR_FILES.
    max_tokens: longest row in tokens, None for images.
    """

    signature: Signature
    folder: Path
    max_tokens: int | None

    def preprocessor(self) -> Preprocessor:
        """Load it, as the study's data was prepared: with transformers."""
        model = CheckpointModel(
            task=self.signature.task, source="checkpoint", checkpoint=str(self.folder), revision=None
        )
        return build_preprocessor(model, Examples(origin=str(self.folder), labels=[]))
