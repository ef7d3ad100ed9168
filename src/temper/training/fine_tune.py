"""Fine-tuning: AdamW with linear warm-up and decay, seeded, byte-equal when repeated on one machine."""

import math
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from temper.artifacts.signature import Signature
from temper.data.encoded import PREPROCESSOR_FOLDER, check_split, collate, labels_of, read_split, row_lengths
from temper.errors import PipelineError
from temper.logs.progress import progress
from temper.study.sections.model import ModelOptions
from temper.tasks.task import Numbers, task_of
from temper.training.model import initial_model
from temper.training.ranks import ALONE, Ranks
from temper.training.several_devices import train_on_several
from temper.training.unfinished import Unfinished
from temper.training.validation import answers_of

Share = Annotated[float, Field(ge=0, lt=1)]

LIBRARIES = ("torch", "transformers")
GOES_ON = True  # where it was stopped


class Options(BaseModel):
    """The `train:` section with `method: fine_tune`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    method: Literal["fine_tune"]
    device: Literal["cpu", "cuda"]
    # bfloat16: products in BF16 by autocast, weights, sums and the optimizer in FP32 (mixed precision)
    precision: Literal["float32", "bfloat16"]
    # processes with a device each, of batch_size rows each; left out: one, and settings of studies of before stay what they are
    devices: PositiveInt | None = None
    threads: PositiveInt  # intra-op threads: another number adds in another order, and gives other bytes
    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_share: Share  # of all steps
    early_stopping_patience: PositiveInt | None  # epochs without a better validation accuracy; null: never


def epoch_order(lengths: npt.NDArray[np.int64], batch_size: int, generator: np.random.Generator) -> list[list[int]]:
    """Batches of rows of like length in random order: shuffle, sort within pools of 50 batches, shuffle the batches.

    Args:
        lengths: int64 [rows]; all equal for inputs without a sequence.
        batch_size: rows per batch; the last may be smaller.
        generator: seeded source of the order.
    """
    order = generator.permutation(len(lengths))
    pool = 50 * batch_size
    batches: list[list[int]] = []
    for start in range(0, len(order), pool):
        rows = order[start : start + pool]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches.extend(rows[first : first + batch_size].tolist() for first in range(0, len(rows), batch_size))
    return [batches[index] for index in generator.permutation(len(batches))]


def learning_rate_share(step: int, steps: int, warmup_steps: int) -> float:
    """Factor of the learning rate: linear from 0 over the warm-up steps, then linear to 0 at the last step."""
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    return max(0.0, (steps - step) / max(1, steps - warmup_steps))


def _said(losses: list[float]) -> str:
    return f"loss {np.mean(losses[-20:]):.3f}" if losses else ""


def train(
    *,
    options: Options,
    model: ModelOptions,
    signature: Signature,
    data_folder: Path,
    seed: int,
    unfinished: Unfinished | None = None,
    ranks: Ranks | None = None,
) -> tuple[Any, dict[str, Any]]:
    """Fine-tune on the train rows; the validation rows choose when to stop, the test rows are not read.

    Args:
        options: the `train:` section.
        model: the `model:` section.
        signature: of the prepared data.
        data_folder: prepared data.
        seed: the study's.
        unfinished: where the state of this training is kept, and found again where it was stopped; None: it is not.
        ranks: of the processes of a training on several devices this one; None: nobody started them yet.

    Returns:
        The model in evaluation mode (after early stopping: of the best epoch), and the history by epoch with what that model
        answers on the validation rows.

    Raises:
        ArtifactError: the checkpoint or the prepared data is not what it should be.
        PipelineError: CUDA was asked for and is absent, or the loss became infinite.
    """
    import torch

    if ranks is None and options.devices is not None and options.devices > 1:
        return train_on_several(options=options, model=model, signature=signature, data_folder=data_folder, seed=seed)
    ranks = ranks or ALONE
    device, batch_size = ranks.device(options.device), options.batch_size * ranks.count
    if options.device == "cuda" and not torch.cuda.is_available():
        raise PipelineError(
            asked="fine-tune on cuda",
            happened=f"PyTorch {torch.__version__} sees no CUDA device",
            affected="this job; no model was trained",
            fix="set train.device to cpu, or run where a GPU is",
        )
    torch.manual_seed(seed)
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(mode=True, warn_only=options.device == "cuda")
    longest = check_split(data_folder, "train")["max_tokens"]
    preprocessor = data_folder / PREPROCESSOR_FOLDER
    network = initial_model(model, signature, preprocessor, longest=longest, fresh_head=True).to(device)
    called = ranks.wrapped(network)
    train_split = read_split(data_folder / "train.parquet", signature)
    validation = read_split(data_folder / "validation.parquet", signature)
    every_row = np.arange(len(validation))
    lengths = row_lengths(train_split, signature)
    steps_per_epoch = math.ceil(len(lengths) / batch_size)
    steps = steps_per_epoch * options.epochs
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    warmup_steps = int(steps * options.warmup_share)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_share(step, steps, warmup_steps))
    task = task_of(signature.labels)
    history: list[dict[str, Any]] = []
    best: tuple[float, dict[str, Any], Numbers] | None = None
    called.train()
    if ranks.count > 1:
        torch.manual_seed(seed + ranks.rank)  # what is dropped out differs by process

    def batches() -> Iterator[tuple[int, list[int]]]:
        for epoch in range(options.epochs):
            generator = np.random.default_rng([seed, epoch])
            for rows in epoch_order(lengths, batch_size, generator):
                yield epoch, rows

    losses: list[float] = []
    step = 0

    def current() -> dict[str, Any]:
        return {
            "step": step,
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "generator": torch.get_rng_state(),
            "cuda_generators": torch.cuda.get_rng_state_all() if options.device == "cuda" else [],
            "losses": losses,
            "history": history,
            "best": None if best is None else [best[0], best[1], torch.from_numpy(best[2])],
        }

    before = None if unfinished is None else unfinished.read()
    if before is not None:
        step, losses, history = before["step"], before["losses"], before["history"]
        network.load_state_dict(before["network"])
        optimizer.load_state_dict(before["optimizer"])
        schedule.load_state_dict(before["schedule"])
        if before["best"] is not None:
            best = before["best"][0], before["best"][1], before["best"][2].numpy()
        torch.set_rng_state(before["generator"])
        if options.device == "cuda":
            torch.cuda.set_rng_state_all(before["cuda_generators"])
    loop = islice(batches(), step, None)
    loss_now = partial(_said, losses)
    for epoch, rows in progress(loop, total=steps, description="fine_tune", done=step, beside=loss_now):
        own, weight = ranks.share(rows)
        tensors = collate(train_split, np.asarray(own), signature, sequence_length=None)
        inputs = {name: torch.from_numpy(array).to(device) for name, array in tensors.items()}
        labels = torch.from_numpy(labels_of(train_split, own, signature)).to(device)
        with torch.autocast(options.device, torch.bfloat16, enabled=options.precision == "bfloat16"):
            logits = called(**inputs).logits
        loss = weight * task.loss(logits.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            raise PipelineError(
                asked=f"fine-tune for {options.epochs} epochs",
                happened=f"the loss became {losses[-1]} at step {len(losses)} of epoch {epoch + 1}",
                affected="this job; no checkpoint was written",
                fix="lower train.learning_rate",
            )
        step += 1
        if len(losses) < steps_per_epoch:
            if unfinished is not None:
                unfinished.write(current)
            continue
        answered = answers_of(
            network, validation, every_row, signature, batch_size=4 * options.batch_size, device=device
        )
        network.train()
        accuracy = ranks.agreed(task.figure(answered, validation.labels))
        history.append(
            {"epoch": epoch + 1, "train_loss": ranks.mean(float(np.mean(losses))), "validation_accuracy": accuracy}
        )
        print(history[-1])
        losses.clear()
        if options.early_stopping_patience is None:
            continue
        if best is None or accuracy > best[0]:
            state = {name: value.detach().clone() for name, value in network.state_dict().items()}
            best = accuracy, state, answered
        best_epoch = max(history, key=lambda row: row["validation_accuracy"])["epoch"]
        if epoch + 1 - best_epoch >= options.early_stopping_patience:
            break
    if best is not None:
        network.load_state_dict(best[1])
        answered = best[2]
    several = {} if ranks.count == 1 else {"devices": ranks.count, "effective_batch_size": batch_size}
    return network.to("cpu").eval(), {
        **several,
        "epochs": history,
        "stopped_early": len(history) < options.epochs,
        "validation": answered.tolist(),
    }
