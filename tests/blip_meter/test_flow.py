"""Adding and changing a blip meter."""

from collections.abc import Iterator
import errno
from typing import Any
from unittest.mock import AsyncMock, Mock, patch

import pytest
from serialx import SerialException
from serialx.common import UnknownUriScheme

from homeassistant.config_entries import SOURCE_USB, SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.service_info.usb import UsbServiceInfo

from .conftest import METER, blip_entry, meter_subentry, set_up, state, until
from .line import SerialLine
from custom_components.rackwatt.blip_meter import port as port_module
from custom_components.rackwatt.blip_meter.port import (
    async_close_port,
    async_open_port,
    async_stable_port,
    async_test_port,
    printable_port,
)

PORT = {"baudrate": 9600, "parity": "N", "line_format": "id_ms"}
USB = UsbServiceInfo(
    device="/dev/ttyACM0",
    vid="2341",
    pid="0043",
    serial_number="75735",
    manufacturer="Arduino",
    description="Uno",
)


async def start(hass: HomeAssistant) -> str:
    """Choose the blip meter from the menu."""
    flow = await hass.config_entries.flow.async_init(
        "rackwatt", context={"source": SOURCE_USER}
    )
    assert flow["type"] is FlowResultType.MENU
    assert "blip_meter" in flow["menu_options"]
    flow = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"next_step_id": "blip_meter"}
    )
    assert flow["type"] is FlowResultType.FORM
    return flow["flow_id"]


async def configure(
    hass: HomeAssistant, flow_id: str, user_input: dict[str, Any]
) -> Any:
    """Fill in a form."""
    return await hass.config_entries.flow.async_configure(flow_id, user_input)


@pytest.fixture
def opening() -> Iterator[AsyncMock]:
    """Replace the opening of ports by the form."""
    with patch.object(
        port_module,
        "open_serial_connection",
        return_value=(Mock(), Mock(wait_closed=AsyncMock())),
    ) as opening:
        yield opening


async def test_add(hass: HomeAssistant, line: SerialLine) -> None:
    """Port, meter, entry; the meter counts."""
    flow_id = await start(hass)
    flow = await configure(hass, flow_id, {"port": line.port, **PORT})
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "meter")
    flow = await configure(hass, flow_id, METER)
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    entry = flow["result"]
    assert entry.title == "Blip meter blip"
    assert entry.data == {"kind": "blip_meter", "port": line.port, **PORT}
    (meter,) = entry.subentries.values()
    assert dict(meter.data) == METER
    assert (meter.subentry_type, meter.title, meter.unique_id) == (
        "meter",
        "Rack feed",
        "1",
    )
    await hass.async_block_till_done()
    line.send(b"1 3600\n1 3600\n")
    await until(hass, lambda: state(hass, "sensor.rack_feed_power") == "1000.0")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file"), "no_such_port"),
        (PermissionError(errno.EACCES, "Permission denied"), "no_permission"),
        (OSError(errno.EBUSY, "already locked by another process"), "port_in_use"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "refused"),
        (TimeoutError(), "timeout"),
        (UnknownUriScheme("gopher"), "unknown_scheme"),
        (OSError(errno.ENOTTY, "Inappropriate ioctl"), "not_serial"),
        (OSError(errno.EIO, "Input/output error"), "cannot_open"),
        (SerialException("strange"), "cannot_open"),
    ],
)
async def test_a_port_that_does_not_open(
    hass: HomeAssistant, opening: AsyncMock, error: Exception, sentence: str
) -> None:
    """Each cause has its sentence, and the form can be corrected."""
    flow_id = await start(hass)
    opening.side_effect = error
    flow = await configure(hass, flow_id, {"port": "/dev/ttyUSB9", **PORT})
    assert flow["errors"] == {"port": sentence}
    opening.side_effect = None
    flow = await configure(hass, flow_id, {"port": "/dev/ttyUSB0", **PORT})
    assert flow["step_id"] == "meter"


async def test_real_ports_that_do_not_open(
    hass: HomeAssistant, line: SerialLine, tmp_path: Any
) -> None:
    """What the operating system says of them."""
    missing = await async_test_port(str(tmp_path / "none"), 9600, "N")
    assert isinstance(missing, FileNotFoundError)
    assert port_module.port_error_key(missing) == "no_such_port"
    plain = tmp_path / "plain"
    plain.touch()
    no_tty = await async_test_port(str(plain), 9600, "N")
    assert no_tty is not None
    assert port_module.port_error_key(no_tty) == "not_serial"
    scheme = await async_test_port("gopher://x", 9600, "N")
    assert scheme is not None
    assert port_module.port_error_key(scheme) == "unknown_scheme"
    _, writer = await async_open_port(line.port, 9600, "N")
    busy = await async_test_port(line.port, 9600, "N")
    await async_close_port(writer)
    assert busy is not None
    assert port_module.port_error_key(busy) == "port_in_use"


async def test_a_port_twice(hass: HomeAssistant, line: SerialLine) -> None:
    """One entry a port, also when two flows run at once."""
    first, second = await start(hass), await start(hass)
    for flow_id in (first, second):
        flow = await configure(hass, flow_id, {"port": line.port, **PORT})
        assert flow["step_id"] == "meter"
    flow = await configure(hass, first, METER)
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    flow = await configure(hass, second, METER)
    assert (flow["type"], flow["reason"]) == (
        FlowResultType.ABORT,
        "already_configured",
    )
    flow = await configure(hass, await start(hass), {"port": line.port, **PORT})
    assert flow["reason"] == "already_configured"


async def test_reconfigure_keeps_the_counter(
    hass: HomeAssistant, line: SerialLine, tmp_path: Any
) -> None:
    """Another port is the same meter: same entities, energy goes on."""
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    line.send(b"1 3600\n1 3600\n")
    await until(hass, lambda: state(hass, "sensor.rack_feed_energy") == "0.002")
    other = SerialLine(tmp_path / "other")
    other.plug()
    flow = await entry.start_reconfigure_flow(hass)
    assert flow["step_id"] == "blip_meter"
    # the port that the entry itself has open is no other program's
    flow = await configure(
        hass, flow["flow_id"], {"port": other.port, **PORT, "parity": "E"}
    )
    assert flow["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert entry.data["port"] == other.port
    await until(hass, lambda: state(hass, "sensor.rack_feed_energy") == "0.002")
    other.send(b"1 3600\n")
    await until(hass, lambda: state(hass, "sensor.rack_feed_energy") == "0.003")
    flow = await entry.start_reconfigure_flow(hass)
    flow = await configure(hass, flow["flow_id"], {"port": other.port, **PORT})
    assert flow["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert entry.data["parity"] == "N"
    await hass.config_entries.async_unload(entry.entry_id)
    other.unplug()


async def test_reconfigure_an_entry_that_did_not_load(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """It is loaded at once, not at its next try."""
    entry = blip_entry("/dev/none")
    entry.add_to_hass(hass)
    flow = await entry.start_reconfigure_flow(hass)
    flow = await configure(hass, flow["flow_id"], {"port": line.port, **PORT})
    assert flow["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED


async def meter_flow(hass: HomeAssistant, entry: Any, meter: dict[str, Any]) -> Any:
    """Add a meter."""
    flow = await hass.config_entries.subentries.async_init(
        (entry.entry_id, "meter"), context={"source": SOURCE_USER}
    )
    if flow["type"] is FlowResultType.ABORT:
        return flow
    return await hass.config_entries.subentries.async_configure(flow["flow_id"], meter)


async def test_add_a_meter(hass: HomeAssistant, line: SerialLine) -> None:
    """It counts at once; a number is taken once."""
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    second = METER | {"meter_id": 2, "name": "Cooling"}
    flow = await meter_flow(hass, entry, second)
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    line.send(b"2 1800\n2 1800\n")
    await until(hass, lambda: state(hass, "sensor.cooling_power") == "2000.0")
    flow = await meter_flow(hass, entry, second)
    assert flow["errors"] == {"meter_id": "meter_exists"}


async def test_lines_without_a_number_have_one_meter(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """A second one could never blink."""
    entry = blip_entry(line.port, line_format="ms")
    await set_up(hass, entry)
    flow = await meter_flow(hass, entry, METER | {"meter_id": 2})
    assert flow["reason"] == "one_meter_only"


@pytest.mark.parametrize("loaded", [True, False])
async def test_change_a_meter(
    hass: HomeAssistant, line: SerialLine, loaded: bool
) -> None:
    """The counter never falls, whatever its constant was; entity ids stay."""
    entry = blip_entry(line.port, meter_subentry(), meter_subentry(meter_id=2))
    await set_up(hass, entry)
    line.send(b"1 3600\n" * 4)
    await until(hass, lambda: state(hass, "sensor.rack_feed_power") == "1000.0")
    before = {item.entity_id for item in er.async_get(hass).entities.values()}
    subentry_id = next(iter(entry.subentries))
    if not loaded:
        await hass.config_entries.async_unload(entry.entry_id)
    flow = await entry.start_subentry_reconfigure_flow(hass, subentry_id)
    flow_id = flow["flow_id"]
    flow = await hass.config_entries.subentries.async_configure(
        flow_id, METER | {"meter_id": 2}
    )
    assert flow["errors"] == {"meter_id": "meter_exists"}
    flow = await hass.config_entries.subentries.async_configure(
        flow_id, METER | {"impulses_per_kwh": 500, "ratio": 3, "name": "Feed A"}
    )
    assert flow["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    await until(hass, lambda: state(hass, "sensor.rack_feed_energy") == "0.004")
    line.send(b"1 3600\n1 3600\n")
    await until(hass, lambda: state(hass, "sensor.rack_feed_power") == "6000.0")
    await until(hass, lambda: state(hass, "sensor.rack_feed_energy") == "0.016")
    assert before == {item.entity_id for item in er.async_get(hass).entities.values()}


async def test_usb_asks_and_never_adds(hass: HomeAssistant, opening: AsyncMock) -> None:
    """An Arduino may be anything."""
    flow = await hass.config_entries.flow.async_init(
        "rackwatt", context={"source": SOURCE_USB}, data=USB
    )
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "blip_meter")
    (progress,) = hass.config_entries.flow.async_progress()
    assert progress["context"]["title_placeholders"] == {"name": "Uno"}
    again = await hass.config_entries.flow.async_init(
        "rackwatt", context={"source": SOURCE_USB}, data=USB
    )
    assert again["reason"] == "already_in_progress"
    flow = await configure(hass, flow["flow_id"], {"port": "/dev/ttyACM0", **PORT})
    with patch("custom_components.rackwatt.async_setup_entry", return_value=True):
        flow = await configure(hass, flow["flow_id"], METER)
        assert flow["type"] is FlowResultType.CREATE_ENTRY
        again = await hass.config_entries.flow.async_init(
            "rackwatt", context={"source": SOURCE_USB}, data=USB
        )
    assert again["reason"] == "already_configured"


async def test_usb_of_a_port_that_is_set_up(hass: HomeAssistant) -> None:
    """It was added by hand before."""
    blip_entry(USB.device).add_to_hass(hass)
    flow = await hass.config_entries.flow.async_init(
        "rackwatt", context={"source": SOURCE_USB}, data=USB
    )
    assert flow["reason"] == "already_configured"


async def test_names_of_ports(hass: HomeAssistant) -> None:
    """A stable name for a device; no credentials of an address."""
    with patch(
        "homeassistant.components.usb.get_serial_by_id",
        return_value="/dev/serial/by-id/uno",
    ):
        assert await async_stable_port(hass, "/dev/ttyACM0") == "/dev/serial/by-id/uno"
        assert await async_stable_port(hass, "socket://h:1") == "socket://h:1"
    assert printable_port("/dev/ttyACM0") == "/dev/ttyACM0"
    assert printable_port("esphome://u:p@h:6053/0?key=secret") == "esphome://h:6053/0"
