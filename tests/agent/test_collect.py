"""What is measured, from files and libraries that are real or laid out as the kernel does."""

import os
from pathlib import Path
import shutil
import stat
import subprocess
import sys

import pytest

from rackwatt_agent.collect import collector as module
from rackwatt_agent.collect.battery import BatteryCollector
from rackwatt_agent.collect.collector import Sampler, Values
from rackwatt_agent.collect.custom import CustomCollector, first_number
from rackwatt_agent.collect.disk import DiskCollector
from rackwatt_agent.collect.energy import EnergyCount
from rackwatt_agent.collect.families import collectors
from rackwatt_agent.collect.gpu import AmdCollector, NvidiaCollector
from rackwatt_agent.collect.hwmon import HwmonCollector, has_chassis_meter
from rackwatt_agent.collect.network import NetworkCollector
from rackwatt_agent.collect.power import DcmiCollector, RaplCollector
from rackwatt_agent.collect.rates import Rates
from rackwatt_agent.collect.system import SystemCollector, count_users
from rackwatt_agent.config import Choice, Config, Custom
from rackwatt_agent.server.report import Metric


def lay_out(root: Path, files: dict[str, str]) -> Path:
    """Write small files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a clock that the test moves."""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_this_machine(config: Config) -> None:
    """Whatever this machine has is read, and fits its description."""
    sampler = Sampler(collectors(config))
    sampler.sample()
    layout, values = sampler.sample()
    read = dict(zip(layout.keys, values, strict=True))
    assert 0 <= (read["mem"] or -1) <= 100
    assert (read["uptime"] or 0) > 0
    assert read["cpu"] is not None
    assert read["disk:/"] is not None
    assert layout.metrics.keys() == set(layout.keys)
    assert sampler.problems == {}
    assert sampler.sample()[0] is layout


class Broken:
    """A family that fails."""

    name = "broken"
    metrics = {"x": Metric(kind="x")}
    fails = True

    def read(self) -> Values:
        """Fail, or not."""
        if self.fails:
            raise ValueError("the driver is gone")
        return {"x": float("nan")}


def test_a_family_fails_alone(caplog: pytest.LogCaptureFixture) -> None:
    """The others are read; the failure is told once, and so is its end."""
    broken = Broken()
    sampler = Sampler([broken, SystemCollector()])
    for _ in range(3):
        layout, values = sampler.sample()
        assert values[layout.keys.index("x")] is None
        assert values[layout.keys.index("mem")] is not None
    assert sampler.problems == {"broken": "the driver is gone"}
    broken.fails = False
    layout, values = sampler.sample()
    # NaN is no reading
    assert values[layout.keys.index("x")] is None
    assert sampler.problems == {}
    assert [r.message for r in caplog.records] == [
        "broken cannot be read: the driver is gone",
        "broken can be read again",
    ]


def test_no_more_than_500(caplog: pytest.LogCaptureFixture) -> None:
    """A report has at most 500 metrics; what is left out is told."""

    class Many:
        name = "many"
        metrics = {f"m{n}": Metric(kind="x") for n in range(510)}

        def read(self) -> Values:
            return {}

    layout, _ = Sampler([Many()]).sample()
    assert len(layout.keys) == module.MAX_METRICS
    assert "10 of 510" in caplog.text


def test_rates(clock: list[float]) -> None:
    """A counter's gain a second; none at first, none after a reset."""
    rates = Rates()
    assert rates.update({"a": 100}) == {"a": None}
    clock[0] += 2
    assert rates.update({"a": 300, "b": 1}) == {"a": 100, "b": None}
    clock[0] += 2
    assert rates.update({"a": 5, "b": 1}) == {"a": None, "b": 0}


def test_users_of_systemd(tmp_path: Path) -> None:
    """Systemd's sessions of people count, its greeter and services do not."""
    lay_out(
        tmp_path,
        {
            "1": "UID=1000\nCLASS=user",
            "2": "UID=120\nCLASS=greeter",
            "3": "UID=1000\nCLASS=user",
            "3.ref": "CLASS=user",
        },
    )
    assert count_users(tmp_path) == 2
    assert count_users(tmp_path / "none") >= 0


def test_mounts(tmp_path: Path) -> None:
    """Wanted mounts only, each file system once."""
    collector = DiskCollector(Choice())
    values = collector.read()
    assert values["disk:/"] is not None
    assert collector.metrics["disk:/"].mount == "/"
    assert values["disk_used:/"] and values["disk_free:/"] is not None
    none = DiskCollector(Choice(exclude=("*",)))
    assert none.read() == {}
    assert none.metrics == {}


def test_interfaces() -> None:
    """Wanted interfaces only."""
    collector = NetworkCollector(Choice(include=("lo",)))
    collector.read()
    values = collector.read()
    assert set(values) == {"net_rx:lo", "net_tx:lo"}
    assert collector.metrics["net_rx:lo"].interface == "lo"
    assert NetworkCollector(Choice(include=("nosuch*",))).read() == {}


def test_hwmon(tmp_path: Path) -> None:
    """Inputs with their labels; two chips of a name are told apart by their device."""
    root = lay_out(
        tmp_path / "hwmon",
        {
            "hwmon0/name": "coretemp",
            "hwmon0/temp1_input": "48000",
            "hwmon0/temp1_label": "Package id 0",
            "hwmon0/temp2_input": "200000",
            "hwmon1/name": "nct6775",
            "hwmon1/fan1_input": "1240",
            "hwmon1/fan2_input": "garbage",
            "hwmon1/temp7_input": "30000",
            "hwmon1/temp7_fault": "1",
            "hwmon2/name": "power_meter",
            "hwmon2/power1_average": "212000000",
            "hwmon2/power1_input": "999",
            "hwmon5/name": "psu",
            "hwmon5/power1_input": "105500000",
            "hwmon5/power1_label": "pin",
            "hwmon6/name": "amdgpu",
            "hwmon6/temp1_input": "50000",
        },
    )
    for n, device in ((3, "nvme0"), (4, "nvme1")):
        lay_out(root, {f"hwmon{n}/name": "nvme", f"hwmon{n}/temp1_input": f"{n}1000"})
        (tmp_path / device).mkdir()
        (root / f"hwmon{n}/device").symlink_to(tmp_path / device)
    collector = HwmonCollector(root)
    values = collector.read()
    assert values == {
        "temp:coretemp:Package id 0": 48.0,
        "temp:coretemp:temp2": None,  # the end of its scale
        "fan:nct6775:fan1": 1240,
        "fan:nct6775:fan2": None,
        "power:chassis": 212.0,
        "power:psu:pin": 105.5,
        "temp:nvme@nvme0:temp1": 31.0,
        "temp:nvme@nvme1:temp1": 41.0,
    }
    assert collector.metrics["power:chassis"] == Metric(
        kind="power", unit="W", scope="chassis", source="acpi"
    )
    assert collector.metrics["temp:nvme@nvme0:temp1"].name == "nvme@nvme0 temp1"
    assert has_chassis_meter(root)
    assert not has_chassis_meter(tmp_path)


def rapl(root: Path, zones: dict[str, tuple[str, int]]) -> Path:
    """Lay out energy counters that wrap at 262 kJ, of packages of 100 W."""
    for zone, (name, count) in zones.items():
        lay_out(
            root,
            {
                f"{zone}/name": name,
                f"{zone}/energy_uj": str(count),
                f"{zone}/max_energy_range_uj": "262143328850",
                f"{zone}/constraint_0_power_limit_uw": "100000000",
            },
        )
    return root


def test_rapl_adds_up_what_is_not_inside_another(
    tmp_path: Path, clock: list[float]
) -> None:
    """Two packages and memory; never the cores, which are inside a package."""
    zones = {
        "intel-rapl:0": ("package-0", 1_000_000),
        "intel-rapl:0:0": ("core", 9_000_000),
        "intel-rapl:0:1": ("dram", 1_000_000),
        "intel-rapl:1": ("package-1", 1_000_000),
    }
    collector = RaplCollector(rapl(tmp_path, zones))
    assert collector.read() == {"power:cpu_package": None, "energy:cpu_package": 0}
    clock[0] += 10
    rapl(
        tmp_path,
        {
            "intel-rapl:0": ("package-0", 361_000_000),
            "intel-rapl:0:0": ("core", 300_000_000),
            "intel-rapl:0:1": ("dram", 41_000_000),
            "intel-rapl:1": ("package-1", 201_000_000),
        },
    )
    values = collector.read()
    assert values["power:cpu_package"] == pytest.approx(60.0)
    assert values["energy:cpu_package"] == pytest.approx(600 / 3600)


def test_rapl_of_the_platform_replaces_the_sum(tmp_path: Path) -> None:
    """Where the platform is metered, its parts are inside."""
    zones = {
        "intel-rapl:0": ("package-0", 0),
        "intel-rapl:1": ("psys", 0),
    }
    collector = RaplCollector(rapl(tmp_path, zones))
    assert set(collector.metrics) == {"power:platform", "energy:platform"}
    assert RaplCollector(tmp_path / "none").metrics == {}


def test_rapl_not_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root may read it since 2020: said in a sentence with its cure."""
    collector = RaplCollector(rapl(tmp_path, {"intel-rapl:0": ("package-0", 0)}))
    real = Path.read_text

    def refuse(path: Path, *args: str) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return real(path, *args)

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(PermissionError, match="install-service --rapl"):
        collector.read()


@pytest.mark.parametrize(
    ("passed", "count", "watts", "gaps"),
    [
        (10, 500, 50.0, 0),
        (10, 50, 10.0, 0),  # wrapped: 950 → 1050
        (60, 50, None, 1),  # so long that it might have wrapped twice
        (10, 940, None, 1),  # a wrap of 990 J in 10 s is above twice the limit: a reset
        (0, 960, None, 0),
    ],
)
def test_wrap_only_where_it_is_provable(
    passed: float, count: int, watts: float | None, gaps: int
) -> None:
    """A wrap and a reset look alike; what cannot be proven is a gap."""
    energy = EnergyCount(1.0, wrap=1000)
    energy.update(0 if count == 500 else 950, 0.0, 10.0 if count != 500 else 100.0)
    assert energy.update(count, passed, 10.0 if count != 500 else 100.0) == watts
    assert energy.gaps == gaps
    if watts is not None:
        assert energy.wh == pytest.approx(watts * passed / 3600)


def test_counter_without_a_known_wrap() -> None:
    """A fall of such a counter counts nothing."""
    energy = EnergyCount(1e-3)
    energy.update(10_000, 0, None)
    energy.update(5_000, 1, None)
    energy.update(8_600, 2, None)
    assert energy.gaps == 1
    assert energy.wh == pytest.approx(0.001)


def tool(directory: Path, script: str) -> None:
    """Put an ipmitool on the path."""
    path = directory / "ipmitool"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_dcmi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    """The chassis' power, asked once a minute: each call costs 36 ms."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    device = tmp_path / "ipmi0"
    assert DcmiCollector(device).metrics == {}
    device.touch()
    tool(tmp_path, 'echo "    Instantaneous power reading:    187 Watts"')
    collector = DcmiCollector(device)
    assert collector.metrics["power:chassis"].source == "dcmi"
    assert collector.read() == {"power:chassis": 187.0}
    tool(tmp_path, 'echo "Instantaneous power reading: 0 Watts"')
    clock[0] += 59
    assert collector.read() == {"power:chassis": 187.0}
    clock[0] += 1
    assert collector.read() == {"power:chassis": None}
    tool(tmp_path, 'echo "Could not open device" >&2; exit 1')
    clock[0] += 60
    with pytest.raises(OSError, match="Could not open device"):
        collector.read()
    assert collector.read() == {"power:chassis": None}


def test_battery(tmp_path: Path) -> None:
    """Charge always; power only while it discharges, for then it feeds the machine."""
    root = lay_out(
        tmp_path,
        {
            "AC/type": "Mains",
            "BAT0/type": "Battery",
            "BAT0/capacity": "81",
            "BAT0/status": "Discharging",
            "BAT0/current_now": "-1500000",
            "BAT0/voltage_now": "12000000",
            "BAT1/type": "Battery",
            "BAT1/capacity": "100",
            "BAT1/status": "Full",
            "BAT1/power_now": "1000000",
            "mouse/type": "Battery",
            "mouse/scope": "Device",
        },
    )
    collector = BatteryCollector(root)
    assert collector.read() == {
        "battery:BAT0": 81,
        "power:BAT0": 18.0,
        "battery:BAT1": 100,
        "power:BAT1": None,
    }
    lay_out(root, {"BAT1/status": "Discharging", "BAT0/current_now": "none"})
    values = collector.read()
    assert values["power:BAT1"] == 1.0
    assert values["power:BAT0"] is None
    assert set(values) == set(collector.metrics)


def test_amd_card(tmp_path: Path) -> None:
    """The kernel's own files of a card."""
    root = lay_out(
        tmp_path,
        {
            "card0/device/gpu_busy_percent": "17",
            "card0/device/mem_info_vram_used": "2000",
            "card0/device/mem_info_vram_total": "8000",
            "card0/device/hwmon/hwmon3/temp1_input": "51000",
            "card0/device/hwmon/hwmon3/power1_average": "33000000",
            "card1/device/vendor": "0x10de",
        },
    )
    collector = AmdCollector(root)
    assert collector.read() == {
        "amd0:util": 17,
        "amd0:mem": 25.0,
        "amd0:temp": 51.0,
        "amd0:power": 33.0,
    }
    assert collector.metrics["amd0:power"].scope == "gpu_board"


NVML = r"""
/* The driver's library as a card of two is read through it: the numbers are those of
   an H100 at rest; the second card is too old to count energy. */
#include <string.h>
typedef struct { unsigned gpu, memory; } Util;
typedef struct { unsigned long long total, free, used; } Memory;
static int cards[2] = {0, 1};
int nvmlInitWithFlags(unsigned f) { return 0; }
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned n, void **h) { *h = &cards[n]; return 0; }
int nvmlDeviceGetName(int *h, char *s, unsigned n) { strncpy(s, "NVIDIA H100 PCIe", n); return 0; }
int nvmlDeviceGetUtilizationRates(int *h, Util *u) { u->gpu = 35 + *h; u->memory = 9; return 0; }
int nvmlDeviceGetMemoryInfo(int *h, Memory *m) { m->total = 80ull << 30; m->used = 20ull << 30; return 0; }
int nvmlDeviceGetTemperature(int *h, int s, unsigned *t) { *t = 41; return 0; }
int nvmlDeviceGetTemperatureV(int *h, void *v) { return 3; }
int nvmlDeviceGetPowerUsage(int *h, unsigned *mw) { *mw = 88213; return 0; }
int nvmlDeviceGetTotalEnergyConsumption(int *h, unsigned long long *mj) {
  static unsigned long long count = 7200000;
  if (*h) return 3;
  *mj = count; count += 3600; return 0; }
const char *nvmlErrorString(int e) { return "Not Supported"; }
"""

READ_CARDS = """
import json, sys
from pathlib import Path
from rackwatt_agent.collect.gpu import NvidiaCollector
collector = NvidiaCollector(Path("/"))
first, second = collector.read(), collector.read()
print(json.dumps([first, second, {k: m.to_json() for k, m in collector.metrics.items()}]))
"""


def test_nvidia_cards(tmp_path: Path) -> None:
    """NVIDIA's own Python module on a library that answers as the driver's does."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler, "Install a C compiler: it makes the driver's library"
    source = tmp_path / "nvml.c"
    source.write_text(NVML)
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    done = subprocess.run(
        [sys.executable, "-c", READ_CARDS],
        env={
            **os.environ,
            "LD_LIBRARY_PATH": str(tmp_path),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    import json  # noqa: PLC0415

    first, second, metrics = json.loads(done.stdout)
    assert first["gpu0:util"] == 35
    assert first["gpu1:util"] == 36
    assert first["gpu0:mem"] == 25.0
    assert first["gpu0:temp"] == 41
    assert first["gpu0:power"] == pytest.approx(88.213)
    # energy counts from the agent's start, in Wh; an older card has no counter
    assert second["gpu0:energy"] - first["gpu0:energy"] == pytest.approx(0.001)
    assert "gpu1:energy" not in first
    assert metrics["gpu1:power"] == {
        "kind": "power",
        "unit": "W",
        "name": "GPU 1 NVIDIA H100 PCIe",
        "chip": "gpu1",
        "scope": "gpu_board",
        "source": "nvml",
    }


def test_no_nvidia_card(tmp_path: Path) -> None:
    """Without a driver nothing is imported; without its library there is nothing."""
    assert NvidiaCollector(tmp_path / "none").read() == {}
    assert NvidiaCollector(Path("/")).read() == {}


def test_custom_metrics(
    tmp_path: Path, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """Commands and files of the owner's; each fails alone and is told once."""
    (tmp_path / "value").write_text("water: 21500 mC\n")
    (tmp_path / "count").write_text("0")
    script = f'echo x >> "{tmp_path}/count"; echo "jobs=7"'
    items = (
        Custom(name="water", path=tmp_path / "value", scale=0.001, unit="°C"),
        Custom(name="jobs", command=("/bin/sh", "-c", script), interval=30),
        Custom(name="gone", path=tmp_path / "gone"),
        Custom(name="failing", command=("/bin/false",)),
        Custom(name="silent", command=("/bin/true",)),
    )
    collector = CustomCollector(items)
    expected = {
        "custom:water": 21.5,
        "custom:jobs": 7.0,
        "custom:gone": None,
        "custom:failing": None,
        "custom:silent": None,
    }
    assert collector.read() == expected
    clock[0] += 29
    assert collector.read() == expected
    assert (tmp_path / "count").read_text().count("x") == 1
    clock[0] += 31
    collector.read()
    assert (tmp_path / "count").read_text().count("x") == 2
    assert len(caplog.records) == 3
    assert collector.metrics["custom:water"].unit == "°C"


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), ("-1.5e3 W", -1500), ("load: .25,", 0.25), ("+7", 7)],
)
def test_first_number(text: str, number: float) -> None:
    """The first number in a text."""
    assert first_number(text) == number
