"""P11: model and versions from client hints where given; a header that is not what the standard says tells nothing."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.intake.event import Event, now
from troth.intake.hints import HEADERS, NONE, Hints, listed, refined, text, told
from troth.intake.steps import seen

CHROME = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36"
)
BRANDS = '"Google Chrome";v="131.0.6778.86", "Chromium";v="131.0.6778.86", "Not_A Brand";v="24.0.0.0"'


def test_a_phone_says_its_model_and_versions() -> None:
    device = seen(CHROME, Hints('"Pixel 9"', '"Android"', '"15.0.0"', BRANDS))
    assert (device.browser, device.system, device.kind, device.model) == (
        "Chrome 131",
        "Android 15",
        "phone",
        "Pixel 9",
    )


def test_without_hints_the_agent_alone_tells() -> None:
    assert seen(CHROME).model is None
    assert seen(CHROME) == seen(CHROME, Hints(model='""'))


@pytest.mark.parametrize("told", ["alice@harbor.example", "call +34 612 345 678", "ES91 2100 0418 4502 0005 1332"])
def test_what_says_who_somebody_is_describes_no_device(told: str) -> None:
    """The headers are the sender's to choose, and no column that holds them is free text."""
    written = f'"{told}"'
    device = seen(CHROME, Hints(written, written, '"15"', f'{written};v="131"'))
    assert (device.browser, device.system, device.kind, device.model) == (
        "Chrome Mobile 131",
        "Android 15",
        "phone",
        None,
    )
    device = seen(CHROME, Hints(written, '"Android"', '"15"', BRANDS))
    assert (device.browser, device.system, device.model) == ("Chrome 131", "Android 15", None)


@pytest.mark.parametrize(
    ("version", "system"),
    [("15.0.0", "Windows 11"), ("13.0.0", "Windows 11"), ("10.0.0", "Windows 10"), ("0.1.0", "Windows")],
)
def test_windows_is_called_as_people_call_it(version: str, system: str) -> None:
    assert refined(Hints("", '"Windows"', f'"{version}"'), "Edge 131", "Windows")[1] == system


@pytest.mark.parametrize(
    ("brands", "browser"),
    [
        (BRANDS, "Chrome 131"),
        ('"Not(A:Brand";v="99", "Microsoft Edge";v="130.0.1", "Chromium";v="130"', "Edge 130"),
        ('"Chromium";v="131.0.1", "Not?A_Brand";v="8"', "Chromium 131"),
        ('"Brave" ;v="1"', "as told"),
        ('"Br\\\\a\\"ve";v="7"', 'Br\\a"ve 7'),
        ("", "as told"),
        ('"Chromium"', "as told"),
    ],
)
def test_the_brand_is_the_one_that_people_know(brands: str, browser: str) -> None:
    assert refined(Hints(brands=brands), "as told", None)[0] == browser


@pytest.mark.parametrize(
    "header",
    [
        "Pixel 9", '"Pixel 9', '"a" "b"', '"a",', '"a";', '"a\\x"', '"\x00"', '"ü"', "?1", '"a";v=', ",", '"a"; v ="1"',
        '"' + "a" * 5000 + '"', '"a";' * 300, '("a" "b")', '"a",,"b"', '"a"\n', "'a'",
    ],
)  # fmt: skip
def test_what_is_ill_made_tells_nothing(header: str) -> None:
    assert list(listed(header)) == []
    assert text(header) is None
    assert refined(Hints(header, header, header, header), "as told", "Linux") == ("as told", "Linux", None)


def test_hostile_headers_take_no_time() -> None:
    began = time.perf_counter()
    for sign in ('"', "\\", '"\\', ";a=", ',"', '";a="', "a" * 3):
        for length in range(0, 1024, 64):
            list(listed('"' + sign * length))
            list(listed('"a";v="' + sign * length))
    assert time.perf_counter() - began < 5


@given(st.text(max_size=1500), st.text(max_size=200))
def test_no_header_at_all_makes_it_fail(one: str, other: str) -> None:
    for value in refined(Hints(one, other, one, other), "as told", "Linux"):
        assert value is None or len(value) <= 200


@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20), min_size=1, max_size=5))
def test_what_is_written_as_the_standard_says_is_read_back(texts: list[str]) -> None:
    escaped = ['"' + each.replace("\\", "\\\\").replace('"', '\\"') + '"' for each in texts]
    assert [each for each, _ in listed(", ".join(escaped))] == texts


def test_hints_are_read_from_the_headers_that_carry_them() -> None:
    sent = {HEADERS["model"]: '"Pixel 9"'}
    assert told(lambda name: sent.get(name, "")) == Hints(model='"Pixel 9"')
    assert told(lambda _name: None) is NONE
    assert Event(at=now()).hints is NONE


def test_a_device_that_gives_no_identifier_stays_one_when_its_system_says_its_version() -> None:
    import uuid

    whose = uuid.uuid4()
    linux = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
    plain, more = seen(linux), seen(linux, Hints("", '"Linux"', '"6.8.0"', BRANDS))
    assert (plain.system, more.system) == ("Linux", "Linux 6")
    assert plain.seen_by(whose) == more.seen_by(whose)
