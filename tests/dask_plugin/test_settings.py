"""Which addresses are taken: a port of Dask runs any code, so it must be of this machine or encrypted."""

from __future__ import annotations

from pydantic import ValidationError

from batchd_dask.settings import DaskSettings

TAKEN = (
    "tcp://127.0.0.1:8786",
    "127.0.0.1:8786",
    "localhost:8786",
    "tcp://[::1]:8786",
    "tcp://127.9.9.9:1",
    "inproc://192.168.0.1/1/1",
    "tls://10.0.0.5:8786",
    "tls://scheduler.example.org:8786",
    "wss://scheduler.example.org:443",
)
REFUSED = (
    "tcp://10.0.0.5:8786",
    "10.0.0.5:8786",
    "tcp://0.0.0.0:8786",
    "tcp://[::]:8786",
    "scheduler:8786",
    "tcp://127.0.0.1.example.org:8786",
    "tcp://localhost.example.org:8786",
    "ws://10.0.0.5:80",
    "ucx://10.0.0.5:8786",
)


def fault_of(address: str, **more: bool) -> str:
    try:
        DaskSettings(address=address, **more)
    except ValidationError as error:
        return str(error)
    return ""


def test_an_address_in_the_clear_is_refused_unless_it_is_of_this_machine() -> None:
    faults = [f"{each}: {fault_of(each)}" for each in TAKEN if fault_of(each)]
    faults += [f"{each} was taken" for each in REFUSED if "neither on this machine nor encrypted" not in fault_of(each)]
    faults += [f"{each} was refused" for each in REFUSED if fault_of(each, insecure=True)]
    assert not faults, "\n".join(faults)


def test_what_is_no_address_is_refused_in_any_case() -> None:
    for each in ("", "http://10.0.0.5", "tls://", "tcp://"):
        assert "is not the address of a scheduler" in fault_of(each, insecure=True), each
