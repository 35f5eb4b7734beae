"""The demo's first page: a dashboard with what the rack draws now and drew before."""

from collections.abc import Sequence
from typing import Any

from .client import Client
from .rack.part import Consumer

PATH = "demo-rack"
_WIDE = {"columns": "full"}

type _Card = dict[str, Any]


async def set_up_board(client: Client, consumers: Sequence[Consumer]) -> None:
    """Make the dashboard and open it first, unless it exists: then it is the user's."""
    boards = await client.call("lovelace/dashboards/list")
    if any(board["url_path"] == PATH for board in boards) or not consumers:
        return
    await client.call(
        "lovelace/dashboards/create",
        url_path=PATH,
        title="Rack",
        icon="mdi:server-network",
        show_in_sidebar=True,
        require_admin=False,
    )
    await client.call(
        "lovelace/config/save", url_path=PATH, config=_board_of(consumers)
    )
    await client.call(
        "frontend/set_system_data", key="core", value={"default_panel": PATH}
    )


def _board_of(consumers: Sequence[Consumer]) -> _Card:
    """Return the dashboard's configuration."""
    feeds = [consumer for consumer in consumers if consumer.is_feed]
    devices = [consumer for consumer in consumers if not consumer.is_feed]
    # the feed is the sum of the devices: side by side they would count twice
    totals = feeds or devices
    energies = [consumer.energy for consumer in totals]
    powers = [consumer.power for consumer in totals]
    view = {
        "title": "Rack",
        "path": "rack",
        "type": "sections",
        "max_columns": 3,
        "dense_section_placement": True,
        "sections": [
            *(_consumer_section(consumer) for consumer in feeds),
            _section(
                "Energy",
                "mdi:lightning-bolt",
                _bars("Energy per day", energies, "day", 30),
                _bars("Energy per month", energies, "month", 365),
            ),
            _section(
                "Power",
                "mdi:chart-bell-curve",
                _line("Power in a month", powers, "day", 30),
            ),
            *(_consumer_section(consumer) for consumer in devices),
        ],
    }
    return {"title": "Rack", "views": [view]}


def _graph(title: str, entities: Sequence[str], period: str, days: int) -> _Card:
    """Return a graph of long-term statistics."""
    return {
        "type": "statistics-graph",
        "title": title,
        "entities": list(entities),
        "period": period,
        "days_to_show": days,
        "hide_legend": len(entities) == 1,
        "grid_options": _WIDE,
    }


def _line(title: str, entities: Sequence[str], period: str, days: int) -> _Card:
    """Return a graph of power with its peaks, where one line leaves room for them."""
    stat_types = ["mean", "min", "max"] if len(entities) == 1 else ["mean"]
    graph = _graph(title, entities, period, days)
    return graph | {"chart_type": "line", "stat_types": stat_types}


def _bars(title: str, entities: Sequence[str], period: str, days: int) -> _Card:
    """Return a graph of energy."""
    graph = _graph(title, entities, period, days)
    return graph | {"chart_type": "bar", "stat_types": ["change"]}


def _section(heading: str, icon: str, *cards: _Card) -> _Card:
    """Return a section of the page."""
    top = {"type": "heading", "heading": heading, "icon": icon}
    return {"type": "grid", "cards": [top, *cards]}


def _consumer_section(consumer: Consumer) -> _Card:
    """Return what a consumer draws now, and drew in the last hours and days."""
    tile = {"type": "tile", "grid_options": {"columns": 6}}
    return _section(
        consumer.name,
        "mdi:flash",
        tile | {"entity": consumer.power, "name": "Power"},
        tile | {"entity": consumer.energy, "name": "Energy"},
        {
            "type": "history-graph",
            "hours_to_show": 24,
            "entities": [{"entity": consumer.power, "name": "Power"}],
            "grid_options": _WIDE,
        },
        _line("Power in a week", [consumer.power], "hour", 7),
    )
