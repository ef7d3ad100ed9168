"""A dataset of the Hugging Face hub, of any name, through `datasets`."""

import os
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from temper.data.columns import NOTHING_WRITTEN, Columns
from temper.data.source import SourceOptions, Splits, splits_from_columns
from temper.errors import DataError

PROBE_TIMEOUT_S = 10.0


class HubSplits(BaseModel):
    """Names of the dataset's splits; validation is null where it is drawn from train."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    train: str
    validation: str | None
    test: str


LIBRARIES: tuple[str, ...] = ("datasets", "huggingface_hub")


class Options(SourceOptions):
    """The dataset and its columns. Label names come from the dataset's own features.

    name: such as stanfordnlp/sst2, or a folder laid out like a dataset repository.
    config: name of the configuration; null where the dataset has one only.
    revision: commit, tag or branch; null for the newest (a commit is what repeats exactly).
    splits: which of its splits are train, validation and test.
    text: one column, or two for pairs.
    label: column with the label.
    """

    source: Literal["hub"]
    max_tokens: PositiveInt
    name: str
    config: str | None
    revision: str | None
    splits: HubSplits
    text: Annotated[list[str], Field(min_length=1, max_length=2)]
    label: str

    @model_validator(mode="after")
    def _validation_is_given_once(self) -> "Options":
        self.check_validation(self.splits.validation)
        return self


def _hub_error(options: Options, error: Exception) -> DataError:
    return DataError(
        asked=f"load dataset {options.name!r}{f' ({options.config})' if options.config else ''} of the hub",
        happened=f"{type(error).__name__}: {str(error).strip()[:400]}",
        affected=NOTHING_WRITTEN,
        fix="check the name, the config, the splits and the network; without network use local files instead "
        "(data.source: files), or HF_HUB_OFFLINE=1 with a copy that was downloaded earlier",
    )


def _commit(options: Options) -> str | None:
    """Commit that the hub serves; None for a folder or in offline mode.

    Asked first with a time limit because `datasets` itself retries for minutes when there is no network.
    """
    from huggingface_hub import HfApi, constants

    if os.path.isdir(options.name) or constants.HF_HUB_OFFLINE:
        return None
    try:
        return HfApi().dataset_info(options.name, revision=options.revision, timeout=PROBE_TIMEOUT_S).sha
    except Exception as error:  # the client's errors share no base class
        raise _hub_error(options, error) from error


def load(options: Options, seed: int) -> Splits:
    """Download (or take from the cache) the named splits and columns.

    Raises:
        DataError: the hub is out of reach, the dataset, config or split does not exist, a column is absent, or the
            label column has no class names.
    """
    import datasets

    commit = _commit(options)
    names = {"train": options.splits.train, "validation": options.splits.validation, "test": options.splits.test}
    tables: dict[str, Columns] = {}
    features: Any = {}
    for split, name in names.items():
        if name is None:
            continue
        try:
            part = datasets.load_dataset(
                options.name, options.config, split=name, revision=commit if commit else options.revision
            )
        except Exception as error:  # wrong names, broken files and the network all raise their own kinds
            raise _hub_error(options, error) from error
        wanted = {*options.text, options.label, *([options.group] if options.group else [])}
        values = {column: part[column][:] if column in wanted else [] for column in part.column_names}
        tables[split] = Columns(origin=f"{options.name}, split {name}", values=values)
        features = part.features if split == "train" else features
    feature = features.get(options.label)
    # of a row with several labels the feature is a list of them
    label_names = getattr(feature, "names", getattr(getattr(feature, "feature", None), "names", None))
    if label_names is None and options.label in features:
        raise DataError(
            asked=f"take the label names from column {options.label!r} of {options.name}",
            happened=f"its feature is {features[options.label]!r}, which names no classes",
            affected=NOTHING_WRITTEN,
            fix="save the dataset as files and give data.label_names (data.source: files)",
        )
    notes = {"source": options.name, "config": options.config, "revision": commit or options.revision}
    return splits_from_columns(
        tables,
        text=options.text,
        label=options.label,
        label_names=label_names or (),
        notes=notes,
        labels=options.labels,
        group=options.group,
    )
