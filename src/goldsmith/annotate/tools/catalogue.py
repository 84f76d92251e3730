"""Every tool, in the order of the screen."""

from __future__ import annotations

from typing import Any

from goldsmith.annotate.tools import code, documents, search, specialists
from goldsmith.annotate.tools.tool import Tool
from goldsmith.config.tools import ToolsConfig

TOOLS: tuple[Tool, ...] = (search.TOOL, documents.TOOL, specialists.TOOL, code.TOOL)


def tools_on(rules: ToolsConfig) -> list[dict[str, Any]]:
    """Return `{"name", "key", "settings"}` of each tool that is configured."""
    found = [(tool, tool.settings(rules)) for tool in TOOLS]
    return [{"name": tool.name, "key": tool.key, "settings": settings} for tool, settings in found if settings is not None]
