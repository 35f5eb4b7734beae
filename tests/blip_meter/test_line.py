"""Bytes in, lines understood."""

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.rackwatt.blip_meter.line import (
    MAX_LINE,
    Connected,
    Info,
    LineFormat,
    LineReader,
    Pulse,
)


@pytest.mark.parametrize(
    ("line_format", "line", "event"),
    [
        ("ms", b"3150", Pulse(None, 3150)),
        ("id_ms", b"2 3150", Pulse(2, 3150)),
        ("id_ms", b"V2 \t3150", Pulse(2, 3150)),
        ("ms_temperature", b"3150 21.4375", Pulse(None, 3150, temperature=21.4375)),
        ("ms_temperature", b"3150 -3", Pulse(None, 3150, temperature=-3.0)),
        ("counted", b"2 3150 4294967295", Pulse(2, 3150, 4294967295)),
        ("counted", b"1 4294967295 0", Pulse(1, 4294967295, 0)),
        ("ms", b"CONNECTED blip 1", Connected()),
        ("counted", b"CONNECTED", Connected()),
        ("id_ms", b"INFO 1 Rack feed", Info(1, "Rack feed")),
        ("id_ms", rb"INFO 3 K\c3\b8kken", Info(3, "Køkken")),
        ("id_ms", rb"INFO 3 K\xc3\xb8kken", Info(3, "Køkken")),
        ("id_ms", rb"INFO 3 \00A\07", Info(3, "A")),
    ],
)
def test_lines_that_mean_something(
    line_format: str, line: bytes, event: object
) -> None:
    """Each format is understood, and what all formats have in common."""
    reader = LineReader(LineFormat(line_format))
    assert reader.feed(line + b"\n") == [event]
    assert reader.rejected == 0


@pytest.mark.parametrize(
    ("line_format", "line"),
    [
        ("ms", b""),
        ("ms", b"0"),
        ("ms", b"-5"),
        ("ms", b"1 3150"),
        ("ms", b"3150\r"),
        ("ms", b"31\x0050"),
        ("ms", b"12345678901"),
        ("ms", b"4294967296"),
        ("ms", b" 3150"),
        ("ms", b"3150.0"),
        ("ms", "٣١٥٠".encode()),
        ("id_ms", b"3150"),
        ("id_ms", b"0 3150"),
        ("id_ms", b"1 0"),
        ("id_ms", b"1 -7"),
        ("id_ms", b"1 3150 17"),
        ("id_ms", b"1234567890 3150"),
        ("ms_temperature", b"3150"),
        ("ms_temperature", b"3150 warm"),
        ("ms_temperature", b"3150 nan"),
        ("counted", b"1 3150"),
        ("counted", b"1 3150 4294967296"),
        ("counted", b"1 3150 -1"),
        ("counted", b"INFO 1"),
        ("counted", b"INFO x Rack"),
        ("counted", b"NaN"),
    ],
)
def test_anything_else_is_counted_and_dropped(line_format: str, line: bytes) -> None:
    """What means nothing costs nothing but a count."""
    reader = LineReader(LineFormat(line_format))
    assert reader.feed(line + b"\n") == []
    assert reader.rejected == 1
    assert reader.last_rejected == line


def test_a_line_may_come_in_pieces() -> None:
    """A pulse counts when its line is complete."""
    reader = LineReader(LineFormat.ID_MS)
    assert reader.feed(b"1 31") == []
    assert reader.feed(b"50\n2 ") == [Pulse(1, 3150)]
    assert reader.feed(b"7\n") == [Pulse(2, 7)]


def test_a_megabyte_without_an_end_of_line_is_one_rejected_line() -> None:
    """A line without end does not fill the memory, and what follows is understood."""
    reader = LineReader(LineFormat.MS)
    for _ in range(256):
        assert reader.feed(b"9" * 4096) == []
        assert len(reader._rest) <= MAX_LINE
    assert reader.feed(b"9\n3150\n") == [Pulse(None, 3150)]
    assert reader.rejected == 1


def test_a_line_that_was_cut_off_is_forgotten() -> None:
    """The half of a line of before an unplug does not join what comes after."""
    reader = LineReader(LineFormat.ID_MS)
    reader.feed(b"1 31")
    reader.restart()
    assert reader.feed(b"2 50\n") == [Pulse(2, 50)]
    assert reader.rejected == 1
    reader.restart()
    assert reader.rejected == 1


@given(st.binary(max_size=2000), st.sampled_from(LineFormat), st.data())
@settings(max_examples=300, deadline=None)
def test_the_pieces_do_not_matter(
    data: bytes, line_format: LineFormat, pieces: st.DataObject
) -> None:
    """However the bytes are cut, they say the same; no bytes raise an error."""
    whole = LineReader(line_format)
    events = whole.feed(data + b"\n")
    assert len(events) + whole.rejected == data.count(b"\n") + 1
    cuts = sorted(pieces.draw(st.lists(st.integers(0, len(data)), max_size=8)))
    cut = LineReader(line_format)
    seen = []
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        seen += cut.feed(data[start:end])
    seen += cut.feed(b"\n")
    assert (seen, cut.rejected) == (events, whole.rejected)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 999_999_999),
            st.integers(1, 2**32 - 1),
            st.integers(0, 2**32 - 1),
        )
    )
)
def test_what_was_sent_is_what_is_understood(
    pulses: list[tuple[int, int, int]],
) -> None:
    """Every blip that our sketch can tell comes through."""
    reader = LineReader(LineFormat.COUNTED)
    sent = b"".join(b"%d %d %d\n" % pulse for pulse in pulses)
    assert reader.feed(sent) == [Pulse(*pulse) for pulse in pulses]
