"""What the kernel's text about one probe is worth. No Home Assistant in here."""

from dataclasses import dataclass
from enum import StrEnum

DS18S20 = "10"
DS1825 = "3b"  # MAX31850 answers with the same family
MODELS = {
    DS18S20: "DS18S20",
    "22": "DS1822",
    "28": "DS18B20",
    DS1825: "DS1825",
    "42": "DS28EA00",
}
MAX31850 = "MAX31850"

LINES = 2
SCRATCHPAD_BYTES = 9
CHECKSUM_POLYNOMIAL = 0x8C  # x^8 + x^5 + x^4 + 1, least significant bit first
CONVERTED_NOTHING = 0x0C  # byte 6 from power-on until the first conversion has ended
POWER_ON = bytes.fromhex("5005")  # 85.00 degrees
POWER_ON_DS18S20 = bytes.fromhex("aa00")
POWER_FAULT = bytes.fromhex("ff07")  # 127.94 degrees: too little current to convert
LOWEST, HIGHEST = -55.0, 125.0  # what the data sheets promise for every DS18xx
# The widest span of all the thermocouple types that a MAX31850/MAX31851 is sold for
LOWEST_THERMOCOUPLE, HIGHEST_THERMOCOUPLE = -270.0, 1800.0


class Fault(StrEnum):
    """Why a reading was refused."""

    CHECKSUM = "checksum"
    NO_ANSWER = "no_answer"
    INCOMPLETE = "incomplete"
    SHORT_CIRCUIT = "short_circuit"
    POWER_ON = "power_on"
    POWER_FAULT = "power_fault"
    OUT_OF_RANGE = "out_of_range"
    THERMOCOUPLE = "thermocouple"
    GONE = "gone"

    @property
    def is_checksum(self) -> bool:
        """Tell whether the bytes were garbled on the wire.

        Since Linux 5.8 the driver keeps five garbled answers in a row to itself and
        gives an empty read; before, it gave the garbled bytes and the word NO.
        """
        return self in {Fault.CHECKSUM, Fault.NO_ANSWER}


class RefusedReadingError(Exception):
    """A reading that cannot be trusted is no reading."""

    def __init__(self, fault: Fault) -> None:
        """Initialize the error."""
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperature:
    """A temperature that can be trusted."""

    celsius: float
    model: str
    bits: int | None
    """Resolution that the probe is set to; None where it cannot be set."""


def family_of(name: str) -> str | None:
    """Return the family of a probe by its folder's name, None for another device."""
    family, _, serial = name.partition("-")
    return family if family in MODELS and is_hex(serial) else None


def is_phantom(name: str) -> bool:
    """Tell whether a folder stands for noise that the bus search took for a device."""
    family, _, serial = name.partition("-")
    return family == "00" and is_hex(serial)


def is_hex(text: str) -> bool:
    """Tell whether a text is a hexadecimal number as the kernel writes it."""
    return bool(text) and all(digit in "0123456789abcdef" for digit in text)


def checksum(data: bytes) -> int:
    """Return the 1-Wire checksum of some bytes."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (CHECKSUM_POLYNOMIAL if crc & 1 else 0)
    return crc


def judge(text: str, family: str) -> Temperature:
    """Return the temperature in a `w1_slave` text, or say why there is none.

    The kernel's own `t=` is not used: it is wrong by half a degree for odd readings
    of a DS18S20 below zero, does not mask what a lower resolution leaves undefined,
    and tells neither an 85.00 after power-on from a hot rack nor a missing
    thermocouple from a cold one.
    """
    scratchpad = scratchpad_of(text)
    if family == DS1825 and scratchpad[4] & 0x80:
        return thermocouple(scratchpad)
    refuse_untouched(scratchpad, family)
    if family == DS18S20:
        celsius, bits = celsius_of_ds18s20(scratchpad), None
    else:
        celsius, bits = celsius_of_ds18b20(scratchpad)
    if not LOWEST <= celsius <= HIGHEST:
        raise RefusedReadingError(Fault.OUT_OF_RANGE)
    return Temperature(celsius=celsius, model=MODELS[family], bits=bits)


def scratchpad_of(text: str) -> bytes:
    """Return the probe's nine bytes, proven by their checksum."""
    lines = text.splitlines()
    if not text.strip():
        raise RefusedReadingError(Fault.NO_ANSWER)
    if lines[0].rstrip().endswith("NO"):
        raise RefusedReadingError(Fault.CHECKSUM)
    data, _, verdict = lines[0].partition(":")
    try:
        scratchpad = bytes.fromhex(data)
    except ValueError:
        raise RefusedReadingError(Fault.INCOMPLETE) from None
    if len(lines) < LINES or len(scratchpad) != SCRATCHPAD_BYTES or not verdict:
        raise RefusedReadingError(Fault.INCOMPLETE)
    # The checksum of nothing but zeros is right: a data wire that touches ground
    # reads as a true 0 degrees
    if not any(scratchpad):
        raise RefusedReadingError(Fault.SHORT_CIRCUIT)
    if checksum(scratchpad[:-1]) != scratchpad[-1]:
        raise RefusedReadingError(Fault.CHECKSUM)
    return scratchpad


def refuse_untouched(scratchpad: bytes, family: str) -> None:
    """Refuse what a probe holds that lost its power before or while it converted."""
    if scratchpad[6] != CONVERTED_NOTHING:
        return
    power_on = POWER_ON_DS18S20 if family == DS18S20 else POWER_ON
    if scratchpad[:2] == power_on:
        raise RefusedReadingError(Fault.POWER_ON)
    if scratchpad[:2] == POWER_FAULT:
        raise RefusedReadingError(Fault.POWER_FAULT)


def signed(scratchpad: bytes) -> int:
    """Return the first two bytes as the number that they stand for."""
    return int.from_bytes(scratchpad[:2], "little", signed=True)


def celsius_of_ds18b20(scratchpad: bytes) -> tuple[float, int]:
    """Return temperature and resolution of a probe with a configuration byte."""
    raw, configuration = signed(scratchpad), scratchpad[4]
    bits = 9 + (configuration >> 5 & 3)
    # A GX20MH01 calls itself DS18B20 and has two bits more, next to its resolution
    if configuration & 0x80:
        return (raw * 4 | configuration & 3) / 64, min(bits + 4, 14)
    undefined = (1 << 12 - bits) - 1
    return (raw & ~undefined) / 16, bits


def celsius_of_ds18s20(scratchpad: bytes) -> float:
    """Return the temperature of a DS18S20, refined by what its counter had left."""
    left, counts = scratchpad[6], scratchpad[7]
    # Sixteen to the degree here, some other number in the older DS1820, never none
    if not 0 < counts >= left:
        raise RefusedReadingError(Fault.INCOMPLETE)
    return (signed(scratchpad) >> 1) - 0.25 + (counts - left) / counts


def thermocouple(scratchpad: bytes) -> Temperature:
    """Return the temperature of the thermocouple at a MAX31850."""
    # Bit 0: the thermocouple is open, or shorted to ground or supply
    if scratchpad[0] & 1:
        raise RefusedReadingError(Fault.THERMOCOUPLE)
    celsius = (signed(scratchpad) & ~3) / 16
    if not LOWEST_THERMOCOUPLE <= celsius <= HIGHEST_THERMOCOUPLE:
        raise RefusedReadingError(Fault.OUT_OF_RANGE)
    return Temperature(celsius=celsius, model=MAX31850, bits=None)
