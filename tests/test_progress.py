"""Progress reaches the listener of the block, in order, also when the work fails."""

import pytest

from audit.progress import note, reporting_to, track


class Heard:
    def __init__(self):
        self.calls = []

    def started(self, task, total, unit):
        self.calls.append(("started", task, total, unit))

    def advanced(self, count):
        self.calls.append(("advanced", count))

    def finished(self):
        self.calls.append("finished")

    def note(self, message):
        self.calls.append(("note", message))


def test_nested_work_is_told_in_order():
    heard = Heard()
    with reporting_to(heard), track("outer", 2) as advance:
        advance(1)
        with track("inner", unit="files"):
            note("a word")
    assert heard.calls == [
        ("started", "outer", 2, "images"),
        ("advanced", 1),
        ("started", "inner", None, "files"),
        ("note", "a word"),
        "finished",
        "finished",
    ]


def test_failed_work_is_finished_too():
    heard = Heard()
    with pytest.raises(ZeroDivisionError), reporting_to(heard), track("work"):
        _ = 1 / 0
    assert heard.calls[-1] == "finished"


def test_nobody_listens_outside_of_the_block():
    heard = Heard()
    with reporting_to(heard):
        pass
    with track("work", 1) as advance:
        advance(1)
    note("unheard")
    assert heard.calls == []
