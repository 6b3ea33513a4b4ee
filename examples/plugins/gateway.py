"""A service. `service = "gateway"` in a provider's table chooses it; keys that stand there win over these."""

from batchd import Register, hookimpl

GATEWAY = {
    "title": "The gateway of the house",
    "plugin": "openai",
    "provider": {
        "base_url": "https://gateway.example/v1",
        "api_key": "env:GATEWAY_KEY",
        "mode": "batch",
        "batch_discount": 0.5,
    },
    "limits": {"max_requests": 20_000},
    "endpoints": ["/v1/chat/completions"],
    "read": [{"where": "the wiki of the house", "at": "2026-11-29"}],
}


@hookimpl
def register_services(register: Register) -> None:
    register("gateway", lambda: GATEWAY)
