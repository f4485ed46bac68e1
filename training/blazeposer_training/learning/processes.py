"""One training in one process, or in several that torchrun starts, each with its share of every batch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn

from blazeposer.core.errors import BlazePoserError

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Processes:
    """This process among those that train together."""

    rank: int = 0
    count: int = 1
    device: torch.device = CPU

    @property
    def first(self) -> bool:
        """Return whether this process validates, logs and saves."""
        return self.rank == 0

    def share(self, size: int) -> slice:
        """This process's rows of a batch. Raises BlazePoserError when a batch of that size cannot be shared out."""
        if size % self.count:
            raise BlazePoserError(
                f"a batch of {size} cannot be shared by {self.count} processes: change --recipe's batch"
            )
        part = size // self.count
        return slice(self.rank * part, (self.rank + 1) * part)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the processes, all in one exchange."""
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        joined = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(joined)
        joined /= self.count
        parts = joined.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


@contextmanager
def join() -> Iterator[Processes]:
    """Join the processes of torchrun's environment, if there is one; each has a GPU of its own, or all have none."""
    local = int(os.environ.get("LOCAL_RANK", 0))
    gpus = torch.cuda.device_count()
    if gpus and local >= gpus:
        raise BlazePoserError(f"process {local + 1} finds {gpus} GPUs: start torchrun with --nproc-per-node {gpus}")
    device = torch.device("cuda", local) if gpus else CPU
    if gpus:
        torch.cuda.set_device(device)
    if "WORLD_SIZE" not in os.environ:
        yield Processes(device=device)
        return
    distributed.init_process_group("nccl" if gpus else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()


def has_bfloat16(device: torch.device) -> bool:
    """Return whether a device computes in bfloat16 itself; where it does not, emulation is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    features = torch.cpu.get_capabilities()
    return any(features.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def share_cores(workers: int) -> None:
    """Compute with this process's part of the cores, less one for each worker.

    A worker needs a core of its own: threads that share one with it make all others wait at every operation.
    """
    cores = (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    torch.set_num_threads(max(1, cores - workers))
