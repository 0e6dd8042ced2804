"""Networks are read by the file's suffix, and what 0 and 255 become can differ from channel to channel."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from audit.detectors.photo import Networks
from audit.store.model_files import ModelFile

MEANS = ModelFile("means.onnx", "wheel", "1", "means.onnx", "MIT", "0" * 64)


@pytest.fixture
def networks(tmp_path) -> Networks:
    """A network that answers the mean of each channel of a 4 x 6 picture."""
    shapes = {"images": [1, 3, 4, 6], "means": [1, 3, 1, 1]}
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    node = helper.make_node("GlobalAveragePool", ["images"], ["means"])
    graph = helper.make_graph([node], "means", values[:1], values[1:])
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / MEANS.name)
    return Networks(tmp_path)


PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
CHANNELS = PIXELS.reshape(-1, 3).mean(0) / 255


def test_an_onnx_network_takes_rgb_scaled_to_what_is_asked_for(networks):
    assert networks.run(MEANS, PIXELS)["means"].reshape(-1) == pytest.approx(CHANNELS, abs=1e-5)
    assert networks.run(MEANS, PIXELS, -1.0, 1.0)["means"].reshape(-1) == pytest.approx(2 * CHANNELS - 1, abs=1e-5)


def test_each_channel_can_have_a_scale_of_its_own(networks):
    low, high = np.array((0.0, -1.0, 5.0)), np.array((1.0, 1.0, 2.0))
    (found,) = networks.run(MEANS, PIXELS, low, high).values()
    assert found.reshape(-1) == pytest.approx(low + (high - low) * CHANNELS, abs=1e-5)


def test_an_answer_stays_as_it_is_when_the_network_is_run_again(networks):
    before = networks.run(MEANS, PIXELS)["means"]
    networks.run(MEANS, np.zeros_like(PIXELS))
    assert before.reshape(-1) == pytest.approx(CHANNELS, abs=1e-5)
