import pytest

from mettl_async.sandbox.pages import figures


@pytest.mark.parametrize(
    ("number", "noun", "written"),
    [
        (1, "delivery", "1 delivery"),
        (2, "delivery", "2 deliveries"),
        (0, "candidate", "0 candidates"),
        (2, "day", "2 days"),
        (12345, "request", "12,345 requests"),
    ],
)
def test_a_quantity_has_its_plural(number, noun, written):
    assert figures.quantity(number, noun) == written


@pytest.mark.parametrize(
    ("share", "written"),
    [(0.07, "7 %"), (0.1 / 7, "1.43 %"), (0.0, "0 %"), (1.0, "100 %"), (0.00012, "0.012 %")],
)
def test_a_share_is_a_percentage(share, written):
    assert figures.percent(share) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0 s"),
        (0.5, "0.5 s"),
        (2.0, "2 s"),
        (60, "1 min"),
        (90.5, "1 min 30.5 s"),
        (59.9999, "1 min"),
        (3600, "1 h"),
        (86400, "1 day"),
        (2 * 86400 + 3723, "2 days 1 h 2 min 3 s"),
        (-3, "-3 s"),
    ],
)
def test_a_duration_leaves_out_its_empty_units(seconds, written):
    assert figures.duration(seconds) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (1800.0, "30 min 00 s"),
        (1799.2, "30 min 00 s"),
        (65, "1 min 05 s"),
        (3725, "1 h 02 min 05 s"),
        (0, "0 min 00 s"),
        (-1, "0 min 00 s"),
        (None, "as long as you like"),
    ],
)
def test_time_left_is_written_in_full_seconds(seconds, written):
    assert figures.countdown(seconds) == written


def test_a_moment_is_in_gmt():
    assert figures.moment(86400.5) == "02 Jan 1970 00:00:00 GMT"


@pytest.mark.parametrize(
    ("minutes", "written"), [(30, "30 minutes"), (1, "1 minute"), (0, "as long as you like")]
)
def test_the_time_allowed_is_in_minutes(minutes, written):
    assert figures.time_allowed(minutes) == written
