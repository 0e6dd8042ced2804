"""Choosing device and precision, and the input that torchvision's VGG expects."""

import ctypes
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from audit.config import parse_config
from audit.errors import ConfigError
from audit.model import device as runtime
from audit.model.device import Runtime, choose_runtime, fast_bfloat16, in_halves

CPU = torch.device("cpu")


def settings(**compute: object):
    return parse_config({"compute": compute}).compute


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def processor(monkeypatch, **probes: bool) -> None:
    """Pretend that torch's probes of the processor answer so; the others do not exist, as in old releases."""
    named = {f"_is_{name}": (lambda answer=answer: answer) for name, answer in probes.items()}
    monkeypatch.setattr(runtime.torch, "cpu", SimpleNamespace(**named))


@pytest.mark.parametrize(
    ("probes", "fast"),
    [
        ({"avx512_bf16_supported": True}, True),
        ({"amx_tile_supported": True, "avx512_bf16_supported": False}, True),
        ({"amx_tile_supported": False, "avx512_bf16_supported": False}, False),
        ({}, False),
    ],
)
def test_auto_takes_bfloat16_only_where_the_processor_has_it(monkeypatch, no_gpu, probes, fast):
    processor(monkeypatch, **probes)
    assert fast_bfloat16(CPU) is fast
    assert choose_runtime(settings()) == Runtime(CPU, "bfloat16" if fast else "float32")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_explicit_precision_is_taken_as_it_is(monkeypatch, no_gpu, precision):
    processor(monkeypatch)
    assert choose_runtime(settings(precision=precision)).precision == precision


def test_cuda_without_a_gpu_is_refused(no_gpu):
    with pytest.raises(ConfigError, match=r"compute\.device: cuda"):
        choose_runtime(settings(device="cuda"))


@pytest.mark.parametrize(("capability", "precision"), [((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")])
def test_auto_takes_the_gpu_and_what_it_multiplies_fast(monkeypatch, capability, precision):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_runtime(settings()) == Runtime(torch.device("cuda"), precision)
    assert choose_runtime(settings(device="cpu", precision="float32")) == Runtime(CPU, "float32")


def test_normalise_equals_torchvision_s_formula_and_leaves_the_pixels_alone():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
    before = pixels.copy()
    tensor = Runtime(CPU, "float32").normalise(pixels)
    expected = (pixels.astype(np.float64) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(tensor.numpy(), expected.transpose(0, 3, 1, 2), atol=1e-6)
    assert tensor.dtype == torch.float32 and tensor.is_contiguous(memory_format=torch.channels_last)
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_autocast_governs_convolutions_inside_the_block_alone(precision):
    convolution, picture = torch.nn.Conv2d(3, 2, 3), torch.rand(1, 3, 8, 8)
    with torch.no_grad(), Runtime(CPU, precision).autocast():
        inside = convolution(picture)
    assert inside.dtype == getattr(torch, precision)
    assert convolution(picture).dtype == torch.float32


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_infer_computes_in_the_chosen_precision_and_returns_float32_without_gradients(precision):
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 3))
    inputs = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    output = Runtime(torch.device("cpu"), precision).infer(layers, inputs)
    exact = layers.double()(inputs.double()).float()
    assert output.dtype == torch.float32 and not output.requires_grad
    assert torch.allclose(output, exact, atol=1e-5) == (precision == "float32")
    assert torch.allclose(output, exact, atol=0.05)


def test_infer_without_layers_gives_what_enters():
    inputs = torch.rand(1, 3, 2, 2)
    assert torch.equal(Runtime(torch.device("cpu"), "bfloat16").infer(torch.nn.Sequential(), inputs), inputs)


def test_to_device_takes_views_that_are_not_contiguous():
    array = np.arange(12.0).reshape(3, 4)[:, ::-1]
    assert np.array_equal(Runtime(CPU, "float32").to_device(array).numpy(), array)


def test_a_batch_that_is_too_large_is_halved_until_it_fits():
    sizes = []

    def double(batch):
        sizes.append(len(batch))
        if len(batch) > 3:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return torch.from_numpy(2 * batch)

    batch = np.arange(10)
    assert in_halves(double, batch).tolist() == (2 * batch).tolist()
    assert sizes == [10, 5, 2, 3, 5, 2, 3]


def test_a_single_image_that_is_too_large_is_an_error():
    def refuse(batch):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.cuda.OutOfMemoryError):
        in_halves(refuse, np.arange(4))


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="only the GNU C library is told")
def test_freed_activations_are_used_again_instead_of_asked_from_the_kernel():
    """A buffer above 32 MiB costs a page fault for each of its pages every time, unless freed memory is kept."""
    script = (
        "import resource, sys, torch\n"
        "from audit.model.device import keep_freed_memory\n"
        "if sys.argv[1] == 'keep': keep_freed_memory()\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "def ask():\n"
        "    before = faults()\n"
        "    torch.ones(2**24)\n"
        "    return faults() - before\n"
        "print(min(ask() for _ in range(12)))\n"
    )
    given, kept = (
        int(subprocess.run([sys.executable, "-c", script, how], capture_output=True, check=True, text=True).stdout)
        for how in ("default", "keep")
    )
    assert given > 1000 and kept < given / 10
