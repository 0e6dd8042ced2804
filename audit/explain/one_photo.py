"""Explanation of one image by the model of a finished audit."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from audit.cam.gradcam import GradCAM, counterfactual
from audit.cam.guided_backprop import guided_backprop, guided_grad_cam
from audit.cam.heatmap import lay_heat, relief
from audit.config import Config, load_config
from audit.data.dataset import Dataset, load_dataset
from audit.data.decode import decode_photo, decode_square
from audit.data.outputs import Inputs, require_picture
from audit.data.photo_file import CHANGED, PhotoFile, content_digest, read_content
from audit.errors import AuditFolderError, ChangedImage, ConfigError, RejectedImage
from audit.model.activation_store import ActivationStore
from audit.model.cross_fit import fold_path, load_fold
from audit.model.device import choose_runtime
from audit.model.network import Network, load_backbone
from audit.steps import finished_record_of
from audit.store.audit_folder import AuditFolder, file_digest
from audit.text import at_most_ten, printable

Method = Literal["gradcam", "guided", "guided-gradcam", "counterfactual"]
_LONGEST = 960


@dataclass(frozen=True)
class PhotoExplanation:
    """The model's prediction for one image, with its map or gradients drawn over it.

    ``label`` is the class that ``image`` explains, ``confidence`` the model's in it; ``predicted`` is its own answer.
    """

    image: Image.Image
    label: str
    confidence: float
    predicted: str


def explain_picture(
    folder: AuditFolder, path: Path, method: Method = "gradcam", label: str | None = None
) -> PhotoExplanation:
    """Explain an image, one of the dataset or another, for a class or, by default, for the model's own answer.

    An image of the dataset is explained by the model that did not train on it, another image by the first fold's.
    What decides is the content: a copy of an image elsewhere is that image.

    Computed in float32. Raises AuditFolderError for a folder without a trained model or with a damaged one,
    RejectedImage naming the file for an image that cannot be read, ConfigError for a class that the audit does not
    have, and ChangedImage where the dataset has another image at this place, since its model may have trained on
    what the image was made of.
    """
    _require_trained(folder)
    config, dataset = load_config(folder.config), load_dataset(folder)
    content = _read(path, config.dataset.max_megapixels)
    network = _network(folder, config, dataset, _held_out_fold(dataset, path, content_digest(content)))
    if label is not None and label not in dataset.classes:
        names = at_most_ten(map(printable, dataset.classes))
        raise ConfigError(f"The audit has no class '{printable(label)}'; its classes are {names}.")
    pixels = _pixels(content, path, config).to(next(network.parameters()).device)
    with torch.no_grad():
        probabilities = network(pixels).softmax(1)[0]
    predicted = int(probabilities.argmax())
    chosen = predicted if label is None else dataset.classes.index(label)
    image = _draw(_attribute(network, pixels, chosen, method), content, config.dataset.max_megapixels)
    return PhotoExplanation(image, dataset.classes[chosen], float(probabilities[chosen]), dataset.classes[predicted])


def require_place(folder: AuditFolder, path: Path, out: Path) -> None:
    """Raise OutputError unless the explanation of the image ``path`` may be written to ``out``.

    Raises AuditFolderError for a folder without a trained model.
    """
    _require_trained(folder)
    require_picture(out, Inputs.of_audit(folder).with_file(path))


def _require_trained(folder: AuditFolder) -> None:
    if not fold_path(folder, 0).exists():
        raise AuditFolderError(f"{folder.path}: holds no trained model; name the folder of a finished audit.")


def _require_as_trained(folder: AuditFolder, fold: int) -> None:
    path, record = fold_path(folder, fold), finished_record_of("training", folder)
    expected = record.outputs.get(folder.relative(path)) if record else None
    if not path.exists() or expected not in (None, file_digest(path)):
        raise AuditFolderError(f"{path}: missing or damaged, not as the training left it; run the audit again.")


def _network(folder: AuditFolder, config: Config, dataset: Dataset, fold: int) -> Network:
    runtime = replace(choose_runtime(config.compute), precision="float32")
    store = ActivationStore(folder, dataset, config, load_backbone(config).on(runtime), runtime)
    _require_as_trained(folder, fold)
    return load_fold(store, fold)


def _held_out_fold(dataset: Dataset, path: Path, digest: str) -> int:
    """The fold of the image with the same bytes; the first for an image that the audit does not know."""
    replaced = [file for file in _files_at(dataset, path) if file.sha256 != digest]
    if replaced:
        raise ChangedImage(str(path), CHANGED)
    same = np.flatnonzero(dataset.images["sha256"] == digest)
    return int(dataset.folds[same[0]]) if len(same) else 0


def _files_at(dataset: Dataset, path: Path) -> list[PhotoFile]:
    """The images of the dataset, at most one but for links, that are the very file at ``path``."""
    names = {path.name, path.resolve().name}
    candidates = [image for image, name in enumerate(dataset.images["path"]) if Path(name).name in names]
    files = [dataset.file_of(image) for image in candidates]
    return [file for file in files if file.path.exists() and file.path.samefile(path)]


def _read(path: Path, max_megapixels: float) -> bytes:
    try:
        return read_content(path, max_megapixels)
    except RejectedImage as error:
        raise RejectedImage(f"{path}: {error}.") from None


def _pixels(content: bytes, path: Path, config: Config) -> torch.Tensor:
    try:
        pixels = decode_square(content, config.model.image_size, config.dataset.max_megapixels)
    except RejectedImage as error:
        raise RejectedImage(f"{path}: {error}.") from None
    return choose_runtime(config.compute).normalise(pixels[None])


def _attribute(network: Network, pixels: torch.Tensor, chosen: int, method: Method) -> NDArray[np.float32]:
    """A signed map (h, w), or a gradient by the pixels (H, W, 3)."""
    target, cam = torch.tensor([chosen]), GradCAM(network, "tail")
    match method:
        case "gradcam":
            tensor = cam(pixels, target).maps[0, 0]
        case "counterfactual":
            tensor = counterfactual(cam(pixels, target).maps)[0, 0]
        case "guided":
            tensor = guided_backprop(network, pixels, target)[0, 0].permute(1, 2, 0)
        case "guided-gradcam":
            tensor = guided_grad_cam(cam, pixels, target)[0, 0].permute(1, 2, 0)
    attribution: NDArray[np.float32] = tensor.cpu().numpy()
    return attribution


def _draw(attribution: NDArray[np.float32], content: bytes, max_megapixels: float) -> Image.Image:
    photo = decode_photo(content, max_megapixels, _LONGEST).image
    if attribution.ndim == 2:
        return lay_heat(photo, attribution)
    return relief(attribution).resize(photo.size, Image.Resampling.BILINEAR)
