"""Logs as one JSON object a line on stderr. They tell what happened and to whom, never what anybody wrote."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

FIELDS = (
    "event",
    "request_id",
    "dialect",
    "route",
    "status",
    "code",
    "key",
    "model",
    "digest",
    "items",
    "tokens",
    "seconds",
    "address",
    "trace_id",
)


class JsonLines(logging.Formatter):
    """Writes a record as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        known = {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **known,
        }
        if record.exc_info and record.exc_info[0] is not None:
            # The place alone: an exception's text may quote what a client sent.
            trace = record.exc_info[2]
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            place = "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
            line["error"] = f"{record.exc_info[0].__name__} at {place}"
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logs() -> None:
    """Send the server's logs, and uvicorn's errors, to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("goldsmith", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO if name == "goldsmith" else logging.WARNING)
