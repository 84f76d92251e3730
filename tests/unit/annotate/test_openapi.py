"""Whatever anybody sends, the server does not fall over: requests made from its own description, by somebody who may do everything."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings

from annotation_site import make_site

SITE = make_site(Path(tempfile.mkdtemp(prefix="goldsmith-openapi-")) / "annotation.db")
SITE.here.fill("p1", "p2", "p3")
ADMIN = SITE.browser("ada", "admin")
EXPERT = SITE.browser("eve", "expert")
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", SITE.app)


@SCHEMA.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_makes_the_server_fail(case: Any) -> None:
    for browser in (ADMIN, EXPERT):
        # Signing out and disabling oneself would end the test of everything after it.
        if case.path in ("/sign-out",):
            return
        cookies = {"goldsmith_session": browser.client.cookies["goldsmith_session"], "goldsmith_form": "form"}
        if isinstance(case.body, dict) and "csrf" in case.body:
            case.body["csrf"] = browser.csrf
        response = case.call(
            base_url="https://testserver", headers={"X-CSRF-Token": browser.csrf}, cookies=cookies, allow_redirects=False
        )
        assert response.status_code < 500, (case.method, case.path, response.text)
