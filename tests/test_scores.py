"""Scores as bytes: what was put in comes out, in as little room as it takes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.scores import MOST_EXAMPLES, decoded, encoded, kept

NUMBERS = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=40)


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=70))
def test_bits_come_back_and_take_an_eighth_of_a_byte(bits: list[bool]) -> None:
    data = encoded(np.array(bits, float))
    assert decoded(data).tolist() == bits
    assert decoded(data).dtype == np.uint8
    assert len(data) == 5 + (len(bits) + 7) // 8


@settings(deadline=None)
@given(NUMBERS)
def test_numbers_come_back_as_float32(numbers: list[float]) -> None:
    data = encoded(numbers)
    assert decoded(data).tolist() == numbers
    assert len(data) == 5 + (4 * len(numbers) if {*numbers} - {0.0, 1.0} else (len(numbers) + 7) // 8)


def test_the_bytes_are_what_the_documents_say() -> None:
    assert encoded([1, 0, 0, 0, 0, 0, 0, 1, 1]) == b"b\x09\x00\x00\x00\x81\x80"
    assert encoded([0.5, 1.0]) == b"f\x02\x00\x00\x00" + np.array([0.5, 1], "<f4").tobytes()


@pytest.mark.parametrize("wrong", [[float("nan")], [float("inf")], [1e39], [[1.0], [0.0]]])
def test_what_is_no_score_is_refused(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="scores are"):
        encoded(wrong)


@settings(deadline=None)
@given(
    st.binary(max_size=30)
    | st.builds(lambda a, b: a + b, st.sampled_from([b"b\x09\0\0\0", b"f\x02\0\0\0"]), st.binary())
)
def test_foreign_bytes_are_refused_or_are_scores(data: bytes) -> None:
    try:
        found = decoded(data)
    except ValueError:
        return
    assert np.isfinite(found).all()
    assert found.ndim == 1


def test_a_sample_is_the_same_each_time_and_has_no_example_twice() -> None:
    assert kept(MOST_EXAMPLES).tolist() == list(range(MOST_EXAMPLES))
    sample = kept(MOST_EXAMPLES + 9)
    assert len(sample) == MOST_EXAMPLES
    assert (np.diff(sample) > 0).all()
    assert sample[-1] < MOST_EXAMPLES + 9
    assert (sample == kept(MOST_EXAMPLES + 9)).all()
    assert int(kept(10 * MOST_EXAMPLES).sum()) == 21543118066
