"""Settings: the file in the repository is the default, mistakes are named, whatever is written can be read again."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.config import Config, dump_config, known_keys, load_config, model_folder, parse_config
from audit.errors import ConfigError

CONFIG_FILE = Path(__file__).parents[1] / "config.yaml"


def test_the_commented_file_is_the_default():
    assert load_config(CONFIG_FILE) == Config()


def test_the_commented_file_names_every_setting_in_the_tree_s_order():
    tree = yaml.safe_load(CONFIG_FILE.read_text())
    named = []
    for key, value in tree.items():
        named.append(key)
        named += [f"{key}.{inner}" for inner in value] if isinstance(value, dict) else []
    assert named == known_keys()


def test_every_section_of_the_commented_file_explains_itself():
    text = CONFIG_FILE.read_text()
    assert sum("#" in line for line in text.splitlines()) > len(known_keys()) / 2
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ({"modle": {}}, "modle: there is no such setting; the nearest is 'model'"),
        ({"model": {"finetune": "head"}}, "model.finetune: there is no such setting; the nearest is 'model.fine_tune'"),
        ({"model": {"fine_tune": "haed"}}, "model.fine_tune: Input should be 'head', 'conv5' or 'all' (found 'haed')"),
        ({"training": {"folds": 1}}, "training.folds: .*greater than or equal to 2"),
        ({"training": {"weight_decay": float("inf")}}, "training.weight_decay: .*finite"),
        ({"training": {"epochs": "many"}}, "training.epochs: "),
        ({"seed": -1}, "seed: "),
        ({"model": None}, "model: "),
    ],
)
def test_mistakes_are_named(tree, told):
    with pytest.raises(ConfigError) as caught:
        parse_config(tree)
    assert told in str(caught.value) or re.search(told, str(caught.value))


def test_every_mistake_gets_a_line_of_its_own():
    with pytest.raises(ConfigError) as caught:
        parse_config({"seed": -1, "training": {"folds": 0}})
    assert len(str(caught.value).splitlines()) == 2


def test_overrides_are_yaml_and_win_over_the_file(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("training: {epochs: 3, flips: true}\nexpected_cues: [face]\n")
    config = load_config(path, ["training.epochs=5", "training.flips=false", "expected_cues=[clothing, hair]"])
    assert (config.training.epochs, config.training.flips) == (5, False)
    assert config.expected_cues == ["clothing", "hair"]


@pytest.mark.parametrize("override", ["epochs", "=3", "training.epochs", "seed.x.y=1", "a.b={", "seed=[", "training=3"])
def test_malformed_overrides_are_refused(override):
    with pytest.raises(ConfigError):
        load_config(None, [override])


def test_an_override_inside_a_value_is_refused():
    with pytest.raises(ConfigError, match="'seed' is not a section"):
        load_config(None, ["seed=1", "seed.deeper=2"])


@pytest.mark.parametrize("override", ["dataset=5", "dataset=null", "dataset=[1]"])
def test_a_section_that_is_no_section_is_refused_also_beside_photographs(override):
    with pytest.raises(ConfigError, match="dataset"):
        load_config(None, [override], photos=Path("photos"))


@pytest.mark.parametrize("content", ["- a\n", "a: [", "\x00", "5"])
def test_files_that_are_no_settings_are_refused(tmp_path, content):
    path = tmp_path / "c.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"c\.yaml"):
        load_config(path)


def test_missing_and_empty_files(tmp_path):
    with pytest.raises(ConfigError, match=r"no\.yaml: cannot be read"):
        load_config(tmp_path / "no.yaml")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert load_config(tmp_path / "empty.yaml") == Config()


def test_photographs_of_the_command_line_replace_those_of_the_file(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("dataset: {manifest: a.csv, image_root: b, min_side: 40}\n")
    dataset = load_config(path, photos=Path("photos")).dataset
    assert (dataset.photos, dataset.manifest, dataset.image_root) == (Path("photos"), None, None)
    assert dataset.min_side == 40
    assert load_config(path).dataset.manifest == Path("a.csv")


@settings(deadline=None)
@given(
    st.integers(1, 99),
    st.text(max_size=20) | st.sampled_from(["\x85", "a\u2028b", "\ufeff"]),
    st.floats(1e-6, 1.0),
    st.booleans(),
)
def test_what_is_written_is_read_again(epochs, title, rate, flips):
    config = parse_config(
        {"training": {"epochs": epochs, "head_learning_rate": rate, "flips": flips}, "report": {"title": title}}
    )
    assert parse_config(yaml.safe_load(dump_config(config))) == config


def test_model_files_are_in_the_cache_unless_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert model_folder() == model_folder(Config()) == tmp_path / "bias-audit"
    assert model_folder(parse_config({"compute": {"models": "/data"}})) == Path("/data")


def test_an_unknown_section_is_an_error_even_with_nothing_in_it():
    with pytest.raises(ConfigError, match="trainin: there is no such setting; the nearest is 'training'"):
        load_config(settings={"trainin": {}})
    assert load_config(settings={"training": {}}) == load_config()
