"""Wake a host over the network."""

import ipaddress
import re
import time

import wakeonlan

REPEATS = 3  # UDP, sent to a card that wakes from a doze: one packet may be lost
PAUSE_S = 0.1
DEFAULT_BROADCAST = "255.255.255.255"

_PAIRS = re.compile(r"[0-9a-f]{12}")


def clean_mac(text: str) -> str:
    """Return a MAC address as aa:bb:cc:dd:ee:ff, however it was typed.

    A SecureOn password of the same form may follow after a slash.
    """
    parts = [re.sub(r"[\s:.\-]", "", part).lower() for part in text.split("/")]
    if len(parts) > 2 or not all(_PAIRS.fullmatch(part) for part in parts):
        raise ValueError("not a MAC address")
    return "/".join(":".join(re.findall("..", part)) for part in parts)


def clean_broadcast(text: str) -> str:
    """Return the address to send to; a network such as 192.168.1.0/24 means its last."""
    if "/" in text:
        return str(ipaddress.IPv4Network(text.strip(), strict=False).broadcast_address)
    return str(ipaddress.IPv4Address(text.strip()))


def wake(mac: str, address: str = DEFAULT_BROADCAST, port: int = 9) -> None:
    """Send the magic packet; blocks for a fraction of a second."""
    for repeat in range(REPEATS):
        if repeat:
            time.sleep(PAUSE_S)
        wakeonlan.send_magic_packet(mac, ip_address=address, port=port)
