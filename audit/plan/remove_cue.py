"""Removal of a cue from one image: borders are cropped, marks inpainted, anything else is blurred.

``masked_copy.py`` does so for all images of an audit. Occluding a cue only to ask the model is ``occlude.py``.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from audit.detectors.cue import Cue, Mask
from audit.detectors.marks.border import find_border
from audit.detectors.photo import LONGEST, Pixels
from audit.plan.plan_json import Removal

# Frames inside frames that are cut off, the outermost first.
_FRAMES = 4
_GROWN = 0.008
_RADIUS = 3


def allowed_removal(cue: Cue, irrelevant: Sequence[str]) -> Removal | None:
    """How a cue may be taken out of images; None where it must not be, or has no place in the image.

    Only marks that somebody put on the image may be masked, and what the dataset's owner declared ``irrelevant``: of
    any other cue nobody knows whether the answer lies in it. A look or an attribute of a region is never masked alone,
    since a place that is masked wherever it has one look would give that look away.
    """
    is_all_of_its_place = cue.has_place and cue.whole == cue.name
    if not is_all_of_its_place or not (cue.role == "mark" or cue.name in irrelevant):
        return None
    if cue.name == "border":
        return "crop"
    return "inpaint" if cue.role == "mark" else "blur"


def retouch(pixels: Pixels, mask: Mask, removal: Removal) -> Pixels:
    """A copy of uint8 RGB pixels (h, w, 3) without the cue under ``mask`` (h, w).

    ``crop`` finds borders again and does not use the mask.
    """
    if removal == "crop":
        return crop_border(pixels)
    return inpaint(pixels, mask) if removal == "inpaint" else blur(pixels, mask)


def crop_border(pixels: Pixels) -> Pixels:
    """An image (h, w, 3) cropped to what lies inside its bars and frames.

    Bars are found as the detector finds them, in an image of 512 pixels; one line more is cut off, since the last line
    of a bar may be half image. The proportions change with the bars and may still tell of them.
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
    """The pixels under a mask (h, w) painted over from its surroundings (Telea 2004); the rest is untouched.

    The mask is grown by 0.8 % of the long side: letters have soft edges and shadows.
    """
    kernel_side = 2 * max(2, round(_GROWN * max(mask.shape))) + 1
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((kernel_side, kernel_side), np.uint8))
    return np.asarray(cv2.inpaint(pixels, grown, _RADIUS, cv2.INPAINT_TELEA), np.uint8)


def blur(pixels: Pixels, mask: Mask) -> Pixels:
    """The pixels under a mask (h, w) blurred until only broad colours are left; the rest is untouched.

    The Gaussian's sigma is a quarter of the longer side of the mask's box.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return pixels.copy()
    sigma = (max(np.ptp(rows), np.ptp(columns)) + 1) / 4
    return np.where(mask[:, :, None], cv2.GaussianBlur(pixels, (0, 0), sigma), pixels).astype(np.uint8)


def shrunk(pixels: Pixels) -> Pixels:
    """The image as the detectors see it, its long side at most 512 pixels."""
    scale = LONGEST / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    shrunk = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(shrunk)
