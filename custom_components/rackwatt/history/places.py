"""Where the history file keeps what."""

# A blip's place is meter << STAMP_BITS | stamp: one B-tree, ordered by meter and time.
# 42 bits hold milliseconds until the year 2109.
STAMP_BITS = 42
STAMP_MASK = (1 << STAMP_BITS) - 1
# A block's place is meter << HOUR_BITS | hour, that of a pack of hours its first hour's.
HOUR_BITS = 24
HOUR_MASK = (1 << HOUR_BITS) - 1


def place(meter: int, stamp: int) -> int:
    """Return where a blip is kept."""
    return meter << STAMP_BITS | stamp


def places(meter: int, first: int, last: int) -> tuple[int, int]:
    """Return the first and last place of blips between two stamps."""
    return (
        place(meter, max(0, min(first, STAMP_MASK))),
        place(meter, min(last, STAMP_MASK)),
    )


def hour_place(meter: int, hour: int) -> int:
    """Return where an hour is kept."""
    return meter << HOUR_BITS | hour


def hour_places(meter: int, first: int, last: int) -> tuple[int, int]:
    """Return the first and last place of hours."""
    return (
        hour_place(meter, max(0, min(first, HOUR_MASK))),
        hour_place(meter, min(last, HOUR_MASK)),
    )
