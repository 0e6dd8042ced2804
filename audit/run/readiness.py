"""Checks before an audit of what would stop it later: model files, the checkpoint, the device, the cues.

PyTorch takes longer to import than the rest takes to look, so it is imported only where an answer needs it.
"""

from collections.abc import Sequence

from audit.config import ComputeConfig, Config, model_folder
from audit.detection.registry import choose_detectors
from audit.progress import track
from audit.store.model_files import TORCHVISION_NAME, VGG16, ModelFile, is_intact, require


def require_ready(config: Config, classes: Sequence[str] | None = None) -> None:
    """Raise what a later stage would raise about the settings and this machine, whatever the images are.

    With the dataset's ``classes``, a given classifier must have an output for each. Raises ConfigError,
    MissingModelFile or ModelFileError.
    """
    with track("checking the settings", unit=""):
        _require_device(config.compute)
        for model in _models_needed(config):
            require(model_folder(config), model.name)
        if not _is_ready_as_fetched(config):
            _require_model(config, classes)


def _models_needed(config: Config) -> list[ModelFile]:
    """The files of the chosen detectors and readers.

    What only an option of ``fetch`` brings comes first: it brings the others, too, so that one command is enough.
    """
    models = dict.fromkeys(model for detector in choose_detectors(config) for model in detector.models)
    return sorted(models, key=lambda model: not model.asked_by)


def _require_device(settings: ComputeConfig) -> None:
    if settings.device == "cuda":
        from audit.model.device import choose_runtime

        choose_runtime(settings)


def _is_ready_as_fetched(config: Config) -> bool:
    """Whether the model is one that needs no more than the file of ``bias-audit fetch``, and that is intact."""
    model, folder = config.model, model_folder(config)
    if model.checkpoint is not None or model.weights is not None:
        return False
    if model.arch == "tiny":
        return True
    return model.arch == "vgg16" and not (folder / TORCHVISION_NAME).exists() and is_intact(folder, VGG16)


def _require_model(config: Config, classes: Sequence[str] | None) -> None:
    from audit.model.checkpoint import require_outputs
    from audit.model.network import load_backbone

    given = load_backbone(config).given
    if given is not None and classes is not None:
        require_outputs(given.classes, classes)
