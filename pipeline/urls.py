"""Web addresses: which ones are taken from strangers, and how they are shown. Pure."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_LONGEST = 8192
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SHARED = ipaddress.IPv4Network("100.64.0.0/10")  # carriers and overlay networks
#: Where clouds hand out credentials, outside the link-local range that is refused anyway.
_METADATA = {ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")}


def split_web_url(url: str) -> SplitResult | None:
    """The parts of an http or https URL with a host; None for anything else."""
    if len(url) > _LONGEST or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def safe_url(url: str) -> str:
    """The URL without what may be secret (user, password, query, fragment), for people to read."""
    parts = split_web_url(url)
    if parts is None:
        return "an address that is not http or https"
    place = parts.netloc.rpartition("@")[2]
    shown = f"{parts.scheme}://{place}{parts.path}"
    return (shown if len(shown) <= 200 else shown[:199] + "…") + ("?…" if parts.query else "")


def shown_url(url: str) -> str:
    """The URL without user and password, for logs and scripts."""
    split = split_web_url(url)
    if split is None or split.username is split.password is None:
        return url
    return split._replace(netloc=split.netloc.rpartition("@")[2]).geturl()


def may_connect(address: str, *, private: bool) -> bool:
    """Whether a resolved address may be connected to; `private` allows one's own networks too.

    Link-local, metadata, multicast and reserved addresses are never allowed.
    """
    ip = _unwrapped(ipaddress.ip_address(address.partition("%")[0]))
    if ip in _METADATA or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return False
    if ip.is_global:
        return True
    own = ip.is_private or ip.is_loopback or (ip.version == 4 and ip in _SHARED)
    return private and own and not (ip.is_reserved and not ip.is_loopback)


def _unwrapped(ip: IPAddress) -> IPAddress:
    """The IPv4 address inside an IPv6 one that leads to it."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
