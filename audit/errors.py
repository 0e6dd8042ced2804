"""Every error that bias-audit raises on purpose. Each message says what is wrong and what to do about it."""


class BiasAuditError(Exception):
    """Base of all errors raised on purpose; its text is one or two sentences for a user."""


class ConfigError(BiasAuditError):
    """A setting is unknown, of the wrong type or out of range."""


class DatasetError(BiasAuditError):
    """The photographs, the folder or the manifest cannot be audited."""


class ChangedImage(DatasetError):
    """A photograph of the audit is no longer the file that was fingerprinted; ``reason`` says what it is instead."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return (
            f"{self.path}: {self.reason}; put back the file that was audited, or run the audit again: it begins with "
            "the photographs as they are now."
        )


class RejectedImage(BiasAuditError):
    """One file is not a usable photograph; the audit lists it and goes on."""


class MissingModelFile(BiasAuditError):
    """A model file is not in the cache folder; the text names the command that fetches it."""


class ModelFileError(BiasAuditError):
    """A model file is there, but is not what it should be (checksum, shapes, format)."""


class AuditFolderError(BiasAuditError):
    """An audit folder is in use, unfinished, of another version, or damaged."""


class OutputError(BiasAuditError):
    """A place to write is taken, cannot be written, or lies among what is only read."""


class StageError(BiasAuditError):
    """A stage failed; the text names the stage and, where known, the image or file."""
