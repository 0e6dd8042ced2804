"""How long Grad-CAM takes here, beside a bare forward pass and beside captum, torchcam and pytorch-grad-cam.

    python -m tests.bench.speed                      one class per picture
    python -m tests.bench.speed --classes 10
    python -m tests.bench.speed --audit              an audit beside the pipeline that people write by hand

All contenders run in one process, on the same VGG-16 (torchvision's, random weights) and the same batch, in turn, so
that whatever else the machine does falls on all of them alike: first with the C library as it comes, as a user of the
peers has it, then with freed memory kept, as an audit has it (``audit.model.device.keep_freed_memory``). Needs
``pip install -e .[bench]`` and no network.
"""

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM as PytorchGradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torchcam.methods import GradCAM as TorchCAM
from torchvision.models import vgg16

from audit.cam.gradcam import GradCAM
from audit.config import Config, parse_config
from audit.data.decode import load_square
from audit.demo.dataset import draw_demo
from audit.model.device import Runtime, fast_bfloat16, keep_freed_memory
from audit.model.network import load_backbone
from audit.stages import STAGES, run_stage
from audit.store.audit_folder import AuditFolder
from tests.bench.figures import Column, add_option, save, table_lines

LAYER = "features.29"
CPU = torch.device("cpu")
SAME_WORK = ("dataset", "features", "training", "explain")
Work = Callable[[], object]


def main() -> None:
    """Read the command line and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=1, help="classes explained per picture")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--audit", action="store_true", help="time an audit of drawn photographs instead")
    parser.add_argument("--images", type=int, default=128, help="how many of them")
    add_option(parser)
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, bfloat16 {fast_bfloat16(CPU)}")
    if options.audit:
        compare_audits(options.images, options.figures)
    else:
        compare_maps(options.classes, options.batch, options.rounds, options.figures)


def compare_maps(classes: int, batch: int, rounds: int, figures: Path | None) -> None:
    """Print the median milliseconds per picture of every contender, and how many times ours that is."""
    torch.manual_seed(0)
    model = vgg16(weights=None).eval()
    pictures = torch.randn(batch, 3, 224, 224)
    chosen = torch.randint(1000, (batch, classes))
    works = contenders(model, pictures, chosen)
    as_it_comes = in_turn(works, rounds)
    keep_freed_memory()
    kept = in_turn(works, rounds)
    ours = statistics.median(kept["ours, fast"])
    about = (
        f"{classes} classes per picture, batch {batch}, {rounds} rounds: medians of the milliseconds per picture, from "
        "the least to the most, and how many times those of “ours, fast” with freed memory kept."
    )
    rows = [(name, *_cells(as_it_comes[name], ours, batch), *_cells(kept[name], ours, batch)) for name in works]
    print(about, *table_lines(COLUMNS, rows), sep="\n")
    save(figures, "speed", COLUMNS, rows, [about])


COLUMNS = (
    Column("work"),
    Column("as it comes, ms", ".1f"),
    Column("times", ".2f"),
    Column("freed memory kept, ms", ".1f"),
    Column("times", ".2f"),
)


def _cells(seconds: list[float], ours: float, batch: int) -> tuple[dict[str, float], float]:
    low, middle, high = (1000 * summary(seconds) / batch for summary in (min, statistics.median, max))
    return {"value": middle, "low": low, "high": high}, statistics.median(seconds) / ours


def contenders(model: nn.Module, pictures: Tensor, chosen: Tensor) -> dict[str, Work]:
    """Every way to explain the chosen classes (N, K); "fast": channels-last, weights and all in bfloat16 if it pays."""
    last = pictures.contiguous(memory_format=torch.channels_last)
    quick, quick_pictures = _fast(model, last)
    cam, quick_cam = (GradCAM(one, LAYER) for one in (model, quick))

    def bare(network: nn.Module, inputs: Tensor) -> None:
        with torch.no_grad():
            network(inputs)

    def explain_captum(network: nn.Module, inputs: Tensor) -> None:
        captum = LayerGradCam(network, network.get_submodule(LAYER))
        for column in chosen.T:
            captum.attribute(inputs, target=column)

    def explain_torchcam() -> None:
        with TorchCAM(model, LAYER) as extractor:
            scores = model(pictures)
            for column in chosen.T:
                extractor(column.tolist(), scores, retain_graph=True)

    def explain_pytorch_grad_cam() -> None:
        with PytorchGradCAM(model=model, target_layers=[model.get_submodule(LAYER)]) as extractor:
            for column in chosen.T:
                extractor(pictures, [ClassifierOutputTarget(int(k)) for k in column])

    return {
        "bare forward, float32": lambda: bare(model, pictures),
        "bare forward, float32 channels-last": lambda: bare(model, last),
        "bare forward, fast": lambda: bare(quick, quick_pictures),
        "ours, fast": lambda: quick_cam(quick_pictures, chosen),
        "ours, float32": lambda: cam(pictures, chosen),
        "captum, fast": lambda: explain_captum(quick, quick_pictures),
        "captum, float32": lambda: explain_captum(model, pictures),
        "torchcam, float32": explain_torchcam,
        "pytorch-grad-cam, float32": explain_pytorch_grad_cam,
    }


def _fast(model: nn.Module, pictures: Tensor) -> tuple[nn.Module, Tensor]:
    """A copy of the model, and the pictures, channels-last and in bfloat16 where this CPU is faster with it."""
    dtype = torch.bfloat16 if fast_bfloat16(CPU) else torch.float32
    quick = copy.deepcopy(model).to(dtype).to(memory_format=torch.channels_last)
    return quick, pictures.to(dtype)


def in_turn(works: dict[str, Work], rounds: int) -> dict[str, list[float]]:
    """Seconds of every round of every work; a first round, which warms up, is left out."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - started)
    return {name: values[1:] for name, values in seconds.items()}


def compare_audits(images: int, figures: Path | None, epochs: int = 5) -> None:
    """Print the seconds of an audit's stages and of a naive pipeline's epochs of head training and Grad-CAM."""
    with tempfile.TemporaryDirectory() as place:
        photos = draw_demo(Path(place) / "drawn", images).train
        paths = sorted(photos.rglob("*.jpg"))
        tree = {"dataset": {"photos": str(photos)}, "model": {"fine_tune": "head"}, "training": {"epochs": epochs}}
        config = parse_config(tree)
        naive = naive_pipeline(paths, config, epochs)
        stages = audit_seconds(AuditFolder(Path(place) / "audit"), config)
    same, whole = sum(stages[name] for name in SAME_WORK), sum(stages.values())
    columns = (Column("work"), Column(f"{len(paths)} photographs, s", ".1f"), Column("times less", ".1f"))
    rows = [
        ("naive pipeline, one model, one map each", naive, None),
        ("the audit's stages for that, 3 models, 2 maps", same, naive / same),
        ("the whole audit, with cues and evidence", whole, naive / whole),
        *((f"… {name}", seconds, None) for name, seconds in stages.items()),
    ]
    print(*table_lines(columns, rows), sep="\n")
    save(figures, "speed-audit", columns, rows)


def audit_seconds(folder: AuditFolder, config: Config) -> dict[str, float]:
    """Wall time of each stage."""
    return {stage.name: run_stage(stage, folder, config).seconds for stage in STAGES}


def naive_pipeline(paths: list[Path], config: Config, epochs: int) -> float:
    """Seconds to decode and pass all through the network in every epoch of a head, and then pytorch-grad-cam."""
    trunk = load_backbone(config).trunk.to(memory_format=torch.contiguous_format)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 2))
    model = nn.Sequential(trunk, head)
    labels = torch.tensor([path.parent.name == paths[0].parent.name for path in paths], dtype=torch.int64)
    optimizer = torch.optim.Adam(head.parameters())
    batches = torch.arange(len(paths)).split(8)
    started = time.perf_counter()
    for _ in range(epochs):
        for rows in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(_read(paths, rows, config)), labels[rows]).backward()
            optimizer.step()
    model.requires_grad_(True)
    with PytorchGradCAM(model=model, target_layers=[trunk[-1]]) as cam:
        for rows in batches:
            cam(_read(paths, rows, config), [ClassifierOutputTarget(int(label)) for label in labels[rows]])
    return time.perf_counter() - started


def _read(paths: list[Path], rows: Tensor, config: Config) -> Tensor:
    pixels = np.stack([load_square(paths[int(row)], config.model.image_size) for row in rows])
    return Runtime(CPU, "float32").normalise(pixels).contiguous()


if __name__ == "__main__":
    main()
