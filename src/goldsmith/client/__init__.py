"""The Python client of a Goldsmith server, sync and async: rewards, or an exception; a failure never becomes a number.

A call has one deadline, within which it tries again what may succeed later: refused connections, 429 and 502 to 504, after as long as the
server asks for. What cannot succeed (a conversation that cannot be scored, no such model, no key) is raised at once.
"""

from __future__ import annotations

from goldsmith.client.attempts import RewardRefused, RewardUnavailable
from goldsmith.client.clients import AsyncClient, Client

__all__ = ["AsyncClient", "Client", "RewardRefused", "RewardUnavailable"]
