import json

import numpy as np

from audit.measures.measure import Measure, distinct, too_few, unmeasured


def test_json_has_no_nan_and_no_numpy_types():
    measure = Measure(0.5, float("nan"), np.inf, 3, extra={"worst": {"n": np.int64(2), "accuracy": np.float32(0.5)}})
    plain = measure.as_json()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["low"] is None and plain["high"] is None
    assert plain["worst"] == {"n": 2, "accuracy": 0.5}


def test_unmeasured_keeps_its_reason():
    nothing = {"value": None, "low": None, "high": None, "n": 4, "p": None}
    assert unmeasured("Too dark.", 4).as_json() == nothing | {"reason": "Too dark."}


def test_too_few_says_how_many_would_do():
    assert too_few(10, 10, "in the class") == ""
    assert too_few(0, 10, "in the class") == "No images in the class; 10 more would do."
    assert too_few(7, 10, "in the class") == "Only 7 distinct images in the class; 3 more would do."
    assert distinct(np.array([5, 5, 2])) == 2
