"""A fabricated audit folder: drawn pictures, made-up maps and figures, every key that audit.json promises."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from safetensors.numpy import save_file

from audit.config import Config
from audit.detection.detections import DETECTIONS_PER_SHARD, shard_path
from audit.detectors.cue import GRID
from audit.detectors.mask_grid import pack_masks
from audit.store.audit_folder import AuditFolder, file_digest, write_json, write_table
from audit.store.tensors import save_tensors

CUES = {
    "hair": ("the hair", "part", "detector"),
    "watermark": ("the watermark at the lower right", "part", "detector"),
    "face": ("the face", "part", "detector"),
    "gender": ("gender = female", "scene", "attribute"),
    "person": ("the person", "subject", "detector"),
    "clothing": ("the clothing", "part", "detector"),
    "background": ("the background", "scene", "detector"),
    "cluster-3": ("unnamed cue 3: top left, blue, small", "part", "cluster"),
    "border": ("the border", "scene", "detector"),
}
FILE_CUES = {"file.format=PNG": ("the file format PNG", "file", "file")}
SEVERITIES = ("high", "high", "medium", "medium", "cleared", "expected", "cleared", "low", "not_enough_data")
READ = "© agency <b>"
REASON = "Only 4 distinct images of the class show the cue; 6 more would do."


@dataclass(frozen=True)
class Wish:
    """What to fabricate. ``files`` photographs are drawn, ``n`` are listed; ``names`` replace the first file names."""

    classes: tuple[str, ...] = ("doctor", "nurse")
    n: int = 60
    files: int = 24
    findings: int = 9
    clusters: int = 4
    exemplars: int = 6
    severities: tuple[str, ...] = SEVERITIES
    names: tuple[str, ...] = ()
    words: str | None = None
    verified: tuple[str, ...] = ("weight", "collect")
    size: tuple[int, int] = (320, 240)
    texture: float = 0.0
    file_cues: bool = False

    @property
    def cues(self) -> dict[str, tuple[str, str, str]]:
        """Words, role and kind of every cue; facts of the file are the last ones."""
        return CUES | FILE_CUES if self.file_cues else CUES


def make_audit(root: Path, wish: Wish | None = None, seed: int = 0) -> AuditFolder:
    """Fabricate everything that a report is made from, below ``root``: ``photos/`` and ``audit/``."""
    wish, rng = wish or Wish(), np.random.default_rng(seed)
    folder = AuditFolder(root / "audit")
    images = _images(wish)
    for row in images.head(wish.files).itertuples():
        draw_photo(root / "photos" / row.path, wish, row.label == wish.classes[-1], rng)
    images["sha256"] = [
        file_digest(path) if (path := root / "photos" / name).exists() else "" for name in images["path"]
    ]
    write_table(folder.images, pd.concat([images, _rejected()]))
    peaks = _write_maps(folder, wish.n, rng)
    _write_tables(folder, images, wish, peaks, rng)
    record = make_record(root / "photos", images, wish, rng)
    _write_detections(folder, record, wish.n, rng)
    write_json(folder.record, record)
    write_json(folder.findings, record["findings"])
    for strategy in wish.verified if {"high", "medium"} & {one["severity"] for one in record["findings"]} else ():
        _write_verification(folder, strategy, record, rng)
    return folder


def draw_photo(path: Path, wish: Wish, second: bool, rng: np.random.Generator) -> None:
    """A person before a wall; the second class has long hair and green clothes."""
    width, height = wish.size if rng.random() < 0.7 else wish.size[::-1]
    wall, skin = rng.integers(140, 225, 3), np.array([232, 190, 160]) * rng.uniform(0.45, 1.0)
    picture = Image.new("RGB", (width, height), tuple(map(int, wall)))
    draw = ImageDraw.Draw(picture)
    unit, x = min(width, height) / 10, width * rng.uniform(0.35, 0.65)
    y = height * 0.32
    draw.rectangle((0, height * rng.uniform(0.6, 0.85), width, height), fill=tuple(map(int, wall * 0.7)))
    hair = tuple(map(int, np.array([70, 45, 30]) * rng.uniform(0.4, 2.2)))
    draw.ellipse((x - 2 * unit, y - 2.3 * unit, x + 2 * unit, y + (3.2 if second else 0.4) * unit), fill=hair)
    coat = (70, 150, 140) if second else (240, 242, 245)
    draw.rounded_rectangle((x - 3 * unit, y + 2.4 * unit, x + 3 * unit, height + unit), 1.5 * unit, fill=coat)
    draw.ellipse((x - 1.5 * unit, y - 1.7 * unit, x + 1.5 * unit, y + 2.2 * unit), fill=tuple(map(int, skin)))
    noise = rng.normal(0, wish.texture, (height // 4, width // 4, 3)) if wish.texture else np.zeros((1, 1, 3))
    layer = Image.fromarray(np.clip(128 + noise, 0, 255).astype(np.uint8)).resize(picture.size)
    path.parent.mkdir(parents=True, exist_ok=True)
    textured = np.asarray(picture).astype(int) + np.asarray(layer) - 128
    Image.fromarray(np.clip(textured, 0, 255).astype(np.uint8)).save(path, "JPEG", quality=88)


def _images(wish: Wish) -> pd.DataFrame:
    labels = [wish.classes[i % len(wish.classes)] for i in range(wish.n)]
    names = [wish.names[i] if i < len(wish.names) else f"{i:04}.jpg" for i in range(wish.n)]
    return pd.DataFrame(
        {
            "image": np.arange(wish.n, dtype=np.int32),
            "path": [f"class{wish.classes.index(a)}/{b}" for a, b in zip(labels, names, strict=True)],
            "label": labels,
            "fold": np.arange(wish.n, dtype=np.int8) % 3,
            "rejected": "",
        }
    )


def _rejected() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image": np.int32([-1]),
            "path": "x/broken.jpg",
            "label": "x",
            "fold": np.int8([-1]),
            "rejected": "truncated",
            "sha256": "",
        }
    )


def _write_maps(folder: AuditFolder, n: int, rng: np.random.Generator) -> np.ndarray:
    """Maps with one bump each (the last image's is empty); returns the bumps' centres (n, 2), y and x in [0, 1]."""
    grid = (np.mgrid[:14, :14] + 0.5) / 14
    peaks = rng.uniform(0.2, 0.8, (n, 2))
    folder.explain.mkdir(parents=True)
    for fold in range(3):
        images = np.arange(fold, n, 3, dtype=np.int32)
        for part, some in enumerate(np.array_split(images, max(1, len(images) // 128))):
            distance = ((grid[None] - peaks[some][:, :, None, None]) ** 2).sum(1)
            maps = (9 * np.exp(-distance / 0.03) - 0.5 + rng.normal(0, 0.3, distance.shape)).astype(np.float16)
            maps[some == n - 1] = -1
            tensors = {"image": some, "label_map": maps, "predicted_map": maps[:, ::-1].copy()}
            save_file(tensors, folder.explain / f"fold-{fold}-{part:05}.safetensors")
    return peaks


def _write_detections(folder: AuditFolder, record: dict[str, Any], n: int, rng: np.random.Generator) -> None:
    """Every detector found a square somewhere in every image."""
    cues = [
        {"name": cue["name"], "words": cue["words"], "role": cue["role"], "kind": "detector", "within": ""}
        for cue in record["cues"]
        if cue["kind"] == "detector"
    ]
    masks = np.zeros((n, len(cues), GRID, GRID), bool)
    for image in range(n):
        for place in range(len(cues)):
            y, x = rng.integers(0, GRID - 20, 2)
            masks[image, place, y : y + 20, x : x + 20] = True
    ones = np.ones((n, len(cues)), np.float32)
    tensors = {"image": np.arange(n, dtype=np.int32), "present": ones.astype(np.uint8), "score": ones, "area": ones / 8}
    write_json(folder.detections / "detectors.json", {"grid": GRID, "cues": cues, "versions": {}, "not_looked_for": {}})
    for shard, start in enumerate(range(0, n, DETECTIONS_PER_SHARD)):
        some = {
            name: tensor[start : start + DETECTIONS_PER_SHARD]
            for name, tensor in (tensors | {"masks": pack_masks(masks)}).items()
        }
        save_tensors(shard_path(folder, shard), some, {"text": []})


def _write_tables(
    folder: AuditFolder, images: pd.DataFrame, wish: Wish, peaks: np.ndarray, rng: np.random.Generator
) -> None:
    number = images["image"].to_numpy()
    boxes = np.clip(np.concatenate([peaks[:, ::-1] - 0.15, peaks[:, ::-1] + 0.15], axis=1), 0, 1)
    regions = pd.DataFrame(boxes.astype(np.float32), columns=["x0", "y0", "x1", "y1"])
    regions.insert(0, "region", number)
    regions.insert(1, "image", number)
    write_table(folder.regions, regions.assign(mass=np.float32(0.6)))
    write_table(folder.clusters, pd.DataFrame({"region": number, "cluster": number % max(1, wish.clusters)}))
    rows = [
        (fold, epoch, 0.7 * 0.8**epoch, 1 - 0.45 * 0.7**epoch, 0.7 * 0.85**epoch + 0.05, 0.9 - 0.4 * 0.6**epoch)
        for fold in range(3)
        for epoch in range(8 - fold)
    ]
    columns = ["fold", "epoch", "loss", "accuracy", "validation_loss", "validation_accuracy"]
    training = pd.DataFrame(rows, columns=columns)
    write_table(folder.training, training.assign(best=training["epoch"] == 4))


def make_record(root: Path, images: pd.DataFrame, wish: Wish, rng: np.random.Generator) -> dict[str, Any]:
    """audit.json as the contract has it, all figures made up."""
    paths = images["path"].tolist()[: wish.files]
    findings = _findings(wish, paths, rng)
    config = Config().model_dump(mode="json")
    config["report"]["exemplars"] = wish.exemplars
    return {
        "schema_version": 2,
        "audit_id": "20261123-2250-doctor-nurse",
        "created": "2026-11-23T22:50:00+00:00",
        "tool": {"name": "bias-audit", "version": "0.1.0"},
        "versions": {"python": "3.11.9", "torch": "2.14.1", "torchvision": "0.29.1", "prefect": "3.8.8"},
        "dataset": _dataset(root, wish, paths),
        "model": _model(wish),
        "sanity": {
            "trusted": True,
            "sentence": "The attention maps passed their checks.",
            "checks": [_check(name, wish) for name in ("randomisation", "occlusion", "empty")],
        },
        "seconds": {"dataset": 3.2, "detect": 14.8, "features": 61.0, "training": 22.1, "explain": 75.3, "record": 0.1},
        "peak_memory_mb": 2140,
        "config": config,
        "findings": findings,
        "severity_table": [
            {"severity": "high", "rule": "Strong in the data and strong in the model."},
            {"severity": "medium", "rule": "Strong in one of the two."},
            {"severity": "low", "rule": "Weak in at least one of the two."},
            {"severity": "cleared", "rule": "Measured, and neither in the data nor in the model."},
        ],
        "strength_rules": ["Strong is what is far above chance."],
        "cues": [_cue(name, wish, paths) for name in wish.cues],
        "looks": [_looks(wish, paths)],
        "clusters": [_cluster(i, wish, paths) for i in range(wish.clusters)],
        "failures": [_failure(path, images, wish) for path in _some(paths, wish.findings * 12, 12)],
        "plan": {
            "cells": [cell for finding in findings[:4] for cell in _cells(finding, wish)],
            "weights": "plan/weights.csv",
            "effective_n": wish.n * 0.61,
            "ways": _ways(findings, wish, paths),
            "files": ["plan/weights.csv", "plan/drop.csv", "plan/shopping-list.csv", "plan/plan.json"],
        },
        "former": _former(findings, wish),
        "self_audit": _self_audit(wish),
        "limits": [
            "Only the kinds of content listed above were looked for.",
            "The findings hold for this model; another network may lean on other things.",
        ],
    }


def _self_audit(wish: Wish) -> dict[str, Any]:
    few, some = ({**_share(count / n, n), "count": count} for count, n in ((1, 40), (1, 5)))
    noticed = {"share": 0.95, "elsewhere": 0.05, "found": True, "cue": wish.words or "a border", "severity": "high"}
    missed = {"share": 0.95, "elsewhere": 0.05, "found": False, "cue": None, "severity": None}
    border = [noticed, noticed | {"share": 0.8, "elsewhere": 0.2}, missed | {"share": 0.7, "elsewhere": 0.3}]
    marks = [
        {"kind": "tint", "form": "tint", "words": "a tint", "attempts": [missed], "weakest": None},
        {"kind": "border", "form": "frame", "words": "a white frame", "attempts": border, "weakest": border[1]},
    ]
    alarms = {"high": few, "flagged": few, "audits_with_high": some, "audits_flagged": some}
    alarms["data"] = {"strong": few, "weak": few, "either": few}
    none = _share(0, 7) | {"count": 0}
    never = {"value": 0.0, "low": 0.0, "high": 1.0, "n": 0, "count": 0}
    of_model = {"permuted": {"cases": 80, "strong": few, "weak": few, "high": none}}
    of_model |= {"attributes": {"cases": 40, "strong": none, "weak": none, "high": never}}
    of_model |= {"deals": 5, "images": wish.n, "shares": [0.9, 0.5], "sentence": "The model was said to use 1 of 40."}
    alarms["model"] = of_model
    counts = {"high": 1, "low": 3, "cleared": 36}
    sentences = ("1 of 40 verdicts came out high.", "We would have noticed a white frame.")
    return {
        "status": "done",
        "sentence": " ".join(sentences),
        "null": {"sentence": sentences[0], "audits": 5, "images": wish.n, "counts": counts, **alarms},
        "power": {
            "sentence": sentences[1],
            "n": 40,
            "images": wish.n,
            "classes": list(wish.classes[:2]),
            "marks": marks,
            "coverage": "Tried were a border in 1 of 2. Not tried: a pale sticker.",
        },
        "left_out": ["The trials train the last layer only."],
    }


def _check(name: str, wish: Wish) -> dict[str, Any]:
    figures = {"value": 0.2, "low": 0.1, "high": 0.3, "n": wish.n, "limit": 0.5, "passed": True, "steps": {"head": 0.2}}
    return {"name": name, "question": f"Is {name} as it should be?", "sentence": f"By {name}, all is well.", **figures}


def _some(paths: Sequence[str], start: int, n: int) -> list[str]:
    return [paths[(start + i) % len(paths)] for i in range(min(n, len(paths)))]


def _dataset(root: Path, wish: Wish, paths: Sequence[str]) -> dict[str, Any]:
    return {
        "name": "doctor-nurse",
        "root": str(root),
        "n_images": wish.n,
        "n_rejected": 1,
        "classes": {name: len(range(i, wish.n, len(wish.classes))) for i, name in enumerate(wish.classes)},
        "attributes": ["gender"],
        "rejected": [{"path": "x/broken.jpg", "reason": "the file is truncated: its end is missing"}],
        "n_duplicates": 3,
        "cross_class_duplicates": [list(paths[:2])],
        "uniform": {wish.classes[0]: list(paths[:12])},
        "warnings": ["One photograph appears under two labels."],
        "digest": "ab" * 32,
    }


def _share(value: float, n: int) -> dict[str, Any]:
    reach = 1.0 / n**0.5
    return {"value": value, "low": max(0.0, value - reach), "high": min(1.0, value + reach), "n": n}


def _write_verification(folder: AuditFolder, strategy: str, record: dict[str, Any], rng: np.random.Generator) -> None:
    """Weights help, new photographs do not for certain; the last photograph is not looked at before."""
    findings = [finding for finding in record["findings"] if finding["severity"] in ("high", "medium")]
    paths = list(dict.fromkeys(path for finding in findings for path in finding["exemplars"][:2]))[:8]
    helped = strategy == "weight"
    place = folder / "verification" / strategy
    place.mkdir(parents=True)
    maps = rng.random((2, len(paths), 14, 14)).astype(np.float32)
    if paths:
        maps[0, -1] = 0
    save_file({"before": maps[0], "after": maps[1]}, place / "maps.safetensors")
    change = {
        "before": 0.61,
        "after": 0.68,
        "difference": 0.07,
        "low": 0.02 if helped else -0.03,
        "high": 0.12,
        "n": 60,
    }
    changes = {"balanced": change, "worst_cell": change, "gap": change, "attention": change, "effect": None}
    names = list(record["dataset"]["classes"])
    verification = {
        "schema_version": 2,
        "findings_sha256": file_digest(folder.findings),
        "strategy": strategy,
        "created": "2026-11-24T08:00:00+00:00",
        "seeds": 5,
        "folds": 3,
        "images": {"n": 60, "dropped": 0, "added": dict.fromkeys(names, 30 * (not helped)), "effective_n": 36.6},
        "source": None if helped else "/new",
        "refused": []
        if helped
        else [{"path": paths[0], "reason": f"a copy of {paths[0]}, on which a model is tested"}],
        "verdict": "helped" if helped else "unclear",
        "sentence": "It helped: 68 % instead of 61 %." if helped else "It cannot be told that it helped.",
        "overall": {"accuracy": change, "balanced": change},
        "balanced_fully": helped,
        "findings": [
            {key: finding[key] for key in ("id", "cue", "words", "class", "severity")}
            | changes
            | {
                "worst": {
                    when: {"words": f"{names[0]}, with {finding['words']}", "n": 6} for when in ("before", "after")
                }
            }
            for finding in findings
        ],
        "pictures": paths,
    }
    write_json(place / "verification.json", verification)


def _model(wish: Wish) -> dict[str, Any]:
    k = len(wish.classes)
    counts = [[(8 * wish.n // 10 if i == j else wish.n // 5) // k for j in range(k)] for i in range(k)]
    return {
        "arch": "vgg16",
        "weights": "The convolutions of the Oxford VGG-16, trained on ImageNet; from the cache folder.",
        "weights_sha256": "cd" * 32,
        "fine_tune": "conv5",
        "head": "gap",
        "folds": 3,
        "accuracy": _share(0.874, wish.n),
        "majority_share": 1 / k,
        "confusion": {"classes": list(wish.classes), "counts": counts},
        "per_class": {name: _share(0.9 - 0.05 * i / k, wish.n // k) for i, name in enumerate(wish.classes)},
        "worst_groups": [
            {"cue": "hair", "words": "the hair", "class": name, "present": i > 0, "accuracy": _share(0.61, 28)}
            for i, name in enumerate(wish.classes[:2])
        ],
        "balanced": [
            {
                "finding": "F1",
                "cue": "hair",
                "words": wish.words or "the hair",
                "effective_n": 36.6,
                "plain": 0.87,
                "p": None,
            }
            | _share(0.79, wish.n),
            {"finding": "F2", "cue": "face", "words": "the face", "value": None, "low": None, "high": None, "p": None}
            | {"n": wish.n, "reason": REASON},
        ],
        "empty_maps": {"n": 1, "share": 1 / wish.n},
    }


def _findings(wish: Wish, paths: Sequence[str], rng: np.random.Generator) -> list[dict[str, Any]]:
    order = ("high", "medium", "low", "not_enough_data", "expected", "cleared")
    found = [_finding(i, wish, paths, rng) for i in range(wish.findings)]
    found.sort(key=lambda finding: order.index(finding["severity"]))
    return [finding | {"id": f"F{i + 1}"} for i, finding in enumerate(found)]


def _finding(i: int, wish: Wish, paths: Sequence[str], rng: np.random.Generator) -> dict[str, Any]:
    cue = list(wish.cues)[i % len(wish.cues)]
    words, _, kind = wish.cues[cue]
    words = wish.words or words
    severity, label = (
        wish.severities[i % len(wish.severities)],
        wish.classes[-1 - i // len(wish.cues) % len(wish.classes)],
    )
    strength = {"high": 1.0, "medium": 0.6, "low": 0.3}.get(severity, 0.0)
    answers = {"high": ("strong", "strong"), "medium": ("strong", "weak"), "low": ("weak", "none")}
    in_data, in_model = ("unknown",) * 2 if severity == "not_enough_data" else answers.get(severity, ("none", "none"))
    return {
        "cue": cue,
        "cue_kind": kind,
        "words": words,
        "class": label,
        "severity": severity,
        "sentence": f"{words[0].upper()}{words[1:]} is shown more often in “{label}” and the model relies on it.",
        "in_data": in_data,
        "in_model": in_model,
        "in_data_sentence": f"{words[0].upper()}{words[1:]} is in 93 % of “{label}” and in 24 % of the others.",
        "in_model_sentence": "The model looks there 2.1 times as much as the size explains.",
        "evidence": _evidence(strength, wish.n, severity == "not_enough_data", rng),
        "exemplars": _some(paths, i * 12, wish.exemplars),
        "counter_exemplars": _some(paths, i * 12 + 6, wish.exemplars),
        "cluster": 3 if kind == "cluster" else None,
        "recommendation": [f"Collect 74 photographs of “{label}” without {words}.", "Or train with plan/weights.csv."],
    }


def _evidence(strength: float, n: int, unmeasured: bool, rng: np.random.Generator) -> dict[str, Any]:
    none = {"value": None, "low": None, "high": None, "n": 4, "p": None, "reason": REASON}
    if unmeasured:
        return {kind: dict(none) for kind in ("prevalence", "attention", "leakage", "effect", "gap")}
    wobble = float(rng.uniform(-0.03, 0.03))

    def fact(value: float, reach: float, p: float | None, **extra: Any) -> dict[str, Any]:
        return {"value": value, "low": value - reach, "high": value + reach, "n": n, "p": p, **extra}

    def under(value: float, reach: float, p: float) -> dict[str, Any]:
        return {"value": value, "low": value - reach, "high": value + reach, "p": p}

    elsewhere = {"elsewhere": 0.4 - 0.18 * strength, "elsewhere_low": 0.15, "elsewhere_high": 0.5, "elsewhere_n": n}
    p = 0.0004 if strength else 0.31
    worst = {"words": "nurse, without the hair", "accuracy": 0.61, "n": 28}
    return {
        "prevalence": fact(0.42 + 0.5 * strength + wobble, 0.04, p, **elsewhere, cramers_v=0.1 + 0.6 * strength),
        "attention": fact(1.0 + 1.4 * strength + wobble, 0.25, None, share=0.31, area=0.15),
        "leakage": fact(0.52 + 0.35 * strength + wobble, 0.05, p, rest=0.71)
        | {"control": 0.66, "control_low": 0.6, "control_high": 0.72, "above_control": 0.2},
        "effect": fact(0.01 + 0.2 * strength + wobble, 0.03, p, flip_rate=0.18 * strength, control_flip_rate=0.02)
        | {"filling": "mean", "blur": under(0.34, 0.04, p), "mean": under(0.01 + 0.2 * strength + wobble, 0.03, p)},
        "gap": fact(0.02 + 0.2 * strength, 0.09, None, together=0.93, apart=0.91 - 0.2 * strength, worst=worst)
        if strength != 0.6
        else none,
    }


def _cue(name: str, wish: Wish, paths: Sequence[str]) -> dict[str, Any]:
    words, role, kind = wish.cues[name]
    looks = {"value": 1.8, "low": 1.5, "high": 2.1, "n": 30, "p": None, "share": 0.36, "area": 0.2, "empty": 0}
    none = {"value": None, "low": None, "high": None, "n": 4, "p": None, "reason": REASON}
    shares = {label: 0.25 + 0.6 * i / len(wish.classes) for i, label in enumerate(wish.classes)}
    return {
        "name": name,
        "kind": kind,
        "role": role,
        "within": "",
        "words": wish.words or words,
        "n_present": wish.n // 2,
        "present_share": shares,
        "attention": None
        if kind in ("attribute", "file")
        else {c: none if i > 2 else looks for i, c in enumerate(wish.classes)},
        "examples": _some(paths, len(name), 3) if kind not in ("attribute", "file") else [],
        "text": [{"text": READ, "n": 3}] if name == "watermark" else [],
        **({"distribution": _distribution(wish)} if kind == "file" else {}),
    }


def _distribution(wish: Wish) -> dict[str, Any]:
    """More of the last class than of all others are PNG files."""
    counts = {label: [5, 15] if label == wish.classes[-1] else [18, 2] for label in wish.classes}
    return {"bins": ["the file format JPEG", "the file format PNG"], "counts": counts}


def _looks(wish: Wish, paths: Sequence[str]) -> dict[str, Any]:
    groups = [
        {
            "name": f"hair look {look + 1}",
            "words": f"one look of {wish.words or 'the hair'} (no. {look + 1} of 2: {mark})",
            "classes": {
                label: {"n": 7 + look + i, "share": abs(0.75 - look / 2), "examples": _some(paths, 5 * look + i, 3)}
                for i, label in enumerate(wish.classes)
            },
        }
        for look, mark in enumerate(("larger", "smaller"))
    ]
    return {"cue": "hair", "words": wish.words or "the hair", "stability": 0.93, "groups": groups}


def _cluster(i: int, wish: Wish, paths: Sequence[str]) -> dict[str, Any]:
    named = list(CUES)[i] if i < 3 else None
    return {
        "cluster": i,
        "n": max(3, wish.n // (i + 2)),
        "name": named,
        "words": CUES[named][0] if named else f"unnamed cue {i}: top left, blue, small",
        "name_share": 0.72 if named else None,
        "stability": 0.91 - 0.05 * (i % 8),
        "fixed_position": i == 3,
        "on_subject": i == 4,
        "per_class": {label: max(1, wish.n // (i + 2) // (j + 2)) for j, label in enumerate(wish.classes)},
        "exemplars": paths[i :: max(1, wish.clusters)][: wish.exemplars],
        "box": [0.3, 0.1, 0.7, 0.5],
    }


def _failure(path: str, images: pd.DataFrame, wish: Wish) -> dict[str, Any]:
    label = images.set_index("path")["label"][path]
    predicted = wish.classes[(wish.classes.index(label) + 1) % len(wish.classes)]
    return {"path": path, "label": label, "predicted": predicted, "p_label": 0.03, "p_predicted": 0.97}


def _cells(finding: dict[str, Any], wish: Wish) -> list[dict[str, Any]]:
    return [
        {
            "finding": finding["id"],
            "cue": finding["cue"],
            "words": finding["words"],
            "class": label,
            "present": present,
            "have": have,
            "need": have + add,
            "add": add,
        }
        for label in wish.classes[:2]
        for present, have, add in ((True, 41, 0), (False, 12, 74))
    ]


def _ways(findings: Sequence[dict[str, Any]], wish: Wish, paths: Sequence[str]) -> dict[str, Any]:
    """Four ways for the first findings; the third is possible in part, and the last two findings are not covered."""
    ids = [finding["id"] for finding in findings[:4]]
    orders = [
        {
            "class": label,
            "state": f"with {finding['words']}",
            "have": 12,
            "need": 12 + add,
            "add": add,
            "examples": _some(paths, 7 * add, 3),
            "sentence": f"Collect {add} photographs of “{label}” with {finding['words']}, like these.",
        }
        for finding in findings[:2]
        for label, add in zip(wish.classes[:2], (0, 118), strict=True)
    ]
    figures = {"cost": "many photographs", "left": "most photographs", "sentence": "Made up for tests."}
    masked = {"finding": "F2", "cue": "watermark", "words": "the watermark", "how": "inpaint", "images": 7}
    return {
        "collect": figures
        | {"possible": True, "images": 236, "findings": ids[:2], "not_covered": ids[2:], "unknown": 1, "cells": orders},
        "drop": figures
        | {"possible": False, "images": 0, "left_images": wish.n, "findings": ids[:2], "file": "plan/drop.csv"},
        "weight": figures
        | {"possible": False, "effective_n": wish.n * 0.61, "findings": ids, "file": "plan/weights.csv"},
        "mask": figures | {"possible": True, "images": 7, "cues": [masked]},
    }


def _former(findings: Sequence[dict[str, Any]], wish: Wish) -> dict[str, Any]:
    changed = [
        {key: finding[key] for key in ("cue", "words", "class")} | {"then": then, "now": finding["severity"]}
        for finding, then in zip(findings[:2], (None, "low"), strict=False)
    ]
    return {
        "id": "20261101-1200-doctor-nurse",
        "created": "2026-11-01T12:00:00+00:00",
        "images": {"then": 41, "now": wish.n},
        "classes": {name: {"then": 20, "now": wish.n // len(wish.classes)} for name in wish.classes},
        "accuracy": {"then": _share(0.81, 41), "now": _share(0.874, wish.n)},
        "same_settings": True,
        "findings": {"new": changed[:1], "graver": changed[1:], "milder": [], "gone": []},
    }
