"""Secrets have no place in a configuration, and an error about one does not show it."""

import pytest

from goldsmith.config.load import load_config
from goldsmith.errors import UserError

SECRET = "sk-proj-0123456789"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("api_key_env", SECRET),
        ("api_key_env", "gsk_0123456789abcdef"),
        ("api_key_env", ""),
        ("api_key_env", "A" * 65),
        ("base_url", f"https://user:{SECRET}@example.org/v1"),
        ("base_url", f"https://example.org/v1?api_key={SECRET}"),
        ("base_url", f"https://example.org/v1#{SECRET}"),
        ("base_url", f"{SECRET}"),
        ("base_url", "ftp://example.org/v1"),
        ("base_url", "http:///v1"),
        ("base_url", "http://host:99999/v1"),
        ("api_key", SECRET),
    ],
)
def test_a_secret_or_a_wrong_address_is_refused_and_not_quoted(key: str, value: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config((), [f'llm.endpoints=[{{name = "one", {key} = "{value}"}}]'])
    assert f"llm.endpoints.0.{key}" in str(caught.value)
    assert not value or value not in str(caught.value)


def test_a_missing_key_does_not_show_its_neighbours() -> None:
    with pytest.raises(UserError, match=r"llm\.endpoints\.0\.name: Field required") as caught:
        load_config((), [f'llm.endpoints=[{{api_key = "{SECRET}"}}]'])
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("url", ["http://localhost:8000/v1", "https://api.example.org/openai/v1/", "http://[::1]:8000/v1"])
def test_addresses_and_names_of_variables_pass(url: str) -> None:
    config = load_config((), [f'llm.endpoints=[{{name = "one", base_url = "{url}", api_key_env = "MY_KEY_2"}}]'])
    (endpoint,) = config.llm.endpoints
    assert (endpoint.base_url, endpoint.api_key_env) == (url, "MY_KEY_2")
