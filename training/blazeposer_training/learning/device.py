"""Choose the device and the number of CPU cores for a training."""

import os

import torch

CPU = torch.device("cpu")


def best_device() -> torch.device:
    return torch.device("cuda") if torch.cuda.is_available() else CPU


def has_bfloat16(device: torch.device) -> bool:
    """Return whether a device has instructions for bfloat16. Emulated bfloat16 is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    features = torch.cpu.get_capabilities()
    return any(features.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def share_cores(workers: int) -> None:
    """Let torch compute with all CPU cores, except one core for each worker process. The `workers` worker processes
    make the training images. A torch thread that shares a core with a worker process delays all other torch threads at
    every operation."""
    torch.set_num_threads(max(1, (os.cpu_count() or 1) - workers))
