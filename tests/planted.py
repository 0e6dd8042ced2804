"""Drawn datasets with a known shortcut, and small audits of them with the tiny network."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from audit.config import Config, dump_config, parse_config
from audit.run.manifest import write_manifest
from audit.stages import STAGES, run_stage
from audit.store.audit_folder import AuditFolder, write_text

SIDE = 64
STICKER = (40, 60, 230)


def draw_dataset(root: Path, per_class: int = 40, sticker: tuple[float, float] = (0.9, 0.1), seed: int = 0) -> Path:
    """Discs and squares of any colour on noise; a blue sticker in the top left corner of a share of each class.

    Returns a manifest with the attribute ``sticker`` (yes, no) and an attribute ``coin`` that means nothing.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for label, share in zip(("disc", "square"), sticker, strict=True):
        (root / label).mkdir(parents=True, exist_ok=True)
        marked = rng.permutation(per_class) < round(share * per_class)
        for number in range(per_class):
            path = f"{label}/{number:03d}.png"
            draw_picture(label, bool(marked[number]), rng).save(root / path)
            rows.append((path, label, "yes" if marked[number] else "no", rng.choice(["heads", "tails"])))
    manifest = root / "images.csv"
    with manifest.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([("path", "label", "sticker", "coin"), *rows])
    return manifest


def draw_picture(label: str, marked: bool, rng: np.random.Generator) -> Image.Image:
    """One picture: a disc or a square somewhere in the middle, with or without the sticker."""
    picture = Image.fromarray(rng.integers(90, 166, (SIDE, SIDE, 3), dtype=np.uint8))
    draw = ImageDraw.Draw(picture)
    x, y = rng.integers(24, 40, 2)
    box = [x - 10, y - 10, x + 10, y + 10]
    colour = tuple(int(value) for value in rng.integers(60, 200, 3))
    (draw.ellipse if label == "disc" else draw.rectangle)(box, fill=colour)
    if marked:
        draw.rectangle([3, 3, 15, 15], fill=STICKER)
    return picture


def tiny_config(manifest: Path, **settings: object) -> Config:
    """Settings of a fast audit: the tiny network, 64 pixels, no detector that needs a model file."""
    tree: dict[str, object] = {
        "dataset": {"manifest": str(manifest)},
        "model": {"arch": "tiny", "image_size": SIDE, "fine_tune": "head"},
        "training": {"folds": 2, "epochs": 12, "batch_size": 16, "head_learning_rate": 0.01},
        "compute": {"workers": 0, "device": "cpu", "precision": "float32"},
        "evidence": {"resamples": 200, "permutations": 200, "effect_images": 16},
        "cues": ["border"],
        "self_audit": {"permutations": 0, "power_images": 0},
    }
    return parse_config({**tree, **settings})


def run_audit(folder: Path, config: Config, until: str = "record") -> AuditFolder:
    """Do all stages up to one of them, in this process."""
    audit = AuditFolder(folder)
    for stage in STAGES:
        run_stage(stage, audit, config)
        if stage.name == until:
            return audit
    raise ValueError(until)


def finished_audit(folder: Path, config: Config) -> AuditFolder:
    """All stages done, settings and manifest written: what ``bias-audit run`` leaves, but for the report."""
    audit = run_audit(folder, config)
    write_text(audit.config, dump_config(config))
    write_manifest(audit, STAGES)
    return audit
