"""Which addresses a server may be sent to by somebody else: those of the public Internet and no others.

The blocks are those of the IANA special-purpose address registries (RFC 6890 and its updates) that are not globally
reachable, multicast (RFC 5771, RFC 4291), and the addresses at which clouds keep the secrets of a machine.
"""

import ipaddress
import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

_PRIVATE_4 = tuple(
    IPv4Network(block) for block in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
_PRIVATE_6 = tuple(IPv6Network(block) for block in ("::1/128", "fc00::/7"))
_NEVER_4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this host on this network
        "169.254.0.0/16",  # link-local, where clouds answer with credentials
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation, as are 198.51.100.0/24 and 203.0.113.0/24
        "192.31.196.0/24",  # AS112, as is 192.175.48.0/24
        "192.52.193.0/24",  # automatic multicast tunnels
        "192.88.99.0/24",  # 6to4 relays
        "192.175.48.0/24",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
        "100.100.100.200/32",  # metadata of a cloud
        "168.63.129.16/32",  # metadata of a cloud, at an address that looks public
    )
)
_NEVER_6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation, as is 3fff::/20
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",
        "fd00:ec2::/32",  # metadata of a cloud
        "fd20:ce::/32",  # metadata of a cloud
    )
)
_GLOBAL_6 = IPv6Network("2000::/3")
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")

_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def allowed_address(address: Address, allow_private: bool = False) -> bool:
    """Says whether a connection may be made to ``address``.

    An IPv4 address inside an IPv6 one (mapped, RFC 4291; the well-known prefix of NAT64, RFC 6052) is judged by itself.

    Args:
        address: where the connection would go.
        allow_private: take loopback, private and shared addresses too (RFC 1918, RFC 4193, RFC 6598); never those that
            are link-local, unspecified, multicast, reserved, or known to hand out a machine's credentials.
    """
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:  # RFC 4007: a zone of this machine
            return False
        if address in _MAPPED or address in _NAT64:
            return allowed_address(IPv4Address(int(address) & 0xFFFFFFFF), allow_private)
        if any(address in block for block in _NEVER_6):
            return False
        return address in _GLOBAL_6 or (allow_private and any(address in block for block in _PRIVATE_6))
    if any(address in block for block in _NEVER_4):
        return False
    return allow_private or not any(address in block for block in _PRIVATE_4)


def literal_address(host: str) -> Address | None:
    """Returns the address that ``host`` is, written in full and in the usual way; None for all else, zones included."""
    try:
        return ipaddress.ip_address(host) if "%" not in host else None
    except ValueError:
        return None


def is_name(host: str) -> bool:
    """Says whether ``host`` (lower case, ASCII) is a name to look up.

    Numbers are none (``2130706433``, ``0x7f.1``, ``127.1``): resolvers take them for IPv4 addresses, as the WHATWG URL
    standard does any host whose last part is a number. Nor are names that end in a dot.
    """
    return _NAME.fullmatch(host) is not None and _NUMBER.fullmatch(host.rpartition(".")[2]) is None
