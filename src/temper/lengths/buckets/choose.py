"""Choose the limits of a row of `buckets:` from the lengths of a prepared split."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from temper.artifacts.manifest import sha256, staged_folder, write_manifest
from temper.artifacts.signature import read_signature
from temper.data.encoded import check_split, read_split, row_lengths
from temper.lengths.buckets.limits import Choice, Cost, Lengths, choose, rounded, token_cost, transformer_cost
from temper.lengths.buckets.record import KIND
from temper.study.sections.buckets import BucketsRow


def choose_buckets(*, data_folder: str | Path, file: str | Path, row: Mapping[str, Any]) -> None:
    """Read a split's lengths, choose, and write the limits with what they cost.

    Args:
        data_folder: prepared data; of its splits only the row's own is read.
        file: artifacts/buckets/<row>.json; `temper.lengths.buckets.record.read_buckets` says what it holds.
        row: a `BucketsRow`.

    Raises:
        ArtifactError: the split is not what was prepared.
    """
    asked, data, target = BucketsRow.model_validate(dict(row)), Path(data_folder), Path(file)
    split_file = f"{asked.split}.parquet"
    longest = check_split(data, asked.split)["max_tokens"]
    signature = read_signature(data / "signature.json")
    lengths = row_lengths(read_split(data / split_file, signature), signature)
    facts = _facts(lengths, asked, longest)
    with staged_folder(target.parent) as scratch:
        inputs = {split_file: sha256(data / split_file), "signature.json": sha256(data / "signature.json")}
        facts = {"row": asked.model_dump(mode="json"), **facts}
        write_manifest(scratch / target.name, kind=KIND, facts=facts, inputs=inputs)
    for each in facts["budgets"]:
        print(f"{each['profiles']}: {each['limits']}, {100 * each['padding_share']:.1f} % padding")


def _facts(lengths: Lengths, asked: BucketsRow, longest: int) -> dict[str, Any]:
    cost: Cost = token_cost if asked.cost == "tokens" else transformer_cost(asked.cost.hidden_size)
    ends, tokens = rounded(lengths, asked.multiple_of, longest), int(lengths.sum())
    unpadded = int(cost(lengths).sum())

    def described(choice: Choice) -> dict[str, Any]:
        return {
            "limits": list(choice.limits),
            "rows_per_limit": list(choice.rows),
            "computed_tokens": choice.tokens,
            "padding_share": 1 - tokens / choice.tokens,
            "relative_cost": choice.cost / unpadded,
        }

    found = choose(ends, profiles=asked.profiles, longest=longest, cost=cost)
    every = choose(ends, profiles=len(np.unique(ends)) + 1, longest=longest, cost=cost)[-1]
    return {
        "rows": len(lengths),
        "tokens": tokens,
        "longest_row": int(lengths.max()),
        "max_tokens": longest,
        "limits": list(found[-1].limits),
        "budgets": [{"profiles": number, **described(choice)} for number, choice in enumerate(found, 1)],
        "every_length": described(every),
    }
