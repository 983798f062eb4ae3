"""Checkpoints: weights, optimizer and progress, so that a killed run can go on with the same result."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.optim import Optimizer


@dataclass
class Progress:
    epoch: int = 0
    step: int = 0
    best: float = -1.0  # validation's score
    best_epoch: int = 0
    minutes: float = 0.0  # minutes of all finished epochs, also of those before the run was killed
    history: list[dict[str, float]] = field(default_factory=list)


def write(file: Path, progress: Progress, modules: Mapping[str, nn.Module], optimizer: Optimizer) -> None:
    """Writes one safetensors file, and replaces the old one atomically. Its header holds the progress."""
    tensors = {
        f"{name}.{key}": value
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": value for key, value in state.items()}
    part = file.with_suffix(".part")
    save_file(tensors, part, metadata={"progress": orjson.dumps(asdict(progress)).decode()})
    os.replace(part, file)


def restore(file: Path, modules: Mapping[str, nn.Module], optimizer: Optimizer) -> Progress | None:
    """None if there is no checkpoint."""
    if not file.is_file():
        return None
    with safe_open(file, framework="pt") as stored:
        progress = Progress(**orjson.loads(stored.metadata()["progress"]))
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    for name, module in modules.items():
        module.load_state_dict({key: tensors[f"{name}.{key}"] for key in module.state_dict()})
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return progress
