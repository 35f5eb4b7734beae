"""Packed blips and hours."""

from hypothesis import given, strategies as st
import pytest

from custom_components.rackwatt.history.block import (
    HOUR_MS,
    DamagedBlockError,
    Hours,
    Points,
    pack_block,
    pack_hours,
    unpack_block,
    unpack_hours,
    unpack_last,
    unpack_stamps,
)

HOUR = 490_000
START = HOUR * HOUR_MS

intervals = st.one_of(
    st.none(), st.integers(1, 5000), st.integers(-(2**40), 2**62), st.just(-128)
)


@st.composite
def blips(draw: st.DrawFn) -> Points:
    """Return blips of one hour."""
    offsets = draw(st.sets(st.integers(0, HOUR_MS - 1), min_size=1, max_size=40))
    stamps = [START + offset for offset in sorted(offsets)]
    return Points(stamps, [draw(intervals) for _ in stamps])


@given(blips())
def test_a_block_loses_nothing(points: Points) -> None:
    """Whatever the intervals are: equal to the distances, wide apart, unknown."""
    packed = pack_block(points, HOUR)
    assert unpack_block(packed, HOUR) == points
    assert unpack_stamps(packed, HOUR) == points.stamps
    assert unpack_last(packed, HOUR) == (points.stamps[-1], points.intervals[-1])


def test_a_blip_takes_three_bytes() -> None:
    """An hour of a meter whose clock is a little off the host's."""
    stamps = [START + 3000 * number + number % 7 for number in range(1, 1100)]
    points = Points(stamps, [3000 - number % 5 for number in range(1, 1100)])
    assert len(pack_block(points, HOUR)) < 3.1 * len(stamps)


@given(
    st.dictionaries(
        st.integers(0, 1023),
        st.tuples(*[st.integers(0, 2**63)] * 5),
        max_size=20,
    )
)
def test_a_pack_loses_nothing(rows: dict[int, tuple[int, ...]]) -> None:
    """Hours can be put in in any order, replaced and taken out."""
    hours = Hours()
    for offset, row in rows.items():
        hours.put(HOUR + offset, (9, 9, 9, 9, 9))
        hours.put(HOUR + offset, row)
    hours.put(HOUR + 5000, (1, 1, 1, 1, 1))
    hours.put(HOUR + 5000, None)
    expected = sorted((HOUR + offset, *row) for offset, row in rows.items())
    assert list(zip(*hours.columns, strict=True)) == expected
    assert unpack_hours(*pack_hours(hours, HOUR), HOUR) == hours


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\x02",
        b"\x05" + bytes(20),
        pack_block(Points([START, START + 5], [None, 5]), HOUR)[:-1],
        b"\x02\x01\x00\x00\x00\x00\x00\x00\x00" + b"\x09" * 12 + bytes(1),
    ],
)
def test_a_damaged_block_is_told_of(damaged: bytes) -> None:
    """It never passes for blips."""
    with pytest.raises(DamagedBlockError):
        unpack_block(damaged, HOUR)


@pytest.mark.parametrize(
    "damaged", [b"", b"\x01\x00", b"\x01\x00Bx", b"\x01\x00\xff" * 9]
)
def test_a_damaged_pack_is_told_of(damaged: bytes) -> None:
    """It never passes for sums."""
    with pytest.raises(DamagedBlockError):
        unpack_hours(damaged, damaged, HOUR)
