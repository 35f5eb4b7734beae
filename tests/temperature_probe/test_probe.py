"""What the driver's texts are worth."""

from collections.abc import Callable

from hypothesis import given, strategies as st
import pytest

from custom_components.rackwatt.temperature_probe.bus import load_library
from custom_components.rackwatt.temperature_probe.probe import (
    Fault,
    RefusedReadingError,
    checksum,
    family_of,
    is_phantom,
    judge,
)

DS18B20, DS18S20, DS1825 = "28", "10", "3b"


def text_of(scratchpad: str, verdict: str = "YES", celsius: str = "t=0") -> str:
    """Return the text that the driver makes of eight bytes."""
    data = bytes.fromhex(scratchpad)
    line = (data + bytes((checksum(data),))).hex(" ")
    return f"{line} : crc={checksum(data):02x} {verdict}\n{line} {celsius}\n"


def fault_of(text: str, family: str = DS18B20) -> Fault:
    """Return why a text is refused."""
    with pytest.raises(RefusedReadingError) as refused:
        judge(text, family)
    return refused.value.fault


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("50054b467fff0c10", 0x1C),  # any DS18B20 after power-on
        ("72014b467fff0e10", 0x57),  # the example of the kernel's documentation
        ("021cb801000000", 0xA2),  # the example of the maker's application note 27
        ("", 0),
    ],
)
def test_checksum(data: str, expected: int) -> None:
    """The checksum is the one that the chips make."""
    assert checksum(bytes.fromhex(data)) == expected


@pytest.mark.parametrize(
    ("raw", "celsius"),
    [
        ("d007", 125.0),
        ("5005", 85.0),
        ("9101", 25.0625),
        ("a200", 10.125),
        ("0800", 0.5),
        ("0000", 0.0),
        ("f8ff", -0.5),
        ("5eff", -10.125),
        ("6ffe", -25.0625),
        ("90fc", -55.0),
    ],
)
def test_table_of_the_data_sheet(raw: str, celsius: float) -> None:
    """The temperatures of the DS18B20's data sheet are read as it gives them."""
    temperature = judge(text_of(raw + "4b467fff0010"), DS18B20)
    assert temperature.celsius == celsius
    assert temperature.bits == 12
    assert temperature.model == "DS18B20"


@pytest.mark.parametrize(
    ("scratchpad", "celsius"),
    [
        ("aa004b46ffff0010", 85.75),
        ("32004b46ffff0c10", 25.0),
        ("32004b46ffff0010", 25.75),
        ("33004b46ffff0810", 25.25),  # the half degree counts for nothing
        ("ceff4b46ffff0c10", -25.0),
        ("ffff4b46ffff0410", -0.5),  # the driver itself says 0.0 here
        ("92ff4b46ffff0c10", -55.0),
        ("32004b46ffff2f5e", 25.25),  # a DS1820, whose counts vary
    ],
)
def test_ds18s20(scratchpad: str, celsius: float) -> None:
    """A DS18S20 is refined by its counter, below zero too."""
    temperature = judge(text_of(scratchpad), DS18S20)
    assert temperature.celsius == celsius
    assert temperature.bits is None


@pytest.mark.parametrize("scratchpad", ["32004b46ffff0c00", "32004b46ffff1110"])
def test_ds18s20_counter_is_impossible(scratchpad: str) -> None:
    """A DS18S20 whose counter makes no sense is not believed."""
    assert fault_of(text_of(scratchpad), DS18S20) is Fault.INCOMPLETE


@pytest.mark.parametrize(
    ("configuration", "bits", "celsius"),
    [("1f", 9, 25.0), ("3f", 10, 25.25), ("5f", 11, 25.375), ("7f", 12, 25.4375)],
)
def test_undefined_bits(configuration: str, bits: int, celsius: float) -> None:
    """Bits that a resolution leaves undefined count for nothing."""
    temperature = judge(text_of(f"97014b46{configuration}ff0010"), DS18B20)
    assert (temperature.celsius, temperature.bits) == (celsius, bits)


@pytest.mark.parametrize(
    ("scratchpad", "bits", "celsius"),
    [("97014b4683ff0010", 13, 25.484375), ("f8ff4b46e1ff0010", 14, -0.484375)],
)
def test_gx20mh01(scratchpad: str, bits: int, celsius: float) -> None:
    """The finer twin of the DS18B20 has two more bits next to its resolution."""
    temperature = judge(text_of(scratchpad), DS18B20)
    assert (temperature.celsius, temperature.bits) == (celsius, bits)


@pytest.mark.parametrize(
    ("scratchpad", "celsius"),
    [
        ("0064001900ffffff", 1600.0),
        ("f0ff001900ffffff", -1.0),
        ("920100190fffffff", 25.0),  # bit 1 is reserved
    ],
)
def test_thermocouple(scratchpad: str, celsius: float) -> None:
    """A MAX31850 reaches far beyond what a DS1825 can measure."""
    scratchpad = scratchpad[:8] + "f0" + scratchpad[10:]
    temperature = judge(text_of(scratchpad), DS1825)
    assert temperature.celsius == celsius
    assert temperature.model == "MAX31850"
    assert temperature.bits is None


def test_ds1825_is_no_thermocouple() -> None:
    """A DS1825 answers as a DS18B20 does."""
    temperature = judge(text_of("91014b467fff0f10"), DS1825)
    assert (temperature.celsius, temperature.model) == (25.0625, "DS1825")


@pytest.mark.parametrize("scratchpad", ["01050119f0ffffff", "007d0019f0ffffff"])
def test_thermocouple_faults(scratchpad: str) -> None:
    """An open thermocouple, and a temperature that no thermocouple stands."""
    expected = Fault.THERMOCOUPLE if scratchpad[1] == "1" else Fault.OUT_OF_RANGE
    assert fault_of(text_of(scratchpad), DS1825) is expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("", Fault.NO_ANSWER, id="empty read"),
        pytest.param("\n", Fault.NO_ANSWER, id="nothing but a line end"),
        pytest.param(
            "32 01 4b 46 7f ff 0e 10 57 : crc=f9 NO\n"
            "72 01 4b 46 7f ff 0e 10 57 t=23125\n",
            Fault.CHECKSUM,
            id="NO, with the last good reading below",
        ),
        pytest.param(
            "ff ff ff ff ff ff ff ff ff : crc=c9 NO\n"
            "ff ff ff ff ff ff ff ff ff t=-62\n",
            Fault.CHECKSUM,
            id="nobody on the wire",
        ),
        pytest.param(
            "32 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n"
            "32 01 4b 46 7f ff 0e 10 57 t=19125\n",
            Fault.CHECKSUM,
            id="YES that is not true",
        ),
        pytest.param(
            "00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 00 00 00 00 00 00 00 00 t=0\n",
            Fault.SHORT_CIRCUIT,
            id="data wire at ground",
        ),
        pytest.param(
            "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n"
            "50 05 4b 46 7f ff 0c 10 1c t=85000\n",
            Fault.POWER_ON,
            id="85 degrees after power-on",
        ),
        pytest.param(
            text_of("ff074b467fff0c10", celsius="t=127937"),
            Fault.POWER_FAULT,
            id="127.94 degrees without enough power",
        ),
        pytest.param(
            text_of("ff074b467fff0110", celsius="t=127937"),
            Fault.OUT_OF_RANGE,
            id="127.94 degrees after a conversion",
        ),
        pytest.param(text_of("00104b467fff0010"), Fault.OUT_OF_RANGE, id="256 degrees"),
        pytest.param(text_of("80fc4b467fff0010"), Fault.OUT_OF_RANGE, id="-56 degrees"),
        pytest.param(
            "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n", Fault.INCOMPLETE, id="one line"
        ),
        pytest.param("72 01 4b 46 7f", Fault.INCOMPLETE, id="torn in the first line"),
        pytest.param(
            "72 01 4b 46 7f : crc=57 YES\n72 01 4b 46 7f t=23125\n",
            Fault.INCOMPLETE,
            id="too few bytes",
        ),
        pytest.param(
            "\ufffd\x00 : crc=57 YES\nwhat t=1\n", Fault.INCOMPLETE, id="no hexadecimal"
        ),
    ],
)
def test_faults(text: str, fault: Fault) -> None:
    """Every text of the driver that is no temperature is told from the others."""
    assert fault_of(text) is fault


def test_ds18s20_after_power_on() -> None:
    """The power-on value of a DS18S20 has other bytes."""
    assert fault_of(text_of("aa004b46ffff0c10"), DS18S20) is Fault.POWER_ON


def test_hot_rack_is_believed() -> None:
    """A true 85 degrees is told from power-on by what the conversion has left."""
    assert judge(text_of("50054b467fff1010"), DS18B20).celsius == 85.0


def test_only_the_wire_garbles() -> None:
    """Checksum errors are counted for what the wire did, not for the supply."""
    assert [fault for fault in Fault if fault.is_checksum] == [
        Fault.CHECKSUM,
        Fault.NO_ANSWER,
    ]


@given(st.text(max_size=200) | st.text("0123456789abcdef :\n", max_size=200))
def test_any_text(text: str) -> None:
    """No text whatever raises anything but a refusal."""
    for family in ("10", "22", "28", "3b", "42"):
        try:
            judge(text, family)
        except RefusedReadingError:
            continue


@given(st.integers(-55 * 16, 125 * 16), st.sampled_from(["22", "28", "3b", "42"]))
def test_library_agrees(raw: int, family: str) -> None:
    """Where w1thermsensor believes a reading, it reads the same."""
    library = load_library()
    data = raw.to_bytes(2, "little", signed=True).hex()
    text = text_of(f"{data}4b467fff0010")
    evaluate: Callable[..., float] = library.core.evaluate_temperature
    try:
        theirs = evaluate(
            text.splitlines()[1],
            1e-3,
            library.Unit.DEGREES_C,
            library.Sensor.from_id_string(family),
            "000000000001",
            0.0,
            85.0,
        )
    except library.ResetValueError:
        theirs = 85.0
    assert judge(text, family).celsius == theirs


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("28-00000a1b2c3d", "28"),
        ("10-000802f1e9aa", "10"),
        ("22-000000000001", "22"),
        ("3b-0000001921e8", "3b"),
        ("42-000000000001", "42"),
        ("00-400000000000", None),
        ("01-000000000001", None),
        ("28-", None),
        ("28-nothing", None),
        ("w1_bus_master1", None),
        ("28", None),
    ],
)
def test_names(name: str, family: str | None) -> None:
    """Probes are told from other devices by the name of their folder."""
    assert family_of(name) == family
    assert is_phantom(name) is name.startswith("00-")
