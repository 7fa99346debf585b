"""Rendezvous and collectives between the ranks of one job, over TCP, with nothing but the standard library.

Rank 0 listens at MASTER_ADDR:MASTER_PORT; every other rank connects to it. A collective is one message to
rank 0 and one back. Sums are formed in the order of the ranks, so every run gives the same numbers.
"""

import json
import os
import socket
import struct
import time

CONNECT_SECONDS = 60
MESSAGE_BYTES_MAX = 16 << 20


class Group:
    """All ranks of the job. With one rank every collective is the identity."""

    def __init__(self, rank, world_size, address, port, job):
        self.rank = rank
        self.world_size = world_size
        self._peers = []
        self._root = None
        if world_size == 1:
            return
        if rank == 0:
            self._peers = _accept_all(address, port, world_size, job)
        else:
            self._root = _connect(address, port, rank, job)

    def exchange(self, value, combine):
        """Every rank gives `value`; rank 0 calls combine(list by rank); every rank gets the result."""
        if self.rank == 0:
            result = combine([value] + [_receive(peer) for peer in self._peers])
            message = _encode(result)
            for peer in self._peers:
                peer.sendall(message)
            return result
        self._root.sendall(_encode(value))
        return _receive(self._root)

    def all_reduce(self, vector):
        """The element-wise sum over all ranks."""
        return self.exchange(vector, lambda vectors: [sum(column) for column in zip(*vectors)])

    def close(self):
        for peer in self._peers + ([self._root] if self._root else []):
            peer.close()


def _encode(value):
    body = json.dumps(value).encode()
    return struct.pack("!I", len(body)) + body


def _read_exactly(peer, count):
    parts = []
    while count:
        part = peer.recv(count)
        if not part:
            raise ConnectionError("another rank closed the connection")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _receive(peer):
    (length,) = struct.unpack("!I", _read_exactly(peer, 4))
    if length > MESSAGE_BYTES_MAX:
        raise ConnectionError("a message of %d bytes is too long" % length)
    return json.loads(_read_exactly(peer, length))


def _accept_all(address, port, world_size, job):
    """Rank 0: one connection per rank, in the order of the ranks. A stranger is sent away."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(world_size)
    listener.settimeout(CONNECT_SECONDS)
    peers = {}
    while len(peers) < world_size - 1:
        try:
            peer, _ = listener.accept()
        except socket.timeout:
            missing = [r for r in range(1, world_size) if r not in peers]
            raise ConnectionError("ranks %s did not connect in %d s" % (missing, CONNECT_SECONDS))
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.settimeout(5)
        try:
            hello = _receive(peer)
            if hello.get("job") != job or not 0 < hello["rank"] < world_size or hello["rank"] in peers:
                raise ValueError("not one of us")
            peer.settimeout(None)
            peer.sendall(_encode("welcome"))
            peers[hello["rank"]] = peer
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            peer.close()
    listener.close()
    return [peers[rank] for rank in sorted(peers)]


def _connect(address, port, rank, job):
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            peer = socket.create_connection((address, port), timeout=5)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.sendall(_encode({"rank": rank, "job": job}))
            _receive(peer)
            peer.settimeout(None)
            return peer
        except OSError as error:
            if time.monotonic() > deadline:
                raise ConnectionError("rank 0 at %s:%d: %s" % (address, port, error))
            time.sleep(0.05)


def group_from_environment():
    """The group this process belongs to, from what Berth puts into the environment of every rank."""
    job = "%s#%s" % (os.environ.get("BERTH_JOB_ID", ""), os.environ.get("BERTH_ATTEMPT", ""))
    return Group(int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1)),
                 os.environ.get("MASTER_ADDR", "127.0.0.1"), int(os.environ.get("MASTER_PORT", 0)), job)
