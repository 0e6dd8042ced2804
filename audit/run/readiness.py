"""Checks before an audit of what would stop it later: model files, the checkpoint, the device, the cues.

PyTorch takes longer to import than the rest takes to look, so it is imported only where an answer needs it.
"""

from collections.abc import Sequence

from audit.config import ComputeConfig, Config, model_folder
from audit.detection.registry import choose_detectors, require_models
from audit.progress import track
from audit.store.model_files import TORCHVISION_NAME, VGG16, is_intact


def require_ready(config: Config, classes: Sequence[str] | None = None) -> None:
    """Raise what a later stage would raise about the settings and this machine, whatever the images are.

    With the dataset's ``classes``, a given classifier must have an output for each. Raises ConfigError,
    MissingModelFile or ModelFileError.
    """
    with track("checking the settings", unit=""):
        _require_device(config.compute)
        require_models(config, choose_detectors(config))
        if not _is_ready_as_fetched(config):
            _require_model(config, classes)


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
