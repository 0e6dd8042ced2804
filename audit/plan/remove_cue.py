"""Taking a cue out of one photograph for good: borders are cut off, marks painted over, anything else is blurred.

``masked_copy.py`` does so for all photographs of an audit. Hiding a cue only to ask the model is ``occlude.py``.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from audit.detectors.cue import Cue, Mask
from audit.detectors.marks.border import find_border
from audit.detectors.photo import LONGEST, Pixels
from audit.plan.plan_json import How

# Frames inside frames that are cut off, the outermost first.
_FRAMES = 4
_GROWN = 0.008
_RADIUS = 3


def way_to_mask(cue: Cue, irrelevant: Sequence[str]) -> How | None:
    """How a cue can be taken out of photographs; None where it must not be, or has no place in the picture.

    Only marks that somebody put on the picture may be masked, and what the dataset's owner declared ``irrelevant``: of
    any other cue nobody knows whether the answer lies in it. A look is never masked alone, since a place that is masked
    wherever it has one look would give that look away.
    """
    if not cue.has_place or cue.kind == "appearance" or not (cue.role == "mark" or cue.name in irrelevant):
        return None
    if cue.name == "border":
        return "crop"
    return "inpaint" if cue.role == "mark" else "blur"


def retouch(pixels: Pixels, mask: Mask, how: How) -> Pixels:
    """A copy of uint8 RGB pixels (h, w, 3) without what ``mask`` (h, w) covers; borders are found again, not masked."""
    if how == "crop":
        return crop_border(pixels)
    return inpaint(pixels, mask) if how == "inpaint" else blur(pixels, mask)


def crop_border(pixels: Pixels) -> Pixels:
    """What lies inside the bars and frames of a picture (h, w, 3).

    Bars are found as the detector finds them, in a picture of 512 pixels; one line more is cut off, since the last line
    of a bar may be half picture. The proportions change with the bars and may still tell of them.
    """
    for _ in range(_FRAMES):
        small = shrunk(pixels)
        scale = len(pixels) / len(small)
        runs = find_border(small)
        top, bottom, left, right = (int(np.ceil((run.lines + 1) * scale)) if run.lines else 0 for run in runs)
        if not top + bottom + left + right:
            break
        pixels = pixels[top : len(pixels) - bottom, left : pixels.shape[1] - right]
    return pixels.copy()


def inpaint(pixels: Pixels, mask: Mask) -> Pixels:
    """What a mask (h, w) covers, painted over from its surroundings (Telea 2004); the rest is untouched.

    The mask is grown by 0.8 % of the long side: letters have soft edges and shadows.
    """
    reach = 2 * max(2, round(_GROWN * max(mask.shape))) + 1
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8))
    return np.asarray(cv2.inpaint(pixels, grown, _RADIUS, cv2.INPAINT_TELEA), np.uint8)


def blur(pixels: Pixels, mask: Mask) -> Pixels:
    """What a mask (h, w) covers, blurred until only broad colours are left; the rest is untouched.

    The Gaussian's sigma is a quarter of the longer side of the mask's box.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return pixels.copy()
    sigma = (max(np.ptp(rows), np.ptp(columns)) + 1) / 4
    return np.where(mask[:, :, None], cv2.GaussianBlur(pixels, (0, 0), sigma), pixels).astype(np.uint8)


def shrunk(pixels: Pixels) -> Pixels:
    """The picture as the detectors see it, its long side at most 512 pixels."""
    scale = LONGEST / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    shrunk = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(shrunk)
