"""VOC's average precision, on numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.training.datasets.example import Dataset, Example
from pipeline.training.voc_ap import VocClass, interpolated_precision, voc_average_precision
from pipeline.types import Detections
from tests.training.measured import CAR, NAMES, PERSON, example, found

LEFT, RIGHT, FAR = (0, 0, 10, 10), (20, 0, 30, 10), (60, 60, 90, 90)


def measure(
    *pictures: tuple[Example, Detections], name: str = "person", iou: float = 0.5
) -> VocClass:
    dataset = Dataset(NAMES, tuple(picture for picture, _ in pictures))
    return voc_average_precision(dataset, [each for _, each in pictures], iou).classes[name]


def test_everything_found_and_nothing_else_is_one() -> None:
    boxes = [(LEFT, PERSON), (RIGHT, PERSON), (FAR, CAR)]
    perfect = found(*[(box, label, 0.9) for box, label in boxes])
    dataset = Dataset(NAMES, (example(*boxes),) * 3)
    result = voc_average_precision(dataset, [perfect] * 3)
    assert result.ap_11_point == result.ap_area == 1.0
    assert [one.objects for one in result.classes.values()] == [6, 3]


def test_nothing_found_is_zero() -> None:
    result = measure((example((LEFT, PERSON)), found()))
    assert result.ap_11_point == result.ap_area == 0.0
    assert len(result.recall) == len(result.precision) == 0


def test_a_curve_worked_out_by_hand() -> None:
    result = measure(
        (
            example((LEFT, PERSON), (RIGHT, PERSON)),
            found((LEFT, PERSON, 0.9), (FAR, PERSON, 0.6), (RIGHT, PERSON, 0.5)),
        ),
        (
            example((LEFT, PERSON), (RIGHT, PERSON)),
            found((FAR, PERSON, 0.8), (LEFT, PERSON, 0.7)),
        ),
    )
    # By score over both pictures: hit, miss, hit, miss, hit; 4 objects, one is never found.
    np.testing.assert_array_equal(result.recall, [1 / 4, 1 / 4, 2 / 4, 2 / 4, 3 / 4])
    np.testing.assert_array_equal(result.precision, [1, 1 / 2, 2 / 3, 2 / 4, 3 / 5])
    # Interpolated: 1 up to recall 1/4, 2/3 up to 2/4, 3/5 up to 3/4, then 0.
    assert result.ap_area == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)
    # Recall 0.0, 0.1, 0.2 | 0.3, 0.4, 0.5 | 0.6, 0.7 | 0.8, 0.9, 1.0.
    assert result.ap_11_point == pytest.approx((3 * 1 + 3 * 2 / 3 + 2 * 3 / 5) / 11)


def test_precision_that_rises_again_counts_for_all_recall_before() -> None:
    result = measure(
        (
            example((LEFT, PERSON), (RIGHT, PERSON)),
            found((FAR, PERSON, 0.9), (LEFT, PERSON, 0.8), (RIGHT, PERSON, 0.7)),
        )
    )
    # Miss, hit, hit: precision 0, 1/2, 2/3, and so interpolated 2/3 all the way.
    assert result.ap_area == pytest.approx(2 / 3)
    assert result.ap_11_point == pytest.approx(2 / 3)


def test_recall_that_meets_a_level_exactly_reaches_it() -> None:
    boxes = [(10.0 * i, 0.0, 10.0 * i + 8, 8.0) for i in range(10)]
    result = measure(
        (
            example(*[(box, PERSON) for box in boxes]),
            found(*[(box, PERSON, 0.9) for box in boxes[:3]]),
        )
    )
    # Recall ends at 3/10: levels 0.0, 0.1, 0.2 and 0.3 are reached.
    assert result.ap_11_point == pytest.approx(4 / 11)


def test_a_second_detection_of_an_object_is_wrong() -> None:
    result = measure(
        (
            example((LEFT, PERSON), (RIGHT, PERSON)),
            found((LEFT, PERSON, 0.9), ((0, 0, 10, 9), PERSON, 0.8), (RIGHT, PERSON, 0.7)),
        )
    )
    np.testing.assert_array_equal(result.precision, [1, 1 / 2, 2 / 3])
    assert result.ap_area == pytest.approx((1 + 2 / 3) / 2)


def test_a_detection_does_not_turn_to_its_second_best_object() -> None:
    # The second detection overlaps the first object by 10/10, the other by 7/13: it is a duplicate.
    first, second = (0, 0, 10, 10), (0, 3, 10, 13)
    result = measure(
        (
            example((first, PERSON), (second, PERSON)),
            found((first, PERSON, 0.9), (first, PERSON, 0.8)),
        )
    )
    np.testing.assert_array_equal(result.recall, [1 / 2, 1 / 2])


def test_the_least_overlap_counts() -> None:
    half, less = (0, 0, 10, 5), (0, 0, 10, 4.99)  # of the object's area
    assert measure((example((LEFT, PERSON)), found((half, PERSON, 0.9)))).ap_area == 1.0
    assert measure((example((LEFT, PERSON)), found((less, PERSON, 0.9)))).ap_area == 0.0
    assert measure((example((LEFT, PERSON)), found((half, PERSON, 0.9))), iou=0.6).ap_area == 0.0


def test_difficult_objects_are_neither_missed_nor_found() -> None:
    picture = example((LEFT, PERSON), (RIGHT, PERSON), difficult=[0])
    best = found((LEFT, PERSON, 0.9), (LEFT, PERSON, 0.8), (RIGHT, PERSON, 0.7))
    result = measure((picture, best))
    assert result.objects == 1
    np.testing.assert_array_equal(result.recall, [1])
    assert result.ap_area == result.ap_11_point == 1.0


def test_a_class_finds_only_its_own_objects_in_its_own_picture() -> None:
    pictures = (
        (example((LEFT, PERSON)), found((LEFT, CAR, 0.9), (RIGHT, PERSON, 0.8))),
        (example((RIGHT, PERSON), (LEFT, CAR)), found((LEFT, PERSON, 0.7))),
    )
    assert measure(*pictures).ap_area == 0.0
    assert measure(*pictures, name="car").ap_area == 0.0


def test_equal_scores_stay_in_the_order_of_the_pictures() -> None:
    scores = (0.5, 0.4) * 50  # so many that a sort that is not stable would move some
    hits = [(example((LEFT, PERSON)), found((LEFT, PERSON, score))) for score in scores]
    misses = [(example(), found((LEFT, PERSON, score))) for score in scores]
    hit, miss = [1] * 50, [0] * 50
    for pictures, order in (
        (hits + misses, hit + miss + hit + miss),
        (misses + hits, miss + hit + miss + hit),
    ):
        np.testing.assert_array_equal(measure(*pictures).recall, np.cumsum(order) / 100)


def test_a_class_without_objects_is_left_out_of_the_mean() -> None:
    dataset = Dataset(NAMES, (example((LEFT, PERSON)),))
    result = voc_average_precision(dataset, [found((LEFT, PERSON, 0.9), (RIGHT, CAR, 0.8))])
    car = result.classes["car"]
    assert (car.objects, car.ap_11_point, car.ap_area, len(car.recall)) == (0, None, None, 0)
    assert result.ap_11_point == result.ap_area == 1.0


@pytest.mark.parametrize("examples", [(), (example((LEFT, PERSON), difficult=[0]),)])
def test_without_any_objects_there_is_nothing_to_measure(examples: tuple[Example, ...]) -> None:
    result = voc_average_precision(
        Dataset(NAMES, examples), [found((LEFT, PERSON, 0.9)) for _ in examples]
    )
    assert result.ap_11_point is None
    assert result.ap_area is None


def test_every_example_needs_its_detections() -> None:
    with pytest.raises(ValueError, match="zip"):
        voc_average_precision(Dataset(NAMES, (example(),)), [])


def test_interpolated_precision() -> None:
    recall, precision = np.array([0.2, 0.2, 0.6]), np.array([1.0, 0.5, 0.75])
    levels = np.array([0.0, 0.2, 0.21, 0.6, 0.61])
    np.testing.assert_array_equal(
        interpolated_precision(recall, precision, levels), [1, 1, 0.75, 0.75, 0]
    )


@st.composite
def datasets(draw: st.DrawFn) -> tuple[Dataset, list[Detections]]:
    """A few pictures on a coarse grid, so that boxes often meet, with scores all different."""
    boxes = st.tuples(*[st.integers(0, 3)] * 2, *[st.integers(4, 6)] * 2)
    objects = st.lists(st.tuples(boxes, st.sampled_from([PERSON, CAR])), max_size=4)
    examples = [
        example(*each, difficult=draw(st.sets(st.integers(0, 3))))
        for each in draw(st.lists(objects, min_size=1, max_size=4))
    ]
    detections = [draw(objects) for _ in examples]
    count = sum(map(len, detections))
    scores = iter(draw(st.permutations([(i + 1) / (count + 1) for i in range(count)])))
    scored = [
        sorted(((*one, next(scores)) for one in each), key=lambda one: -one[2])
        for each in detections
    ]
    return Dataset(NAMES, tuple(examples)), [found(*each) for each in scored]


@given(datasets())
def test_average_precision_is_a_fraction(case: tuple[Dataset, list[Detections]]) -> None:
    result = voc_average_precision(*case)
    for one in (result, *result.classes.values()):
        assert one.ap_area is None or 0 <= one.ap_area <= 1
        assert one.ap_11_point is None or 0 <= one.ap_11_point <= 1


@given(datasets(), st.randoms(use_true_random=False))
def test_the_order_of_the_pictures_does_not_matter(
    case: tuple[Dataset, list[Detections]], random: Random
) -> None:
    dataset, detections = case
    order = list(range(len(detections)))
    random.shuffle(order)
    shuffled = replace(dataset, examples=tuple(dataset.examples[i] for i in order))
    before = voc_average_precision(dataset, detections)
    after = voc_average_precision(shuffled, [detections[i] for i in order])
    assert (after.ap_area, after.ap_11_point) == (before.ap_area, before.ap_11_point)


@given(datasets(), st.floats(0, 1, width=32))
def test_a_false_positive_never_helps(case: tuple[Dataset, list[Detections]], score: float) -> None:
    dataset, detections = case
    wrong = (example(), found((LEFT, PERSON, score)))
    more = replace(dataset, examples=(*dataset.examples, wrong[0]))
    before = voc_average_precision(dataset, detections).classes["person"]
    after = voc_average_precision(more, [*detections, wrong[1]]).classes["person"]
    if before.ap_area is not None and before.ap_11_point is not None:
        assert after.ap_area is not None and after.ap_11_point is not None
        assert after.ap_area <= before.ap_area
        assert after.ap_11_point <= before.ap_11_point
