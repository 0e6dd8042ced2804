import json
import re

import pytest

from tests.bench.coverage import main as measure_coverage
from tests.bench.figures import Column, Figure, command
from tests.bench.tables import filled, read

_COLUMNS = (Column("of"), Column("share", ".2f"))


def _figure(rows, **changes):
    return Figure(**{
        "command": "c", "machine": "m", "date": "d", "origin": "measured", "commit": "abc", "columns": _COLUMNS,
        "rows": rows, **changes,
    })  # fmt: skip


def test_a_figure_comes_back_as_it_was_written(tmp_path):
    figure = _figure((("cats", {"count": 3, "of": 4, "low": 0.3, "high": 0.95}), ("dogs", None)), notes=("One note.",))
    figure.write(tmp_path / "one.json")
    assert Figure.read(tmp_path / "one.json") == figure
    assert list(figure.markdown()) == [
        "| of | share |",
        "|---|---|",
        "| cats | 3 of 4 [0.30, 0.95] |",
        "| dogs |  |",
        "",
        "* One note.",
        "",
        "*By `c`, d, m, commit abc.*",
    ]


def test_a_row_with_a_cell_too_few_is_told(tmp_path):
    _figure((("cats",),)).write(tmp_path / "one.json")
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'one.json'}: every row needs 2 cells")):
        Figure.read(tmp_path / "one.json")


def test_a_document_gets_its_tables_and_what_is_edited_by_hand_is_undone(tmp_path):
    _figure((("cats", 0.5),), origin="README of old", commit=None).write(tmp_path / "one.json")
    text = filled("Before.\n\n<!-- figures: one -->\n<!-- end -->\n\nAfter.\n", tmp_path)
    assert "| cats | 0.50 |" in text and text.startswith("Before.\n") and text.endswith("\nAfter.\n")
    assert "Taken from the README of old." in text
    assert filled(text, tmp_path) == text
    assert filled(text.replace("0.50", "0.97"), tmp_path) == text


def test_a_cell_can_quote_another_figure(tmp_path):
    _figure((("cats", 0.5), ("dogs", 0.25))).write(tmp_path / "one.json")
    cell = {"figures": "one", "row": "dogs", "column": "share"}
    _figure((("a quarter", cell),)).write(tmp_path / "two.json")
    assert read(tmp_path, "two").rows == (("a quarter", "0.25"),)


def test_a_command_does_not_tell_where_things_lie_on_this_machine():
    given = ["x/speed.py", "--audit", "--data=/home/ada/sets", "--out", "/var/tmp/a b", "--figures=docs/figures"]
    told = command(given)
    assert told.startswith("python -m tests.bench.speed --audit") and "ada" not in told and "/var" not in told
    assert "figures" not in told


def test_a_benchmark_writes_its_figures_with_what_is_known_of_the_run(tmp_path, capsys):
    measure_coverage(["--repetitions", "20", "--only", "gap, large cells", "--figures", str(tmp_path)])
    tree = json.loads((tmp_path / "coverage-scenarios.json").read_text("utf-8"))
    assert tree["origin"] == "measured" and tree["machine"] and re.fullmatch(r"\d{4}-\d\d-\d\d", tree["date"])
    (row,) = tree["rows"]
    assert row[:2] == ["gap, large cells", 20] and f"{row[2]['value']:6.1%}" in capsys.readouterr().out
