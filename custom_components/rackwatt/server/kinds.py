"""What the kinds of metrics are in Home Assistant, and what a unit alone tells."""

from dataclasses import dataclass

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import (
    PERCENTAGE,
    REVOLUTIONS_PER_MINUTE,
    EntityCategory,
    UnitOfDataRate,
    UnitOfEnergy,
    UnitOfInformation,
    UnitOfPower,
    UnitOfTemperature,
)

from .report import Metric


@dataclass(frozen=True, kw_only=True)
class KindDescription(SensorEntityDescription):
    """Describe a kind of metric.

    A value is written when it leaves the dead-band around the one written last, and
    otherwise once per write interval: the recorder is what limits us, at about 1000
    rows a second. Every sample is in the samples store all the same.
    """

    dead_band: float = 0.0
    dead_share: float = 0.0


def _percent(key: str, dead_band: float, enabled: bool = True) -> KindDescription:
    """Describe a share."""
    return KindDescription(
        key=key,
        translation_key=key,
        native_unit_of_measurement=PERCENTAGE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=1,
        entity_registry_enabled_default=enabled,
        dead_band=dead_band,
    )


def _load(key: str, enabled: bool = False) -> KindDescription:
    """Describe a mean length of the run queue."""
    return KindDescription(
        key=key,
        translation_key=key,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=2,
        entity_registry_enabled_default=enabled,
        dead_band=0.1,
    )


def _bytes(key: str) -> KindDescription:
    """Describe a size; the share says the same, so it is off by default."""
    return KindDescription(
        key=key,
        translation_key=key,
        device_class=SensorDeviceClass.DATA_SIZE,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        suggested_unit_of_measurement=UnitOfInformation.GIBIBYTES,
        suggested_display_precision=1,
        state_class=SensorStateClass.MEASUREMENT,
        entity_registry_enabled_default=key == "disk_free",
        dead_band=float(64 << 20),
    )


def _rate(key: str) -> KindDescription:
    """Describe a traffic."""
    return KindDescription(
        key=key,
        translation_key=key,
        device_class=SensorDeviceClass.DATA_RATE,
        native_unit_of_measurement=UnitOfDataRate.BYTES_PER_SECOND,
        suggested_unit_of_measurement=UnitOfDataRate.MEGABYTES_PER_SECOND,
        suggested_display_precision=2,
        state_class=SensorStateClass.MEASUREMENT,
        dead_band=50_000,
        dead_share=0.2,
    )


def _degrees(key: str) -> KindDescription:
    """Describe a temperature."""
    return KindDescription(
        key=key,
        translation_key=key,
        device_class=SensorDeviceClass.TEMPERATURE,
        native_unit_of_measurement=UnitOfTemperature.CELSIUS,
        suggested_display_precision=1,
        state_class=SensorStateClass.MEASUREMENT,
        dead_band=0.5,
    )


def _power(scope: str) -> KindDescription:
    """Describe a power; its name says what it covers."""
    return KindDescription(
        key=f"power_{scope}",
        translation_key=f"power_{scope}",
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_display_precision=1,
        state_class=SensorStateClass.MEASUREMENT,
        dead_band=1.0,
        dead_share=0.01,
    )


def _energy(scope: str) -> KindDescription:
    """Describe an energy."""
    return KindDescription(
        key=f"energy_{scope}",
        translation_key=f"energy_{scope}",
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=3,
        state_class=SensorStateClass.TOTAL_INCREASING,
        dead_band=1.0,
    )


KINDS: dict[str, KindDescription] = {
    item.key: item
    for item in (
        _percent("cpu", 1.0),
        _percent("memory", 0.5),
        _percent("swap", 0.5, enabled=False),
        _percent("disk", 0.1),
        _percent("gpu", 1.0),
        _percent("gpu_memory", 0.5),
        _load("load1", enabled=True),
        _load("load5"),
        _load("load15"),
        _bytes("memory_used"),
        _bytes("disk_used"),
        _bytes("disk_free"),
        _rate("disk_read"),
        _rate("disk_write"),
        _rate("net_rx"),
        _rate("net_tx"),
        _degrees("temperature"),
        _degrees("gpu_temperature"),
        *(_power(s) for s in ("chassis", "cpu_package", "gpu_board", "platform")),
        *(_power(s) for s in ("rail", "battery")),
        *(_energy(s) for s in ("cpu_package", "gpu_board", "platform")),
        KindDescription(
            key="fan",
            translation_key="fan",
            native_unit_of_measurement=REVOLUTIONS_PER_MINUTE,
            state_class=SensorStateClass.MEASUREMENT,
            suggested_display_precision=0,
            dead_band=50,
        ),
        KindDescription(
            key="battery",
            translation_key="battery",
            device_class=SensorDeviceClass.BATTERY,
            native_unit_of_measurement=PERCENTAGE,
            state_class=SensorStateClass.MEASUREMENT,
        ),
        KindDescription(
            key="users",
            translation_key="users",
            state_class=SensorStateClass.MEASUREMENT,
        ),
        KindDescription(
            key="uptime",
            translation_key="uptime",
            device_class=SensorDeviceClass.TIMESTAMP,
            entity_category=EntityCategory.DIAGNOSTIC,
            # the same boot, seen through clocks that are corrected meanwhile
            dead_band=60.0,
        ),
    )
}

# What a unit tells of a kind that an agent newer than this integration sends
DEVICE_CLASSES: dict[str, SensorDeviceClass] = {
    "W": SensorDeviceClass.POWER,
    "kW": SensorDeviceClass.POWER,
    "Wh": SensorDeviceClass.ENERGY,
    "kWh": SensorDeviceClass.ENERGY,
    "°C": SensorDeviceClass.TEMPERATURE,
    "°F": SensorDeviceClass.TEMPERATURE,
    "V": SensorDeviceClass.VOLTAGE,
    "A": SensorDeviceClass.CURRENT,
    "Hz": SensorDeviceClass.FREQUENCY,
    "hPa": SensorDeviceClass.PRESSURE,
    "B": SensorDeviceClass.DATA_SIZE,
    "B/s": SensorDeviceClass.DATA_RATE,
    "s": SensorDeviceClass.DURATION,
}


def describe(key: str, metric: Metric) -> KindDescription:
    """Return how a metric is shown."""
    kind = metric.kind
    if kind in {"power", "energy"}:
        kind = f"{kind}_{metric.scope}"
    if (known := KINDS.get(kind)) is not None and _fits(known, metric):
        return known
    device_class = DEVICE_CLASSES.get(metric.unit or "")
    counts = device_class is SensorDeviceClass.ENERGY and metric.kind == "energy"
    return KindDescription(
        key=kind,
        name=metric.name or key,
        device_class=device_class,
        native_unit_of_measurement=metric.unit,
        state_class=SensorStateClass.TOTAL_INCREASING
        if counts
        # the mean of an energy means nothing, so Home Assistant refuses it
        else None
        if device_class is SensorDeviceClass.ENERGY
        else SensorStateClass.MEASUREMENT,
        # what the owner asked for by name is wanted; what is only new may be noise
        entity_registry_enabled_default=kind == "custom",
        dead_share=0.01,
    )


def _fits(known: KindDescription, metric: Metric) -> bool:
    """Tell whether a metric comes in the unit that its kind has."""
    if known.device_class is SensorDeviceClass.TIMESTAMP:
        return metric.unit == "s"
    unit = known.native_unit_of_measurement
    return unit is None or unit == metric.unit
