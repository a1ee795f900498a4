"""Reserved ports."""

import socket

import pytest

from utils.local.ports import LOOPBACK, Reservation, listen


def test_a_reserved_port_refuses_connections_until_its_server_is_there() -> None:
    with Reservation() as reserved:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, reserved.port))
        place = (LOOPBACK, reserved.port)
        with socket.create_server(place), socket.create_connection(place) as connection:
            assert connection.getpeername() == place


def test_reserved_ports_are_given_to_nobody_else() -> None:
    held = [Reservation() for _ in range(50)]
    others = [listen() for _ in range(50)]
    ports = [one.port for one in held] + [one.getsockname()[1] for one in others]
    for reservation in held:
        reservation.close()
    for server in others:
        server.close()
    assert len(set(ports)) == 100


def test_a_port_on_which_somebody_listens_cannot_be_reserved() -> None:
    with listen() as taken, pytest.raises(OSError, match="in use"):
        Reservation(taken.getsockname()[1])
