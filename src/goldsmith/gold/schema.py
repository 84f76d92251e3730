"""The tables of the annotation database; `migrations/` makes and changes them, this file says what they are now.

Three groups. What is only added to: `votes` (a record never changes; `withdrawn_at` is set by an undo), `queue` (the texts), `events` (triggers refuse
any change). What is the present state of these, kept beside them so that nothing scans them: `pair_states`, `leases`, `retests`. People: `people`,
`invitations`, `sessions`, `sign_in_attempts`. What people did with tools while they voted is in `tool_uses`. Times are seconds since 1970 in UTC; JSON stands in text columns.
"""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()
ID = sa.String(32)
LONG_ID = sa.String(200)
WORD = sa.String(16)
SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")

VOTES = sa.Table(
    "votes",
    METADATA,
    sa.Column("vote_id", LONG_ID, primary_key=True),
    sa.Column("pair_id", ID, nullable=False, index=True),
    sa.Column("annotator", LONG_ID, nullable=False),
    sa.Column("round", WORD, nullable=False),
    sa.Column("recorded", sa.Boolean, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("lease_id", ID),
    sa.Column("choice", WORD),
    sa.Column("strength", sa.SmallInteger),
    sa.Column("seconds", sa.Float),
    sa.Column("at", sa.Float),
    sa.Column("withdrawn_at", sa.Float),
    sa.Index("votes_by_annotator", "annotator", "at"),
    sa.Index("votes_by_time", "at"),
    sa.Index(
        "votes_one_per_lease",
        "lease_id",
        unique=True,
        sqlite_where=sa.text("withdrawn_at IS NULL"),
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    ),
)
QUEUE = sa.Table(
    "queue",
    METADATA,
    sa.Column("pair_id", ID, primary_key=True),
    sa.Column("batch", sa.String(64), nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("attributes", sa.Text),
    sa.Column("checks", sa.Text),
)
PAIR_STATES = sa.Table(
    "pair_states",
    METADATA,
    sa.Column("pair_id", ID, primary_key=True),
    sa.Column("batch", sa.String(64), nullable=False),
    sa.Column("rank", sa.BigInteger, nullable=False),
    sa.Column("tag", sa.String(64), nullable=False),
    sa.Column("task", sa.String(64), nullable=False),
    sa.Column("objectivity", WORD, nullable=False),
    sa.Column("controversiality", WORD, nullable=False),
    sa.Column("num_words", sa.Integer, nullable=False),
    sa.Column("wanted", sa.SmallInteger, nullable=False),
    sa.Column("num_votes", sa.SmallInteger, nullable=False),
    sa.Column("free", sa.SmallInteger, nullable=False),
    sa.Column("state", WORD, nullable=False),
    sa.Column("label", WORD),
    sa.Column("how", WORD),
    sa.Column("was_disputed", sa.Boolean, nullable=False, default=False),
    sa.Column("settled_at", sa.Float),
    sa.CheckConstraint("num_votes <= wanted", name="no_vote_too_many"),
    sa.CheckConstraint("free >= 0 AND free + num_votes <= wanted", name="no_seat_too_many"),
    sa.Index("seats", "tag", "rank", sqlite_where=sa.text("free > 0"), postgresql_where=sa.text("free > 0")),
    sa.Index(
        "disputes", "tag", "rank", sqlite_where=sa.text("state = 'disputed'"), postgresql_where=sa.text("state = 'disputed'")
    ),
    sa.Index("pair_states_by_batch", "batch", "state"),
    sa.Index("pair_states_by_rank", "rank"),
    sa.Index("pair_states_settled", "settled_at"),
)
"""`wanted` first-round seats: `num_votes` are taken for good, `free` can be leased, the rest is leased now."""

LEASES = sa.Table(
    "leases",
    METADATA,
    sa.Column("lease_id", ID, primary_key=True),
    sa.Column("pair_id", ID, nullable=False),
    sa.Column("person_id", ID, nullable=False),
    sa.Column("queue", WORD, nullable=False),
    sa.Column("round", WORD, nullable=False),
    sa.Column("retest_id", ID),
    sa.Column("shown_first", WORD, nullable=False),
    sa.Column("state", WORD, nullable=False),
    sa.Column("leased_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("draft", sa.Text),
    sa.Column("first_choice", sa.Text),
    sa.UniqueConstraint("person_id", "pair_id", "round", name="never_twice"),
    sa.Index(
        "one_lease_a_queue",
        "person_id",
        "queue",
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    ),
    sa.Index(
        "leases_to_expire", "expires_at", sqlite_where=sa.text("state = 'active'"), postgresql_where=sa.text("state = 'active'")
    ),
    sa.Index(
        "one_expert_a_pair",
        "pair_id",
        unique=True,
        sqlite_where=sa.text("state = 'active' AND round = 'expert'"),
        postgresql_where=sa.text("state = 'active' AND round = 'expert'"),
    ),
    sa.Index("leases_of_pair", "pair_id"),
)
"""`state`: `active`, `voted`, `late` (voted after it had expired), `skipped` or `expired`."""

RETESTS = sa.Table(
    "retests",
    METADATA,
    sa.Column("retest_id", ID, primary_key=True),
    sa.Column("pair_id", ID, nullable=False, index=True),
    sa.Column("batch", sa.String(64), nullable=False, index=True),
    sa.Column("tag", sa.String(64), nullable=False),
    sa.Column("person_id", ID),
    sa.Column("due_at", sa.Float, nullable=False),
    sa.Column("state", WORD, nullable=False),
    sa.Column("rank", sa.BigInteger, nullable=False),
    sa.Index(
        "retests_open", "person_id", "due_at", sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'")
    ),
)
"""One vote that is asked for again: of anybody who has not seen the pair, or of `person_id`. `state`: `open`, `leased`, `done`."""

CHECK_ITEMS = sa.Table(
    "check_items",
    METADATA,
    sa.Column("pair_id", ID, primary_key=True),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("attributes", sa.Text),
    sa.Column("label", WORD, nullable=False),
    sa.Column("rationale", sa.Text, nullable=False),
    sa.Column("use", WORD, nullable=False),
    sa.Column("draw", sa.Float, nullable=False),
    sa.Index("check_items_by_use", "use", "draw"),
)
"""Pairs whose answer is known; `use`: `qualify` or `check`."""

TOOL_USES = sa.Table(
    "tool_uses",
    METADATA,
    sa.Column("use_id", ID, primary_key=True),
    sa.Column("lease_id", ID, nullable=False, index=True),
    sa.Column("pair_id", ID, nullable=False, index=True),
    sa.Column("person_id", ID, nullable=False),
    sa.Column("tool", sa.String(32), nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("failure", sa.String(40)),
    sa.Column("flag", sa.String(40)),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("vote_id", LONG_ID, index=True),
)
"""One question to a tool; `vote_id` is set when the lease's vote comes, and stays empty for an answer that came after it."""

PEOPLE = sa.Table(
    "people",
    METADATA,
    sa.Column("person_id", ID, primary_key=True),
    sa.Column("email", sa.String(254), nullable=False, unique=True),
    sa.Column("name", LONG_ID, nullable=False),
    sa.Column("role", WORD, nullable=False),
    sa.Column("state", WORD, nullable=False),
    sa.Column("password_hash", LONG_ID),
    sa.Column("subject", sa.String(500), unique=True),
    sa.Column("tags", sa.Text, nullable=False),
    sa.Column("language", sa.String(8), nullable=False),
    sa.Column("daily_limit", sa.Integer),
    sa.Column("hourly_cost", sa.Float),
    sa.Column("qualified", sa.Boolean),
    sa.Column("created_at", sa.Float, nullable=False),
)
INVITATIONS = sa.Table(
    "invitations",
    METADATA,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column("email", sa.String(254), nullable=False, unique=True),
    sa.Column("role", WORD, nullable=False),
    sa.Column("tags", sa.Text, nullable=False),
    sa.Column("invited_by", LONG_ID, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
)
SESSIONS = sa.Table(
    "sessions",
    METADATA,
    sa.Column("session_hash", sa.String(64), primary_key=True),
    sa.Column("person_id", ID, nullable=False, index=True),
    sa.Column("csrf", sa.String(64), nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("seen_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
)
SIGN_IN_ATTEMPTS = sa.Table(
    "sign_in_attempts",
    METADATA,
    sa.Column("attempt_id", SERIAL, primary_key=True, autoincrement=True),
    sa.Column("key", sa.String(300), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Index("sign_in_attempts_by_key", "key", "at"),
)
EVENTS = sa.Table(
    "events",
    METADATA,
    sa.Column("event_id", SERIAL, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("actor", LONG_ID, nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("subject", LONG_ID, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Index("events_by_subject", "subject", "event_id"),
    sa.Index("events_by_kind", "kind", "event_id"),
)
