# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random
import re
import time
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.rack.recipes.plugins.modules.numbers_histogram import NumbersHistogram
from ansible_collections.rack.recipes.plugins.modules.numbers_median import NumbersMedian
from ansible_collections.rack.recipes.plugins.modules.numbers_percentiles import NumbersPercentiles
from ansible_collections.rack.recipes.plugins.modules.numbers_stats import NumbersStats
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

FIXTURES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)


@pytest.fixture
def figures(run, tmp_path):
    """A function: the figures of a text, as of a file that holds it."""

    def figures(text, scriptlet=NumbersStats):
        path = tmp_path / "numbers.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        (key,) = scriptlet.writes
        return run(scriptlet, {"src": str(path)}).context[key]

    return figures


def refusal(figures, text, scriptlet=NumbersStats):
    with pytest.raises(ValueError) as caught:
        figures(text, scriptlet)
    return re.sub("^.*/", "", str(caught.value))


def exactly(numbers):
    """The figures of exact numbers, in exact arithmetic."""
    count = len(numbers)
    mean = sum(numbers) / count
    ranked = sorted(numbers)
    return {
        "mean": mean,
        "variance": sum((number - mean) ** 2 for number in numbers) / count,
        "count": count,
        "min": ranked[0],
        "max": ranked[-1],
        "median": (ranked[(count - 1) // 2] + ranked[count // 2]) / 2,
    }


def same(found, exact, whole):
    """Whether a result is the exact one, or the double nearest to it."""
    if whole and exact.denominator == 1 and abs(exact) < 2**63:
        return found == exact and isinstance(found, int)
    return isinstance(found, float) and found == exact.numerator / exact.denominator


def check(figures, words):
    expected = exactly([Fraction(word) for word in words])
    found = {**figures("\n".join(words)), **figures("\n".join(words), NumbersMedian)}
    assert found.pop("count") == expected.pop("count")
    whole = all(re.fullmatch("[-+]?[0-9]+", word) for word in words)
    assert {name: same(found[name], exact, whole) for name, exact in expected.items()} == dict.fromkeys(expected, True)


def test_the_proposals_numbers(figures):
    assert figures("10\n20\n30\n40\n") == {"mean": 25, "variance": 125, "count": 4, "min": 10, "max": 40}
    assert figures("10\n20\n30\n40\n", NumbersMedian) == {"median": 25, "count": 4}


@table("text")
def test_forms_of_a_file(figures, text):
    assert figures(text) == {"mean": 2, "variance": pytest.approx(2 / 3), "count": 3, "min": 1, "max": 3}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1\n2\nx", "numbers.csv:3: expected a number, got 'x'"),
        ("1\n\n# a\n3, nan", "numbers.csv:4: expected a number, got 'nan'"),
        ("inf", "numbers.csv:1: expected a number, got 'inf'"),
        ("-Infinity", "numbers.csv:1: expected a number, got '-Infinity'"),
        ("1_000", "numbers.csv:1: expected a number, got '1_000'"),
        ("0x10", "numbers.csv:1: expected a number, got '0x10'"),
        ("1;2", "numbers.csv:1: expected a number, got '1;2'"),
        ("1-2", "numbers.csv:1: expected a number, got '1-2'"),
        ("1.5.2", "numbers.csv:1: expected a number, got '1.5.2'"),
        ('"1"', "numbers.csv:1: expected a number, got '\"1\"'"),
        ("\u0663", "numbers.csv:1: expected a number, got '\u0663'"),
        (b"1\n\xff\xfe", "numbers.csv:2: expected a number, got '\\\\xff\\\\xfe'"),
        ("1,,2", "numbers.csv:1: an empty field between commas"),
        ("1\n ,2", "numbers.csv:2: an empty field between commas"),
        ("", "numbers.csv: holds no number"),
        ("# only a comment\n\n", "numbers.csv: holds no number"),
        ("1\n-1e309", "numbers.csv:2: -1e+309 is larger than 1.79769e+308"),
        ("1e99999999999999999999", "numbers.csv:1: expected a number, got '1e99999999999999999999'"),
        ("1e200\n-1e200", "numbers.csv: the variance is larger than 1.79769e+308"),
        ("1\n1e-9000", "the numbers span more than 5000 digits"),
    ],
)
def test_what_is_refused(figures, text, expected):
    assert refusal(figures, text) == expected


@pytest.mark.parametrize("scriptlet", [NumbersStats, NumbersMedian])
def test_a_fault_behind_many_lines_is_found(figures, scriptlet):
    text = "1\n" * 25000 + "oops\n" + "1\n" * 25000
    assert refusal(figures, text, scriptlet) == "numbers.csv:25001: expected a number, got 'oops'"


def test_a_missing_file_is_named(run, tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        run(NumbersStats, {"src": str(tmp_path / "absent.csv")})


@pytest.mark.parametrize("text", ["1e-300000000", "0e300000000", "0e-300000000\n5", "-0", "-0.0"])
def test_odd_zeros_are_cheap(figures, text):
    assert figures(text)["min"] == 0


@FIXTURES
@given(st.lists(st.integers(), min_size=1))
def test_integers_are_exact(figures, numbers):
    check(figures, [str(number) for number in numbers])


@FIXTURES
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e150, max_value=1e150), min_size=1))
def test_every_result_is_rounded_once(figures, numbers):
    check(figures, [repr(number) for number in numbers])


@FIXTURES
@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000), min_size=1))
def test_decimals_are_taken_as_they_are_written(figures, numbers):
    check(figures, [str(number) for number in numbers])


@pytest.mark.parametrize(
    ("offset", "digits"), [("1000000", 0), ("1000000000", 0), ("1000000000000", 0), ("100000000", 3)]
)
def test_a_small_spread_far_from_zero(figures, offset, digits):
    generator = random.Random(7)
    words = [
        f"{offset}.{generator.randrange(1000):03}" if digits else str(int(offset) + generator.choice((-1, 1)))
        for _number in range(1001)
    ]
    check(figures, words)


def test_the_hard_case_by_hand(figures):
    found = figures("99999999.999\n100000000.000\n100000000.001\n")
    assert (found["mean"], found["variance"]) == (1e8, 6.666666666666667e-07)


def test_a_hundred_thousand_lines_take_less_than_seconds(figures):
    text = "\n".join(f"{number * 0.1:.3f}" for number in range(100_000))
    started = time.process_time()
    figures(text)
    figures(text, NumbersMedian)
    assert time.process_time() - started < 5


class TestPercentiles:
    def test_those_of_the_example(self, figures):
        found = {"count": 4, "p50": 25, "p90": 37, "p95": 38.5, "p99": 39.7}
        assert figures("10\n20\n30\n40\n", NumbersPercentiles) == found

    @settings(FIXTURES, max_examples=50)
    @given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=30), st.integers(0, 1000))
    def test_they_are_those_of_exact_arithmetic(self, run, tmp_path, numbers, thousandths):
        (tmp_path / "numbers.csv").write_text(" ".join(map(str, numbers)))
        params = {"src": f"{tmp_path}/numbers.csv", "percentiles": [thousandths / 10]}
        _count, found = run(NumbersPercentiles, params).context["numbers.percentiles_v1"].values()
        ranked, place = sorted(numbers), Fraction(thousandths, 1000) * (len(numbers) - 1)
        low, high = ranked[int(place)], ranked[min(int(place) + 1, len(ranked) - 1)]
        assert found == float(low + (place - int(place)) * (high - low))

    def test_names(self, run, tmp_path):
        (tmp_path / "numbers.csv").write_text("0.1 0.3")
        params = {"src": f"{tmp_path}/numbers.csv", "percentiles": [0, 50, 99.9, 100]}
        found = run(NumbersPercentiles, params).context["numbers.percentiles_v1"]
        assert found == {"count": 2, "p0": 0.1, "p50": 0.2, "p99_9": 0.2998, "p100": 0.3}

    @pytest.mark.parametrize(
        ("percentiles", "got"), [([], "none"), ([50, 101.0], "101.0"), ([-1], "-1"), ([float("nan")], "nan")]
    )
    def test_what_is_no_percentile_is_refused(self, percentiles, got):
        with pytest.raises(ValueError, match=f"^percentiles: expected numbers from 0 to 100, got {got}$"):
            NumbersPercentiles().validate(None, {"src": "x", "percentiles": percentiles})


class TestHistogram:
    @pytest.fixture
    def bins(self, run, tmp_path):
        """A function: the bins of a text, as of a file that holds it."""

        def bins(text, **params):
            (tmp_path / "numbers.csv").write_text(text)
            found = run(NumbersHistogram, {"src": f"{tmp_path}/numbers.csv", **params})
            return found.context["numbers.histogram_v1"]

        return bins

    def test_given_edges(self, bins):
        found = bins("-1 0 0.1 0.2 0.3 0.31", edges=[0, 0.1, 0.3])
        assert (found["counts"], found["below"], found["above"]) == ([1, 3], 1, 1)
        assert (found["edges"], found["rule"], found["count"]) == ([0, 0.1, 0.3], "given", 6)

    def test_bins_of_the_same_width(self, bins):
        found = bins("10 20 30 40", bins=2)
        given = {"count": 4, "rule": "given", "edges": [10, 25, 40], "counts": [2, 2], "below": 0, "above": 0}
        assert found == given
        assert all(isinstance(edge, int) for edge in found["edges"])
        assert bins("1 2", bins=3)["edges"] == [1, pytest.approx(4 / 3), pytest.approx(5 / 3), 2]

    def test_the_number_of_bins_by_itself(self, bins):
        found = bins(" ".join(map(str, range(1000))))  # 2 * 499.5 / 10 wide
        assert (found["rule"], found["counts"]) == ("freedman_diaconis", [100] * 10)
        found = bins("1 " * 30 + "2 9")
        assert (found["rule"], len(found["counts"]), sum(found["counts"])) == ("sturges", 6, 32)
        assert len(bins("1 2 3 4 1e300")["counts"]) == 1000

    def test_one_number_over_and_over(self, bins):
        assert bins("7 7 7", bins=9) == {**bins("7 7 7"), "rule": "given"}
        assert (bins("7 7 7")["edges"], bins("7 7 7")["counts"]) == ([7, 7], [3])

    @settings(FIXTURES, max_examples=50)
    @given(numbers=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), count=st.integers(1, 20))
    def test_every_number_is_in_its_bin(self, bins, numbers, count):
        found = bins(" ".join(map(repr, numbers)), bins=count)
        edges, counts = found["edges"], found["counts"]
        assert (sum(counts), found["below"], found["above"]) == (len(numbers), 0, 0)
        assert edges == sorted(edges)
        assert (edges[0], edges[-1]) == (min(numbers), max(numbers))
        for low, high, held in list(zip(edges, edges[1:], counts))[:-1]:
            assert held == sum(low <= number < high for number in numbers)

    @pytest.mark.parametrize(
        ("params", "reason"),
        [
            ({"bins": 0}, "bins: expected 1 to 1000, got 0"),
            ({"bins": 2, "edges": [1, 2]}, "bins, edges: expected one of them"),
            ({"edges": [1]}, "edges: expected 2 to 1001 finite numbers in ascending order"),
            ({"edges": [1, 1]}, "edges: expected 2 to 1001 finite numbers in ascending order"),
            ({"edges": [1, float("inf")]}, "edges: expected 2 to 1001 finite numbers in ascending order"),
        ],
    )
    def test_wrong_arguments(self, params, reason):
        with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
            NumbersHistogram().validate(None, {"bins": None, "edges": None, **params})
