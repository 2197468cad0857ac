"""One row is encoded as it is in a batch, to the last bit, whatever it holds."""

import numpy as np
import pytest
from ml_template.model.encoder import Encoding
from ml_template.pipeline.training.encoding import fit

RANDOM = np.random.default_rng(0)
N = 200
EDGES = [0.0, -0.0, 1e-308, 1e308, -1e308, 0.1, 1 / 3, np.inf, -np.inf, np.nan]
MOMENTS = ["0001-01-01", "9999-12-31T23:59:59.999999", "1969-12-31T23:59:59.999999", "NaT"]


def columns() -> dict[str, np.ndarray]:
    texts = np.array(["a", "b", "c", None], dtype=object)[RANDOM.integers(0, 4, N)]
    micro = RANDOM.integers(-(2**55), 2**55, N).astype("datetime64[us]")
    return {"number": RANDOM.normal(size=N) * 1e9, "text": texts, "moment": micro}


def edges() -> dict[str, np.ndarray]:
    texts = np.array(["a", "never seen", "", None], dtype=object)
    moments = np.array(MOMENTS, dtype="datetime64[us]")
    index = np.arange(len(EDGES))
    return {
        "number": np.array(EDGES),
        "text": texts[index % len(texts)],
        "moment": moments[index % len(moments)],
    }


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("encoding", ["ordinal", "onehot"])
def test_one_row_is_encoded_as_it_is_in_a_batch(encoding: Encoding) -> None:
    encoder = fit(columns(), ["number", "text", "moment"], set(), encoding)
    for table in (columns(), edges()):
        batch = encoder.apply(table)
        for at in range(len(batch)):
            row = encoder.apply({name: values[at : at + 1] for name, values in table.items()})
            np.testing.assert_array_equal(row[0].view("u8"), batch[at].view("u8"))
