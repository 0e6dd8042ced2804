"""dataset.json: what the dataset stage says of the photographs as a whole, and of files that were not taken."""

from audit.records import Count, Record, newer


class RefusedFile(Record):
    """A file that was not taken, and why."""

    path: str
    reason: str


class DatasetSummary(Record):
    """The content of ``dataset.json``.

    ``classes`` are sorted; ``digest`` covers what the images are, not how they fall into folds;
    ``possible_group`` says in words what suggests that several photographs show one subject, and is empty where nothing
    does or subjects are known;
    ``cross_class_duplicates`` are the paths of every duplicate group that has more than one label, ``uniform`` those of
    the photographs of a single colour, by class.
    """

    name: str
    root: str
    classes: tuple[str, ...]
    attributes: tuple[str, ...]
    n_images: Count
    n_rejected: Count
    digest: str
    cross_class_duplicates: tuple[tuple[str, ...], ...]
    n_duplicates: Count
    possible_group: str | None = newer()
    uniform: dict[str, tuple[str, ...]] | None = newer()
    warnings: tuple[str, ...]
