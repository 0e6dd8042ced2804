"""What strangers name cannot steer the terminal, and progress says how far and how fast."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from audit.progress import reporting_to, track
from flows import terminal
from flows.terminal import Bars, Lines, blanked, facts_table, findings_table, reporter, say_error
from tests.bare_records import bare_finding

HOSTILE = "[bold red]cat[/] \x1b[2J\x07\r\nnext \u202eevil\ud800[link=file:///x]y[/link]"


def console(terminal=False):
    return Console(file=io.StringIO(), force_terminal=terminal, width=200, color_system=None)


def printed(console):
    return console.file.getvalue()


@given(st.text())
def test_clean_text_has_no_control_characters(text):
    cleaned = blanked(text)
    assert len(cleaned) == len(text)
    assert cleaned.isprintable() or any(letter.isspace() for letter in cleaned)
    cleaned.encode()


def test_a_findings_table_shows_hostile_names_as_text():
    finding = bare_finding(severity="not_enough_data", label=HOSTILE, words="[/]", sentence="50 % [of] them")
    out = console()
    out.print(findings_table([finding]))
    assert "[bold red]cat[/]" in printed(out)
    assert "[link=file:///x]y[/link]" in printed(out)
    assert "not enough data" in printed(out)
    assert "50 % [of] them" in printed(out)
    assert not set("\x1b\x07\r\u202e") & set(printed(out))


def test_a_facts_table_takes_any_value():
    out = console()
    out.print(facts_table("Images", ("class", "n"), [(HOSTILE, 3)]))
    assert "[bold red]cat[/]" in printed(out) and "3" in printed(out)


def test_an_error_keeps_its_lines_and_loses_its_controls(capsys):
    say_error("one \x1b[31m[red]\ntwo")
    assert capsys.readouterr().err == "one  [31m[red]\ntwo\n"


@pytest.fixture
def clock(monkeypatch):
    """Time in seconds, moved by hand."""
    now = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    return now


def test_without_a_terminal_long_work_speaks_every_ten_seconds(clock):
    out = console()
    with reporting_to(Lines(out)), track("explain", unit=""), track("looking", 100) as advance:
        for _ in range(50):
            clock[0] += 0.5
            advance(2)
    assert printed(out).splitlines() == [
        "looking: 40 of 100 images, 4.0 images/s, 15 s left",
        "looking: 80 of 100 images, 4.0 images/s, 5 s left",
        "explain: 25.0 s",
    ]


@pytest.mark.parametrize("kind", ["lines", "bars"])
def test_failed_work_is_not_told_as_done(kind):
    out = console()
    with pytest.raises(ZeroDivisionError), terminal._progress(out) as progress:
        listener = Lines(out) if kind == "lines" else Bars(progress)
        with reporting_to(listener), track("explain", unit=""):
            _ = 1 / 0
    assert "explain" not in printed(out)


def test_a_terminal_gets_bars_with_amount_and_a_line_per_finished_stage():
    out = console(terminal=True)
    with terminal._progress(out) as progress, reporting_to(Bars(progress)):
        with track("explain [red]", unit=""), track("looking", 4) as advance:
            advance(3)
            progress.refresh()
        assert "3/4 images" in printed(out)
        Bars(progress).note("[bold]note\x1b[2J")
    assert "✓ explain [red]" in printed(out)
    assert "[bold]note [2J" in printed(out)


def test_quiet_says_nothing(capsys):
    with reporter(quiet=True) as listener, reporting_to(listener), track("explain", 1) as advance:
        advance(1)
        listener.note("word")
    assert capsys.readouterr() == ("", "")


def test_pytest_is_no_terminal_so_the_reporter_writes_lines(capsys):
    with reporter() as listener:
        assert isinstance(listener, Lines)
        with reporting_to(listener), track("explain", 1):
            pass
    assert capsys.readouterr().err == "explain: 0.0 s\n"
