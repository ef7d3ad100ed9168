"""The processes of one training: one on a device of its own each, or the only one there is.

Every process has the whole model and a part of each batch; gradients are averaged (PyTorch's DistributedDataParallel). What all
of them must do alike, such as when to stop, the first one says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ranks:
    """One process of a training.

    rank: its number, from 0.
    count: of the processes.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def device(self, kind: str) -> str:
        """This process's device of a kind: 'cpu', 'cuda', of several 'cuda:1'."""
        return f"cuda:{self.rank}" if kind == "cuda" and self.count > 1 else kind

    def wrapped(self, network: Any) -> Any:
        """The network as it is called in training: its gradients are the mean over all processes."""
        if self.count == 1:
            return network
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(network, find_unused_parameters=True)

    def share(self, rows: Sequence[int]) -> tuple[list[int], float]:
        """This process's rows of a batch, and what its mean loss counts for.

        The mean over processes of the weighted losses is the mean over the rows of the batch, also where they do not divide
        evenly. A process for which there is no row computes one that counts for nothing: all of them have to call.

        Args:
            rows: of the whole batch.
        """
        own = list(rows[self.rank :: self.count])
        return own or list(rows[:1]), self.count * len(own) / len(rows)

    def mean(self, figure: float) -> float:
        """The mean of a figure over all processes."""
        return figure if self.count == 1 else self._exchanged(figure, summed=True) / self.count

    def agreed(self, figure: float) -> float:
        """A figure as the first process has it: the last bits of two devices may differ, and all of them stop together."""
        return figure if self.count == 1 else self._exchanged(figure, summed=False)

    def _exchanged(self, figure: float, *, summed: bool) -> float:
        import torch
        from torch import distributed

        place = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        said = torch.tensor([figure], dtype=torch.float64, device=place)
        if summed:
            distributed.all_reduce(said)
        else:
            distributed.broadcast(said, src=0)
        return float(said.item())


ALONE = Ranks()
