"""The demo's first page: a dashboard with what the rack draws now and drew before."""

from collections.abc import Sequence
from typing import Any

from .client import Client
from .rack.part import Consumer

PATH = "demo-rack"
_WIDE = {"columns": "full"}


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


def _board_of(consumers: Sequence[Consumer]) -> dict[str, Any]:
    """Return the dashboard's configuration."""
    view = {
        "title": "Rack",
        "path": "rack",
        "type": "sections",
        "max_columns": 3,
        "dense_section_placement": True,
        "sections": [
            *(_consumer_section(consumer) for consumer in consumers),
            _statistics_section("Power", [line.power for line in consumers]),
            _energy_section([line.energy for line in consumers]),
        ],
    }
    return {"title": "Rack", "views": [view]}


def _consumer_section(consumer: Consumer) -> dict[str, Any]:
    """Return what a consumer draws now, and drew in the last hours."""
    tile = {"type": "tile", "grid_options": {"columns": 6}}
    return {
        "type": "grid",
        "cards": [
            {"type": "heading", "heading": consumer.name, "icon": "mdi:flash"},
            tile | {"entity": consumer.power, "name": "Power"},
            tile | {"entity": consumer.energy, "name": "Energy"},
            {
                "type": "history-graph",
                "hours_to_show": 24,
                "entities": [{"entity": consumer.power, "name": "Power"}],
                "grid_options": _WIDE,
            },
        ],
    }


def _statistics_section(heading: str, powers: Sequence[str]) -> dict[str, Any]:
    """Return the graphs of power over a week and a month."""
    graph = {
        "type": "statistics-graph",
        "chart_type": "line",
        "entities": list(powers),
        "grid_options": _WIDE,
        "hide_legend": len(powers) == 1,
    }
    return {
        "type": "grid",
        "cards": [
            {"type": "heading", "heading": heading, "icon": "mdi:chart-line"},
            graph
            | {
                "title": "A week",
                "stat_types": ["mean"],
                "period": "hour",
                "days_to_show": 7,
            },
            graph
            | {
                "title": "A month, with its peaks",
                "stat_types": ["min", "mean", "max"],
                "period": "day",
                "days_to_show": 30,
            },
        ],
    }


def _energy_section(energies: Sequence[str]) -> dict[str, Any]:
    """Return the graphs of energy per day and per month."""
    graph = {
        "type": "statistics-graph",
        "chart_type": "bar",
        "stat_types": ["change"],
        "entities": list(energies),
        "grid_options": _WIDE,
        "hide_legend": len(energies) == 1,
    }
    return {
        "type": "grid",
        "cards": [
            {"type": "heading", "heading": "Energy", "icon": "mdi:lightning-bolt"},
            graph | {"title": "Per day", "period": "day", "days_to_show": 30},
            graph | {"title": "Per month", "period": "month", "days_to_show": 365},
        ],
    }
