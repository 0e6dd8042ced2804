"""Records with nothing in them but what a test is about."""

from collections.abc import Sequence

from audit.findings.audit_json import AuditRecord
from audit.findings.finding import Finding
from audit.measures.figures import Figures

NOTHING = {"value": None, "low": None, "high": None, "p": None, "p_adjusted": None, "n": 0, "reason": "Not measured."}
KINDS = ("prevalence", "attention", "leakage", "effect", "gap")


def bare_figures(**measured: dict) -> Figures:
    """Evidence of which only these kinds were measured, each as far as is said."""
    return Figures.model_validate({kind: NOTHING | measured.get(kind, {}) for kind in KINDS})


def bare_finding(**said: object) -> Finding:
    """A finding that says these things."""
    tree = {
        "id": "F1",
        "cue": "hair",
        "cue_kind": "detector",
        "words": "the hair",
        "label": "nurse",
        "severity": "medium",
        "sentence": "Something was found.",
        "in_data": "strong",
        "in_model": "weak",
        "in_data_sentence": "Yes: it is.",
        "in_model_sentence": "A little: it does.",
        "evidence": bare_figures(),
        "exemplars": (),
        "counter_exemplars": (),
        "cluster": None,
        "recommendation": (),
    }
    return Finding.model_validate(tree | said)


def bare_record(audit_id: str, created: str, findings: Sequence[Finding]) -> AuditRecord:
    """An audit of two photographs in which nothing was measured."""
    share = {"value": 1.0, "low": 0.3, "high": 1.0, "n": 2}
    figures = {"cost": "", "left": "", "sentence": "Made up."}
    return AuditRecord.model_validate(
        {
            "schema_version": 2,
            "audit_id": audit_id,
            "created": created,
            "tool": {"name": "bias-audit", "version": "0"},
            "versions": {},
            "dataset": {
                "name": "people",
                "root": "/photos",
                "n_images": 2,
                "n_rejected": 0,
                "attributes": (),
                "n_duplicates": 0,
                "cross_class_duplicates": (),
                "warnings": (),
                "digest": "",
                "classes": {"doctor": 1, "nurse": 1},
                "rejected": (),
            },
            "model": {
                "weights": "",
                "weights_sha256": "",
                "arch": "tiny",
                "fine_tune": "head",
                "head": "gap",
                "folds": 2,
                "accuracy": share,
                "majority_share": 0.5,
                "confusion": {"classes": ("doctor", "nurse"), "counts": ((1, 0), (0, 1))},
                "per_class": {"doctor": share, "nurse": share},
                "worst_groups": (),
                "empty_maps": {"n": 0, "share": 0.0},
            },
            "sanity": {"trusted": True, "sentence": "All is well.", "checks": ()},
            "seconds": {},
            "peak_memory_mb": 0,
            "config": {},
            "findings": tuple(findings),
            "severity_table": (),
            "strength_rules": (),
            "cues": (),
            "looks": (),
            "clusters": (),
            "failures": (),
            "plan": {
                "cells": (),
                "weights": "plan/weights.csv",
                "effective_n": 2.0,
                "ways": {
                    "collect": figures | {"possible": True, "images": 0, "findings": (), "cells": ()},
                    "drop": figures | {"possible": True, "images": 0, "findings": (), "file": "plan/drop.csv"},
                    "weight": figures
                    | {"possible": True, "findings": (), "effective_n": 2.0, "file": "plan/weights.csv"},
                    "mask": figures | {"possible": False, "images": 0, "cues": ()},
                },
                "files": (),
            },
            "self_audit": {"status": "not_run", "sentence": "", "null": None, "power": None, "left_out": ()},
            "limits": (),
            "former": None,
        }
    )
