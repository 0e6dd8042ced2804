"""What would stop an audit after hours of work, found before it: model files, the checkpoint, the device, the cues."""

from collections.abc import Sequence

from audit.config import Config, model_folder
from audit.cues.registry import choose_detectors, missing_cues
from audit.given import require_outputs
from audit.modelfiles import require
from audit.models import load_backbone
from audit.progress import track
from audit.runtime import choose_runtime


def require_ready(config: Config, classes: Sequence[str] | None = None) -> None:
    """Raise what a later stage would raise about the settings and this machine, whatever the photographs are.

    With the dataset's ``classes``, a given classifier must have an output for each. Raises ConfigError,
    MissingModelFile or ModelFileError.
    """
    with track("checking the settings", unit=""):
        choose_runtime(config)
        _require_detectors(config)
        given = load_backbone(config).given
        if given is not None and classes is not None:
            require_outputs(given.classes, classes)


def _require_detectors(config: Config) -> None:
    """Cues that this machine cannot look for are left out, as the audit leaves them out."""
    left_out = missing_cues(config.cues)
    sought = config.model_copy(update={"cues": [name for name in config.cues if name not in left_out]})
    for model in dict.fromkeys(model for detector in choose_detectors(sought) for model in detector.models):
        require(model_folder(config), model.name)
