"""Adding, changing and mending the entry of a PDU."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.dhcp import DhcpServiceInfo

from .conftest import V2C, V3, SetUp, StartAgent, pdu_entry
from custom_components.rackwatt.const import DOMAIN
from custom_components.rackwatt.pdu.errors import SnmpTimeoutError
from custom_components.rackwatt.requirements import PYSNMP, RequirementMissingError
from demo.rack import pdu_trees
from demo.rack.snmpd import AUTH_KEY, COMMUNITY, PRIV_KEY, USERNAME, Snmpd, free_port

pytestmark = pytest.mark.usefixtures("impatient", "socket_enabled")

SERIAL = "ZA1700000001"
USER = {
    "username": USERNAME,
    "auth_protocol": "sha256",
    "auth_key": AUTH_KEY,
    "priv_protocol": "aes128",
    "priv_key": PRIV_KEY,
}


@pytest.fixture
async def agent(shared_agent: StartAgent) -> AsyncIterator[Snmpd]:
    """Start a PDU."""
    return await shared_agent(pdu_trees.rpdu2(outlets=2))


def location(agent: Snmpd, version: str = "3") -> dict[str, Any]:
    """Return the answers to the first step."""
    return {"host": "127.0.0.1", "port": agent.port, "version": version}


async def start(hass: HomeAssistant) -> ConfigFlowResult:
    """Choose the PDU in the menu."""
    flow = hass.config_entries.flow
    result = await flow.async_init(DOMAIN, context={"source": "user"})
    return await flow.async_configure(result["flow_id"], {"next_step_id": "pdu"})


async def answer(
    hass: HomeAssistant, result: ConfigFlowResult, **answers: Any
) -> ConfigFlowResult:
    """Fill in a form."""
    result = await hass.config_entries.flow.async_configure(result["flow_id"], answers)
    await hass.async_block_till_done()
    return result


async def unload(hass: HomeAssistant) -> None:
    """Unload what the flow has set up."""
    for entry in hass.config_entries.async_entries(DOMAIN):
        if entry.state is ConfigEntryState.LOADED:
            await hass.config_entries.async_unload(entry.entry_id)


async def test_add_by_user(hass: HomeAssistant, agent: Snmpd) -> None:
    """A PDU is added by a user of SNMPv3."""
    result = await start(hass)
    result = await answer(hass, result, **location(agent))
    assert result["step_id"] == "pdu_user"
    result = await answer(hass, result, **USER)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "rack-left"
    entry = result["result"]
    assert entry.unique_id == SERIAL
    assert entry.data == {
        "kind": "pdu",
        "host": "127.0.0.1",
        "port": agent.port,
        "version": "3",
        "mac": "00:c0:b7:10:20:30",
        "key_extension": "reeder",
        **USER,
    }
    assert entry.state is ConfigEntryState.LOADED
    # and it cannot be added again
    result = await answer(hass, await start(hass), **location(agent))
    result = await answer(hass, result, **USER)
    assert result["reason"] == "already_configured"
    await unload(hass)


async def test_add_by_community(hass: HomeAssistant, agent: Snmpd) -> None:
    """A PDU is added by a community, after a slip."""
    result = await answer(hass, await start(hass), **location(agent, "2c"))
    assert result["step_id"] == "pdu_community"
    result = await answer(hass, result, community="wrong")
    assert result["errors"] == {"community": "wrong_community"}
    result = await answer(hass, result, community=COMMUNITY)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"]["community"] == COMMUNITY
    await unload(hass)


WRONG_SETTINGS: list[tuple[dict[str, str], dict[str, str], str]] = [
    ({"username": "nobody"}, {"username": "unknown_user"}, ""),
    ({"auth_protocol": "md5"}, {"auth_protocol": "wrong_auth_protocol"}, "SHA-256"),
    ({"auth_key": "not the one"}, {"auth_key": "wrong_auth_key"}, ""),
    ({"priv_protocol": "none"}, {"priv_protocol": "wrong_level"}, ""),
    ({"priv_protocol": "des"}, {"priv_protocol": "wrong_priv_protocol"}, "AES-128"),
    ({"priv_key": "not the one"}, {"priv_key": "wrong_priv_key"}, ""),
    ({"priv_key": "short"}, {"base": "short_passphrase"}, ""),
]


async def test_wrong_settings_are_named(hass: HomeAssistant, agent: Snmpd) -> None:
    """The sentence stands at the field that is wrong, and says what would be right."""
    result = await answer(hass, await start(hass), **location(agent))
    for wrong, errors, works in WRONG_SETTINGS:
        result = await answer(hass, result, **{**USER, **wrong})
        assert result["errors"] == errors
        assert result["description_placeholders"] is not None
        assert result["description_placeholders"]["works"] == works


async def test_wrong_address(
    hass: HomeAssistant, agent: Snmpd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address where nobody answers is named before credentials are asked."""
    result = await answer(
        hass, await start(hass), host="127.0.0.1", port=free_port(), version="3"
    )
    assert result["errors"] == {"port": "port_closed"}

    async def odd(*_: object) -> None:
        raise SnmpTimeoutError("no answer")

    result = await answer(hass, result, **location(agent))
    monkeypatch.setattr("custom_components.rackwatt.pdu.flow.read_agent", odd)
    result = await answer(hass, result, **USER)
    assert result["errors"] == {"base": "no_answer"}


async def test_copy_credentials(
    hass: HomeAssistant, shared_agent: StartAgent, agent: Snmpd, set_up: SetUp
) -> None:
    """The credentials of another PDU save typing, and are asked for where they fail."""
    entry = await set_up(pdu_entry(agent, SERIAL, V3))
    other = await shared_agent(pdu_trees.rpdu())
    result = await answer(
        hass, await start(hass), **location(other), copy_from=entry.entry_id
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["result"].unique_id == "ZA0500000002"

    third = await shared_agent(pdu_trees.raritan(), users=())
    result = await answer(
        hass, await start(hass), **location(third), copy_from=entry.entry_id
    )
    assert result["step_id"] == "pdu_user"
    assert result["errors"] == {"username": "unknown_user"}
    result = await answer(
        hass, await start(hass), **location(third, "2c"), copy_from=entry.entry_id
    )
    assert result["errors"] == {"username": "unknown_user"}
    await unload(hass)


async def test_unknown_pdu_is_added(
    hass: HomeAssistant, shared_agent: StartAgent
) -> None:
    """A PDU without a profile gets an entry that says what was seen."""
    agent = await shared_agent(pdu_trees.unknown())
    result = await answer(hass, await start(hass), **location(agent, "2c"))
    result = await answer(hass, result, community=COMMUNITY)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["result"].unique_id == "02:00:00:aa:bb:cc"
    await unload(hass)


async def test_pdu_without_identity(
    hass: HomeAssistant, start_agent: StartAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PDU that nothing tells from others is known by its address."""
    tree = pdu_trees.unknown()
    tree["1.3.6.1.2.1.2.2.1.6.2"] = pdu_trees.text("")
    agent = await start_agent(tree)
    monkeypatch.setattr(
        "custom_components.rackwatt.pdu.identity.ENGINE_ID", (1, 3, 6, 1, 99)
    )
    for outcome in (FlowResultType.CREATE_ENTRY, FlowResultType.ABORT):
        result = await answer(hass, await start(hass), **location(agent, "2c"))
        result = await answer(hass, result, community=COMMUNITY)
        assert result["type"] is outcome
    assert hass.config_entries.async_entries(DOMAIN)[0].unique_id is None
    await unload(hass)


async def test_library_that_cannot_be_installed(
    hass: HomeAssistant, agent: Snmpd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing library ends the flow with a sentence."""

    async def missing(*_: object) -> None:
        raise RequirementMissingError(PYSNMP, OSError("no network"))

    monkeypatch.setattr("custom_components.rackwatt.pdu.flow.async_require", missing)
    result = await answer(hass, await start(hass), **location(agent))
    result = await answer(hass, result, **USER)
    assert result["reason"] == "requirement_missing"


async def test_reconfigure(
    hass: HomeAssistant, agent: Snmpd, shared_agent: StartAgent, set_up: SetUp
) -> None:
    """Address and credentials are changed, but not to another PDU."""
    entry = await set_up(pdu_entry(agent, SERIAL, V2C))
    result = await entry.start_reconfigure_flow(hass)
    result = await answer(hass, result, **location(agent))
    result = await answer(hass, result, **USER)
    assert result["reason"] == "reconfigure_successful"
    assert entry.data["version"] == "3"

    other = await shared_agent(pdu_trees.rpdu())
    result = await entry.start_reconfigure_flow(hass)
    result = await answer(hass, result, **location(other))
    result = await answer(hass, result, **USER)
    assert result["reason"] == "unique_id_mismatch"
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("credentials", "step", "answers"),
    [(V3, "pdu_user", USER), (V2C, "pdu_community", {"community": COMMUNITY})],
)
async def test_reauth(
    hass: HomeAssistant,
    agent: Snmpd,
    set_up: SetUp,
    credentials: Any,
    step: str,
    answers: dict[str, str],
) -> None:
    """New credentials are asked for, tried and stored."""
    entry: MockConfigEntry = await set_up(pdu_entry(agent, SERIAL, credentials))
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, "auth_key": "an old one", "community": "old"}
    )
    await hass.async_block_till_done()
    result = await entry.start_reauth_flow(hass)
    assert result["step_id"] == step
    result = await answer(hass, result, **answers)
    assert result["reason"] == "reauth_successful"
    assert answers.items() <= entry.data.items()
    await hass.async_block_till_done()


async def test_discovery_follows_a_new_address(
    hass: HomeAssistant, agent: Snmpd, set_up: SetUp
) -> None:
    """A known PDU is followed to the address that DHCP gave it."""
    entry = pdu_entry(agent, SERIAL)
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, "host": "127.0.0.9", "mac": "00:c0:b7:10:20:30"}
    )
    info = DhcpServiceInfo(ip="127.0.0.1", hostname="apc1", macaddress="00c0b7102030")
    for _ in range(2):
        result = await hass.config_entries.flow.async_init(
            DOMAIN, context={"source": "dhcp"}, data=info
        )
        assert result["reason"] == "already_configured"
        assert entry.data["host"] == "127.0.0.1"


async def test_discovery_offers_a_new_pdu(hass: HomeAssistant, agent: Snmpd) -> None:
    """A PDU with a network card by APC is offered with its address filled in."""
    info = DhcpServiceInfo(ip="127.0.0.1", hostname="", macaddress="00c0b7aabbcc")
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": "dhcp"}, data=info
    )
    assert result["step_id"] == "pdu"
    result = await answer(hass, result, **location(agent))
    result = await answer(hass, result, **USER)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["result"].unique_id == SERIAL
    await unload(hass)


async def test_options(hass: HomeAssistant, agent: Snmpd, set_up: SetUp) -> None:
    """The interval is an option; the entry loads anew with it."""
    entry = await set_up(pdu_entry(agent, SERIAL))
    result = await hass.config_entries.options.async_init(entry.entry_id)
    assert result["step_id"] == "pdu_options"
    result = await hass.config_entries.options.async_configure(
        result["flow_id"], {"poll_interval": 5}
    )
    await hass.async_block_till_done()
    assert entry.options == {"poll_interval": 5}
    assert entry.runtime_data.update_interval.total_seconds() == 5


async def test_outlet_group(hass: HomeAssistant, agent: Snmpd, set_up: SetUp) -> None:
    """A group is made of the outlets that there are, and changed."""
    entry = await set_up(pdu_entry(agent, SERIAL))
    flows = hass.config_entries.subentries
    result = await flows.async_init(
        (entry.entry_id, "outlet_group"), context={"source": "user"}
    )
    result = await flows.async_configure(
        result["flow_id"], {"name": "Server A", "outlets": []}
    )
    assert result["errors"] == {"outlets": "no_outlet_chosen"}
    result = await flows.async_configure(
        result["flow_id"], {"name": "Server A", "outlets": ["1.1", "1.2"]}
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert hass.states.get("sensor.server_a_power") is not None
    (subentry_id,) = entry.subentries
    result = await entry.start_subentry_reconfigure_flow(hass, subentry_id)
    result = await flows.async_configure(
        result["flow_id"], {"name": "Server B", "outlets": ["1.2"]}
    )
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert entry.subentries[subentry_id].data["outlets"] == ["1.2"]


async def test_outlet_group_without_outlets(
    hass: HomeAssistant, shared_agent: StartAgent, set_up: SetUp
) -> None:
    """Without outlets, or without an answer, there is nothing to choose from."""
    tree = pdu_trees.rpdu2(switched=False, metered=False, guests=("ZA2",))
    agent = await shared_agent(tree)
    entry = await set_up(pdu_entry(agent, SERIAL))
    flows = hass.config_entries.subentries
    for reason in ("no_outlets", "not_loaded"):
        result = await flows.async_init(
            (entry.entry_id, "outlet_group"), context={"source": "user"}
        )
        assert result["reason"] == reason
        await hass.config_entries.async_unload(entry.entry_id)
