"""A row of `machines:` in params.yaml: a kind of machine by name, and how a scheduler is asked for one."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

# what Slurm and Kubernetes know by such names; a scheduler's command line is made of them, so nothing that a shell would read
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.,:&|*()\[\]=@+/-]+$", max_length=200)]


class MachineRow(BaseModel):
    """A kind of machine that candidates are measured on. None of it changes a result: what was found there is what counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    partition: Word | None = None  # of Slurm
    constraint: Word | None = None  # of Slurm: features of a node
    account: Word | None = None  # of Slurm
    qos: Word | None = None  # of Slurm
    gres: Word | None = None  # of Slurm, 'gpu:h200:1'; left out: as many GPUs as a candidate's backend uses
    machine_type: Word | None = None  # of Kubernetes: the label node.kubernetes.io/instance-type
    cores: PositiveInt | None = None  # that a measurement has; left out: what the profile says
    memory_mb: PositiveInt | None = None
    runtime_min: PositiveInt | None = None  # after which a scheduler ends a job
    exclusive: bool = (
        True  # a measurement has its node for itself; false: it has the share of the node that it asks for
    )


def resources_of(row: MachineRow, *, timed: bool) -> dict[str, str | int | None]:
    """A row in the names that Snakemake's executors know; None is asked for nowhere.

    Args:
        row: of `machines:`.
        timed: for a job that times something, which has its node for itself where the row does not say otherwise.
    """
    return {
        "slurm_partition": row.partition,
        "slurm_account": row.account,
        "slurm_extra": "--exclusive" if timed and row.exclusive else None,
        "constraint": row.constraint,
        "qos": row.qos,
        "gres": row.gres,
        "machine_type": row.machine_type,
        "mem_mb": row.memory_mb,
        "runtime": row.runtime_min,
    }
