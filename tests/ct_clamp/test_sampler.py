"""Test the thread of a bus and its boards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
import errno
import threading
from threading import Event
from unittest.mock import Mock

import pytest

from .rig import PATH, Rig, load, make_rig
from custom_components.rackwatt.ct_clamp import i2c
from custom_components.rackwatt.ct_clamp.adc import Converter, TooFewSamples
from custom_components.rackwatt.ct_clamp.clamp import Clamp, Fault, Wiring
from custom_components.rackwatt.ct_clamp.i2c import BusError, DeadlinePassed, NoAnswer
from custom_components.rackwatt.ct_clamp.sampler import (
    STARVED_SWEEPS,
    Board,
    BusSampler,
    Sweep,
)
from demo.rack.ads1115 import Ads1115, I2CBus, opener
from demo.rack.clock import RealClock, VirtualClock
from demo.rack.waveforms import ClampSignal, Level

AMPS = {"A0": 0.5, "A1": 1.0, "A2": 1.5, "A3": 2.0}


@dataclass
class Listener:
    """Keep what a board told."""

    sweeps: list[Sweep] = field(default_factory=list)
    failures: list[OSError] = field(default_factory=list)
    told: Event = field(default_factory=Event)

    def on_sweep(self, sweep: Sweep) -> None:
        """Keep a sweep."""
        self.sweeps.append(sweep)
        self.told.set()

    def on_failure(self, err: OSError) -> None:
        """Keep a failure."""
        self.failures.append(err)
        self.told.set()

    def board(self, clamps: dict[str, Clamp], address: int = 0x48) -> Board:
        """Return a board that tells this listener."""
        return Board(
            address=address,
            clamps=clamps,
            mains_frequency=50,
            on_sweep=self.on_sweep,
            on_failure=self.on_failure,
        )


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Return a chip with four loads."""
    return make_rig(monkeypatch, *(load(amps) for amps in AMPS.values()), noise=1)


@contextmanager
def sampling(rig: Rig, *boards: Board) -> Iterator[BusSampler]:
    """Have boards on a sampler whose sweeps the test calls itself."""
    sampler = BusSampler(PATH, rig.clock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda thread: None)
        patch.setattr(threading.Thread, "join", lambda thread, timeout: None)
        for board in boards:
            sampler.add(board)
        yield sampler


def clamps() -> dict[str, Clamp]:
    """Return a clamp at each input."""
    return {source: Clamp(source=source) for source in AMPS}


def test_four_channels_about_once_a_second(rig: Rig) -> None:
    """A sweep reads each channel; the frequency and the data rate come along."""
    listener = Listener()
    with sampling(rig, listener.board(clamps())) as sampler:
        sampler.sweep_all()
        begin = rig.clock.now
        for _ in range(3):
            sampler.sweep_all()
    assert 3 * 0.64 < rig.clock.now - begin < 3 * 0.7
    last = listener.sweeps[-1]
    assert {key: reading.current for key, reading in last.clamps.items()} == {
        key: pytest.approx(amps, rel=0.003) for key, amps in AMPS.items()
    }
    assert last.data_rate == pytest.approx(860, rel=0.005)
    assert last.mains_frequency == pytest.approx(50, abs=0.01)
    assert listener.failures == []


def test_no_current_tells_no_frequency(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a current nothing is known of the mains."""
    rig = make_rig(monkeypatch, Level(1.65))
    listener = Listener()
    with sampling(rig, listener.board({"a": Clamp(source="A0")})) as sampler:
        sampler.sweep_all()
    assert listener.sweeps[0].mains_frequency is None
    assert listener.sweeps[0].clamps["a"].current == 0


def test_board_without_channels_is_still_looked_after(rig: Rig) -> None:
    """A board without clamps is known as there, and as gone."""
    listener = Listener()
    with sampling(rig, listener.board({})) as sampler:
        sampler.sweep_all()
        assert len(listener.sweeps) == 1
        rig.chip.present = False
        sampler.sweep_all()
    assert isinstance(listener.failures[0], NoAnswer)


def test_gain_is_lowered_at_once_and_raised_with_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A load that jumps is read right in the same sweep."""
    amps = 0.01
    signal = ClampSignal(waveform=load(1).waveform, amps=lambda time: amps, bias=1.65)
    rig = make_rig(monkeypatch, signal)
    listener = Listener()
    board = listener.board(
        {"a": Clamp(source="A0"), "fixed": Clamp(source="A0", gain=2)}
    )
    with sampling(rig, board) as sampler:
        sampler.sweep_all()
        amps = 2.0
        sampler.sweep_all()
    last = listener.sweeps[-1].clamps
    assert last["a"].current == pytest.approx(2.0, rel=0.003)
    assert last["fixed"].fault is Fault.CLIPPING


def test_disturbance_costs_a_window_only(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transfer that fails is taken again, and counted."""
    listener = Listener()
    with sampling(rig, listener.board(clamps())) as sampler:
        sampler.sweep_all()
        read = rig.bus.read
        left = iter([False] * 30 + [True])

        def disturbed(address: int, length: int) -> bytes:
            if next(left, False):
                raise OSError(121, "Remote I/O error")
            return read(address, length)

        monkeypatch.setattr(rig.bus, "read", disturbed)
        sampler.sweep_all()
    assert listener.failures == []
    assert listener.sweeps[-1].retries == 1


def test_unplugged_board_is_back_within_10_s(rig: Rig) -> None:
    """A board that is gone is looked for with growing pauses, and found again."""
    listener = Listener()
    with sampling(rig, listener.board(clamps())) as sampler:
        sampler.sweep_all()
        rig.chip.present = False
        unplugged = rig.clock.now
        while rig.clock.now < unplugged + 60:
            sampler.sweep_all()
            rig.clock.sleep(0.1)
        assert all(isinstance(err, NoAnswer) for err in listener.failures)
        assert 10 < len(listener.failures) < 20
        rig.chip.present = True
        rig.chip.power_on()
        plugged = rig.clock.now
        while len(listener.sweeps) == 1:
            sampler.sweep_all()
            rig.clock.sleep(0.1)
    assert rig.clock.now - plugged < 10


def test_adapter_that_comes_back_is_opened_anew(rig: Rig) -> None:
    """A USB adapter that was pulled out and plugged in again works again."""
    listener = Listener()
    with sampling(rig, listener.board(clamps())) as sampler:
        sampler.sweep_all()
        rig.bus.plugged = False
        sampler.sweep_all()
        rig.clock.sleep(2)
        sampler.sweep_all()
        assert [type(err) for err in listener.failures] == [BusError, BusError]
        rig.bus.plugged = True
        rig.clock.sleep(5)
        sampler.sweep_all()
    assert len(listener.sweeps) == 2


@pytest.mark.parametrize("fault", ["silent", "absent"])
def test_a_broken_board_leaves_the_others_alone(rig: Rig, fault: str) -> None:
    """A chip that hangs costs the other boards of its bus 50 ms at most."""
    other = Ads1115([load(0.7)] * 4, rig.clock)
    rig.bus.chips[0x49] = other
    broken, fine = Listener(), Listener()
    one = {"a": Clamp(source="A0")}
    boards = broken.board(one), fine.board(one, 0x49)
    with sampling(rig, *boards) as sampler:
        sampler.sweep_all()
        setattr(
            rig.chip, *(("ready", False) if fault == "silent" else ("present", False))
        )
        begin = rig.clock.now
        sampler.sweep_all()
        assert rig.clock.now - begin < 0.3 + 2 * 0.05
    assert isinstance(
        broken.failures[0], DeadlinePassed if fault == "silent" else NoAnswer
    )
    assert fine.failures == []
    assert fine.sweeps[-1].clamps["a"].current == pytest.approx(0.7, rel=0.003)


@pytest.mark.parametrize(("nominal", "true"), [(50, 60), (60, 50)])
def test_mains_of_the_other_frequency(
    monkeypatch: pytest.MonkeyPatch, nominal: float, true: float
) -> None:
    """A wrong choice of 50 or 60 Hz is noticed and does not matter."""
    rig = make_rig(monkeypatch, load(1.0, frequency=true), noise=1)
    listener = Listener()
    board = replace(listener.board({"a": Clamp(source="A0")}), mains_frequency=nominal)
    with sampling(rig, board) as sampler:
        sampler.sweep_all()
        sampler.sweep_all()
    assert listener.sweeps[-1].mains_frequency == pytest.approx(true, abs=0.02)
    assert listener.sweeps[-1].clamps["a"].current == pytest.approx(1, rel=0.003)


def test_what_has_no_period_does_not_change_the_frequency(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Noise is measured as it is, at the nominal frequency."""
    rig = make_rig(monkeypatch, Level(1.65), noise=300)
    listener = Listener()
    with sampling(rig, listener.board({"a": Clamp(source="A0")})) as sampler:
        sampler.sweep_all()
        (reader,) = sampler._readers.values()
    assert reader.frequency.nominal == 50
    assert listener.sweeps[0].clamps["a"].distortion is None


def test_a_mistake_of_ours_does_not_end_the_thread(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What nobody foresaw is a failure of one board, logged, and tried again."""
    listener = Listener()
    with sampling(rig, listener.board(clamps())) as sampler:
        with monkeypatch.context() as patch:
            patch.setattr(Clamp, "read", lambda *args: 1 / 0)
            sampler.sweep_all()
        assert "division by zero" in str(listener.failures[0])
        assert "cannot be read" in caplog.text
        rig.clock.sleep(2)
        sampler.sweep_all()
    assert len(listener.sweeps) == 1


def test_data_rate_is_measured_anew_each_hour(rig: Rig) -> None:
    """A chip that warms up is followed."""
    listener = Listener()
    with sampling(rig, listener.board(clamps())) as sampler:
        sampler.sweep_all()
        rig.chip.rate_error = 0.05
        rig.clock.sleep(3700)
        sampler.sweep_all()
    assert listener.sweeps[-1].data_rate == pytest.approx(860 * 1.05, rel=0.005)


def test_many_channels_share_the_time(rig: Rig) -> None:
    """Windows never get shorter than seven cycles, however many channels there are."""
    listener = Listener()
    many = {str(n): Clamp(source="A0", wiring=Wiring.BIASED) for n in range(16)}
    with sampling(rig, listener.board(many)) as sampler:
        sampler.sweep_all()
        begin = rig.clock.now
        sampler.sweep_all()
    assert 16 * 0.15 < rig.clock.now - begin < 16 * 0.17


def test_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real thread samples in real time, and has ended when the last board leaves."""
    clock = RealClock()
    chips = {address: Ads1115([load(1.0)] * 4, clock) for address in (0x48, 0x49)}
    monkeypatch.setattr(i2c, "open_node", opener({PATH: I2CBus(chips, clock)}))
    sampler = BusSampler(PATH)
    first, second = Listener(), Listener()
    board = first.board({"a": Clamp(source="A0")})
    other = second.board({}, 0x49)
    sampler.add(board)
    sampler.add(other)
    assert first.told.wait(10)
    assert second.told.wait(10)
    assert first.failures == []
    assert first.sweeps[0].clamps["a"].current == pytest.approx(1.0, rel=0.02)
    (thread,) = (t for t in threading.enumerate() if t.name == f"rackwatt {PATH}")
    assert not sampler.remove(other)
    assert sampler.remove(board)
    assert not thread.is_alive()
    assert sampler.remove(board)


def test_bus_that_never_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sampler whose bus never opened ends as well."""
    monkeypatch.setattr(i2c, "open_node", opener({}))
    sampler = BusSampler(PATH, VirtualClock())
    listener = Listener()
    board = listener.board({})
    sampler.add(board)
    assert listener.told.wait(10)
    assert isinstance(listener.failures[0], BusError)
    assert sampler.remove(board)


def test_a_busy_machine_is_not_a_lost_board(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some sweeps without time to sample cost only themselves; many make it lost."""
    listener = Listener()
    with sampling(rig, listener.board(clamps())) as sampler:
        sampler.sweep_all()
        with monkeypatch.context() as patch:
            busy = TooFewSamples(errno.EINTR, "20 samples in 0.16 s")
            patch.setattr(Converter, "sample", Mock(side_effect=busy))
            for _ in range(STARVED_SWEEPS - 1):
                sampler.sweep_all()
            assert listener.failures == []
            sampler.sweep_all()
            assert listener.failures == [busy]
        sampler.sweep_all()
    assert len(listener.sweeps) == 2
