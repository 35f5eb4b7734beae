"""The format of profiles: what is refused, so that an author finds his slip."""

from pathlib import Path
from typing import Any

import pytest

from custom_components.rackwatt.pdu.profile import (
    ProfileError,
    load_profiles,
    parse_profile,
    read_profile,
)

GOOD: dict[str, Any] = {
    "title": "Acme",
    "manufacturer": "Acme",
    "order": 1,
    "base": "1.3.6.1.4.1.99999",
    "probe": ["1.1"],
    "table": [
        {
            "role": "outlet",
            "entry": ".1.3.6.1.4.1.99999.5",
            "columns": {"power": {"id": 2, "scale": 0.1}},
        }
    ],
}


def test_all_profiles_load() -> None:
    """Every family that is promised has its file, and newer tables are tried first."""
    profiles = load_profiles()
    assert [profile.key for profile in profiles] == [
        "apc_cpdu",
        "apc_epdu",
        "dell_rpdu",
        "apc_rpdu2",
        "apc_rpdu",
        "apc_masterswitch",
        "raritan_px",
    ]


def test_places_are_below_the_base_or_whole() -> None:
    """A place with a leading dot does not hang on the base."""
    profile = parse_profile("acme", GOOD)
    assert profile.probes == ((1, 3, 6, 1, 4, 1, 99999, 1, 1),)
    column = profile.tables[0].columns[0]
    assert column.cell((7,)) == (1, 3, 6, 1, 4, 1, 99999, 5, 2, 7)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"colour": "red"}, "unknown keys of a table"),
        ({"columns": {"weight": {"id": 1}}}, "outlet has no weight"),
        ({"columns": {"power": {"id": 1, "unit": "W"}}}, "unknown keys of the column"),
        ({"actions": {"on": {"oid": "1", "value": 1, "x": 1}}}, "unknown keys of an"),
        ({"role": "fuse"}, "fuse"),
    ],
)
def test_slips_are_named(table: dict[str, Any], complaint: str) -> None:
    """A misspelt key is refused by name."""
    with pytest.raises(ValueError, match=complaint):
        parse_profile("acme", {**GOOD, "table": [{**GOOD["table"][0], **table}]})


def test_file_is_named(tmp_path: Path) -> None:
    """A file that cannot be read says which it is."""
    path = tmp_path / "acme.toml"
    path.write_text('title = "Acme"')
    with pytest.raises(ProfileError, match=r"acme\.toml"):
        read_profile(path)
