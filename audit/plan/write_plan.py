"""The plan's files: what to collect, to leave out, to weight and to mask, so that no flagged cue predicts the class."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from audit.cues.differences import Trait
from audit.plan.inventory import EXAMPLES, Flagged, Inventory
from audit.plan.orders import JointCell
from audit.plan.plan_json import Plan, PlanCell, Ways
from audit.plan.strategies import collect, drop, mask, weight
from audit.store.audit_folder import AuditFolder, write_record, write_text

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_SHOPPING_HEADER = ("list", "class", "cue state", "have", "need", "add", *(f"example {n + 1}" for n in range(EXAMPLES)))


def write_plan(
    folder: AuditFolder,
    inventory: Inventory,
    flagged: Sequence[Flagged],
    single_cells: Sequence[PlanCell],
    marks: Sequence[Flagged] = (),
    traits: Sequence[Trait] = (),
) -> list[Path]:
    """Write ``plan/`` and return its files.

    ``weights.csv`` has path and weight, ``drop.csv`` path, class and reason, ``shopping-list.csv`` what to collect, and
    ``plan.json`` all of it with what each strategy costs. ``flagged`` are the findings to mend, gravest first,
    ``single_cells`` the cells of each finding alone, ``marks`` the findings whose cue might be masked,
    ``traits`` what is known of the images besides.
    """
    collecting, joint = collect(inventory, flagged, marks, traits)
    dropping, left_out = drop(inventory, flagged)
    weighting, weights = weight(inventory, flagged)
    paths, labels = ([str(value) for value in inventory.dataset.images[name]] for name in ("path", "label"))
    safe_paths = [safe_path(path) for path in paths]
    files = {
        "weights.csv": (("path", "weight"), zip(safe_paths, weights.round(6), strict=True)),
        "drop.csv": (
            ("path", "class", "reason"),
            [(safe_paths[image], safe_cell(labels[image]), safe_cell(reason)) for image, reason in left_out],
        ),
        "shopping-list.csv": (_SHOPPING_HEADER, _shopping_rows(joint, single_cells)),
    }
    for name, (header, rows) in files.items():
        _write_csv(folder.plan / name, header, rows)
    written = [*(folder.plan / name for name in files), folder.plan / "plan.json"]
    plan = Plan(
        cells=tuple(single_cells),
        weights="plan/weights.csv",
        effective_n=weighting.effective_n,
        weights_suffice=weighting.possible,
        ways=Ways(collect=collecting, drop=dropping, weight=weighting, mask=mask(marks)),
        files=tuple(folder.relative(path) for path in written),
    )
    write_record(folder.plan / "plan.json", plan)
    return written


def safe_path(path: str) -> str:
    """The same path, written so that no spreadsheet takes it for a formula.

    >>> safe_path("=HYPERLINK/a.jpg"), safe_path("cat/1.jpg")
    ('./=HYPERLINK/a.jpg', 'cat/1.jpg')
    """
    return f"./{path}" if path.startswith(_FORMULA_STARTS) else path


def safe_cell(value: object) -> object:
    """Text that a spreadsheet might take for a formula, with an apostrophe before it; anything else as it is."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def _shopping_rows(joint: Sequence[JointCell], single_cells: Sequence[PlanCell]) -> Iterator[tuple[object, ...]]:
    """The list for all findings together, then one for each finding alone."""
    listed: list[tuple[str, JointCell | PlanCell]] = [
        *(("together", cell) for cell in joint),
        *((cell.finding, cell) for cell in single_cells),
    ]
    for name, cell in listed:
        examples = [safe_path(path) for path in cell.examples] + [""] * (EXAMPLES - len(cell.examples))
        yield name, safe_cell(cell.label), safe_cell(cell.state), cell.have, cell.need, cell.add, *examples


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    text = io.StringIO(newline="")
    # With RFC 4180's line end, a lone carriage return in a file name is quoted and cannot begin a row of its own.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())
