"""Device and precision of the network: the same code for a laptop's CPU and for a GPU."""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audit.config import ComputeConfig
from audit.errors import ConfigError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# malloc.h of the GNU C library.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 2**30


@dataclass(frozen=True)
class Runtime:
    """A device and the precision of convolutions on it; heads, maps and losses are always float32."""

    device: torch.device
    precision: Literal["float32", "bfloat16"]

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """Run convolutions inside the block in the chosen precision."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            yield

    def infer(self, layers: nn.Module, inputs: Tensor) -> Tensor:
        """Output of some layers, float32, without gradients; convolutions in the chosen precision."""
        with torch.no_grad(), self.autocast():
            outputs: Tensor = layers(inputs)
        return outputs.float()

    def to_device(self, array: NDArray[np.generic]) -> Tensor:
        """Copy an array to the device; from pinned memory and without waiting where the device is a GPU."""
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor

    def normalise(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Turn uint8 pixels (N, H, W, 3) into the float32 channels-last input (N, 3, H, W) of torchvision's VGG."""
        scaled = self.to_device(pixels).permute(0, 3, 1, 2).float().div_(255)
        mean, std = (torch.tensor(v, device=self.device).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
        return scaled.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)


def in_halves(work: Callable[[NDArray[Any]], Tensor], batch: NDArray[Any]) -> Tensor:
    """``work(batch)``; where a GPU's memory is too small for that, the halves one after the other, and so on.

    Raises OutOfMemoryError when a single image is too much.
    """
    try:
        return work(batch)
    except torch.cuda.OutOfMemoryError:
        if len(batch) == 1:
            raise
    torch.cuda.empty_cache()
    middle = len(batch) // 2
    return torch.cat([in_halves(work, batch[:middle]), in_halves(work, batch[middle:])])


def choose_runtime(settings: ComputeConfig) -> Runtime:
    """Pick the device and precision that the settings ask for, or the best this machine has under ``auto``.

    Raises ConfigError when CUDA is asked for and not available.
    """
    device_name = settings.device
    if device_name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("compute.device: cuda was asked for, but torch finds no GPU; use auto or cpu.")
    use_gpu = device_name == "cuda" or (device_name == "auto" and torch.cuda.is_available())
    if not use_gpu:
        keep_freed_memory()
    device = torch.device("cuda" if use_gpu else "cpu")
    if settings.precision == "auto":
        return Runtime(device, "bfloat16" if fast_bfloat16(device) else "float32")
    return Runtime(device, settings.precision)


@cache
def keep_freed_memory() -> None:
    """Keep freed memory in this process, up to 1 GiB at once, for its next activations.

    By default the GNU C library gives buffers of 32 MiB and more back to the kernel, which hands them out again page by
    page, zeroed: a third of the time of VGG-16's forward pass on a CPU. Other C libraries are left as they are.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware; emulation is several times slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    probes = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(probe() for probe in probes if probe is not None)
