"""The page that shows which photographs of a pool were picked for each order, and why."""

from dataclasses import dataclass
from pathlib import Path

from audit.config import load_config
from audit.data.photo_file import PhotoFile
from audit.errors import AuditFolderError
from audit.plan.picking.picked_json import FilledOrder, Picked, PickedPhoto, read_picked
from audit.store.audit_folder import AuditFolder, write_bytes
from reports.images import EmbeddedImages, embed_plain
from reports.render import assets, environment

# Photographs of an order that the page shows, and refused files that it lists; the rest is in the table and the record.
SHOWN, REFUSED = 60, 200
_LONGEST = 200


@dataclass(frozen=True)
class _Row:
    """An order and those of its photographs that are shown."""

    order: FilledOrder
    shown: tuple[PickedPhoto, ...]

    @property
    def more(self) -> int:
        """How many are not shown."""
        return len(self.order.photographs) - len(self.shown)

    @property
    def guessed(self) -> int:
        """How many are of a guessed class."""
        return sum(photo.probability is not None for photo in self.order.photographs)


def render_picked(folder: AuditFolder, page: Path) -> Path:
    """Write the page of the last picking for an audit to ``page`` and return that; it loads nothing from elsewhere.

    A photograph that is no longer what was looked at becomes a placeholder. Raises AuditFolderError where nothing was
    picked or the record is damaged.
    """
    picked = read_picked(folder)
    if picked is None:
        raise AuditFolderError(f"{folder.path}: nothing was picked for this audit; run 'bias-audit pick' first.")
    content = environment().get_template("picked.html").render(_context(folder, picked))
    write_bytes(page, content.encode("utf-8", "replace"))
    return page


def _context(folder: AuditFolder, picked: Picked) -> dict[str, object]:
    rows = [_Row(order, order.photographs[:SHOWN]) for order in picked.orders]
    root = Path(picked.pool)
    files = {photo.path: PhotoFile(root / photo.path, photo.sha256) for row in rows for photo in row.shown}
    max_megapixels = load_config(folder.config).dataset.max_megapixels
    return {
        "picked": picked,
        "rows": rows,
        "refused": picked.refused[:REFUSED],
        "book": EmbeddedImages(embed_plain(files, _LONGEST, max_megapixels)),
        "audit": folder.path.name,
        **assets(),
    }
