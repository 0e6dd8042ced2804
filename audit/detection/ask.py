"""What detectors say about photographs: answers that are kept, and fresh ones for the rest, in order."""

from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, field, replace

from audit.config import Config
from audit.data.photo_file import PhotoFile
from audit.detection.cache import KeptAnswers, detector_key, kept_answers
from audit.detection.workers import Answers, Job, looking
from audit.detectors.cue import Detector
from audit.progress import track


@dataclass(frozen=True)
class Asked:
    """A photograph as detectors are told of it; ``seen_as`` is the SHA-256 under which answers about it are kept."""

    file: PhotoFile
    path: str
    seen_as: str


@dataclass(frozen=True)
class Questions:
    """Some photographs, and the detectors of the settings in their order.

    ``places`` are those of the detectors that are asked, all by default. A detector that has seen a photograph before,
    in whichever audit, is not asked about it again.
    """

    config: Config
    detectors: tuple[Detector, ...]
    photographs: Sequence[Asked]
    places: Collection[int] | None = None
    _keys: list[str | None] = field(init=False)

    def __post_init__(self) -> None:
        keys = [detector_key(one) if one.keepable else None for one in self.detectors]
        object.__setattr__(self, "_keys", keys)

    def answers(self, parts: Sequence[Sequence[int]], total: int) -> Generator[list[Answers], None, None]:
        """Of each part, numbers of photographs, the answers by place; what is new of it is kept before the next.

        ``total`` is how many photographs the progress counts, those that need not be looked at as done. Raises as
        ``Looker.look``.
        """
        with track("looking for cues", total) as advance, kept_answers(self.config) as known:
            jobs = self._plan(known, [image for part in parts for image in part])
            asked = [job for job in jobs.values() if job.detectors]
            advance(total - len(asked))
            with looking(self.config, len(asked)) as look:
                fresh = look(asked)
                for part in parts:
                    answers = []
                    for image in part:
                        found = next(fresh) if jobs[image].detectors else {}
                        have = self._known(known, image) | found
                        lost = tuple(place for place in self._places if place not in have)
                        again = next(iter(look([replace(jobs[image], detectors=lost)]))) if lost else {}
                        answers.append(have | again)
                        self._keep(known, image, found | again)
                        advance(bool(found))
                    yield answers
                    known.flush()

    @property
    def _places(self) -> Collection[int]:
        return range(len(self.detectors)) if self.places is None else sorted(self.places)

    def _plan(self, kept: KeptAnswers, images: Sequence[int]) -> dict[int, Job]:
        """What is to be asked about each image; planned again if what was known got lost meanwhile."""
        losses = None
        jobs: dict[int, Job] = {}
        while losses != kept.losses:
            losses = kept.losses
            jobs = {image: self._job(kept, image) for image in images}
        return jobs

    def _job(self, kept: KeptAnswers, image: int) -> Job:
        known, photo = self._known(kept, image), self.photographs[image]
        return Job(photo.file, photo.path, tuple(place for place in self._places if place not in known))

    def _keep(self, kept: KeptAnswers, image: int, found: Answers) -> None:
        keys = self._keys
        kept.keep(
            self.photographs[image].seen_as, [(key, found[p]) for p, key in enumerate(keys) if key and p in found]
        )

    def _known(self, kept: KeptAnswers, image: int) -> Answers:
        photo, keys = self.photographs[image].seen_as, self._keys
        return {p: answer for p in self._places if (key := keys[p]) and (answer := kept.get(photo, key))}
