"""A model of the hub as a folder: its configuration, tokenizer and weights, in the hub's own cache."""

import re
from pathlib import Path

from temper.errors import ArtifactError
from temper.training.pooling import MODULES

_PATTERNS = (
    "*.json",
    "*.safetensors",
    "*.txt",
    "*.model",
)  # of the top folder: other formats' weights stay where they are
_TIMMS_PREFIX = r"^hf[_-]hub:"  # how timm has names of the hub
_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


def checkpoint_folder(text: str) -> Path:
    """Folder of a checkpoint that a person named: a path, or a name on the hub, whose files are downloaded.

    Raises:
        ArtifactError: it is no folder here, and the hub does not give it.
    """
    path = Path(text).expanduser()
    if not path.exists():
        text = re.sub(_TIMMS_PREFIX, "", text)
    if path.exists() or not _NAME.fullmatch(text):
        return path.resolve()
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(text, allow_patterns=list(_PATTERNS), ignore_patterns=["*/*"]))
        if (folder / MODULES).is_file():  # of sentence-transformers, whose pooling has its settings in a folder
            snapshot_download(text, allow_patterns=["*Pooling/config.json"])
        return folder
    except Exception as error:  # the hub client's errors share no base class
        said = next(iter(str(error).strip().splitlines()), "")
        raise ArtifactError(
            asked=f"make a study of the checkpoint {text}",
            happened=f"there is no folder {path.resolve()}, and the hub gave no model of that name: "
            f"{type(error).__name__}: {said[:300]}",
            affected="nothing: no study was made",
            fix="correct --model: the folder of a checkpoint, or a name on the hub where the network reaches it",
        ) from None


def name_of(folder: Path) -> str:
    """What a person calls a checkpoint: the hub's name of one in its cache, else the folder's."""
    model = folder.parent.parent
    if folder.parent.name == "snapshots" and model.name.startswith("models--"):
        return model.name.removeprefix("models--").replace("--", "/")
    return folder.name
