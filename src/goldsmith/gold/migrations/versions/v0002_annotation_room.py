"""The annotation room: seats, leases, retests, known answers, people, and events that can only be added."""

from typing import Any

import sqlalchemy as sa
from alembic import op

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")

revision = "0002"
down_revision = "0001"

SQLITE_GUARD = """CREATE TRIGGER events_no_{what} BEFORE {what} ON events
BEGIN SELECT RAISE(ABORT, 'events are only added to'); END"""
POSTGRESQL_GUARD = """CREATE FUNCTION events_only_added() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'events are only added to'; END $$"""
POSTGRESQL_TRIGGER = """CREATE TRIGGER events_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON events
FOR EACH STATEMENT EXECUTE FUNCTION events_only_added()"""


def upgrade() -> None:
    """Add the columns and tables; what stands in `votes` and `queue` stays as it is."""
    _extend_votes_and_queue()
    _make_pair_states()
    _make_leases()
    _make_retests_and_checks()
    _make_people()
    _make_events()
    _guard_events()


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _extend_votes_and_queue() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("votes", "vote_id", type_=sa.String(200))
    new_columns: list[sa.Column[Any]] = [
        sa.Column("lease_id", sa.String(32)),
        sa.Column("choice", sa.String(16)),
        sa.Column("strength", sa.SmallInteger),
        sa.Column("seconds", sa.Float),
        sa.Column("at", sa.Float),
        sa.Column("withdrawn_at", sa.Float),
    ]
    for column in new_columns:
        op.add_column("votes", column)
    op.create_index("votes_by_annotator", "votes", ["annotator", "at"])
    op.create_index("votes_by_time", "votes", ["at"])
    op.create_index("votes_one_per_lease", "votes", ["lease_id"], unique=True, **_where("withdrawn_at IS NULL"))
    op.add_column("queue", sa.Column("attributes", sa.Text))
    op.add_column("queue", sa.Column("checks", sa.Text))


def _guard_events() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(SQLITE_GUARD.format(what=what))
    else:
        op.execute(POSTGRESQL_GUARD)
        op.execute(POSTGRESQL_TRIGGER)


def _make_pair_states() -> None:
    op.create_table(
        "pair_states",
        sa.Column("pair_id", sa.String(32), primary_key=True),
        sa.Column("batch", sa.String(64), nullable=False),
        sa.Column("rank", sa.BigInteger, nullable=False),
        sa.Column("tag", sa.String(64), nullable=False),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("objectivity", sa.String(16), nullable=False),
        sa.Column("controversiality", sa.String(16), nullable=False),
        sa.Column("num_words", sa.Integer, nullable=False),
        sa.Column("wanted", sa.SmallInteger, nullable=False),
        sa.Column("num_votes", sa.SmallInteger, nullable=False),
        sa.Column("free", sa.SmallInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("label", sa.String(16)),
        sa.Column("how", sa.String(16)),
        sa.Column("was_disputed", sa.Boolean, nullable=False),
        sa.Column("settled_at", sa.Float),
        sa.CheckConstraint("num_votes <= wanted", name="no_vote_too_many"),
        sa.CheckConstraint("free >= 0 AND free + num_votes <= wanted", name="no_seat_too_many"),
    )
    op.create_index("disputes", "pair_states", ["tag", "rank"], **_where("state = 'disputed'"))
    op.create_index("pair_states_by_batch", "pair_states", ["batch", "state"])
    op.create_index("pair_states_by_rank", "pair_states", ["rank"])
    op.create_index("pair_states_settled", "pair_states", ["settled_at"])
    op.create_index("seats", "pair_states", ["tag", "rank"], **_where("free > 0"))


def _make_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("lease_id", sa.String(32), primary_key=True),
        sa.Column("pair_id", sa.String(32), nullable=False),
        sa.Column("person_id", sa.String(32), nullable=False),
        sa.Column("queue", sa.String(16), nullable=False),
        sa.Column("round", sa.String(16), nullable=False),
        sa.Column("retest_id", sa.String(32)),
        sa.Column("shown_first", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("leased_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("draft", sa.Text),
        sa.Column("first_choice", sa.Text),
        sa.UniqueConstraint("person_id", "pair_id", "round", name="never_twice"),
    )
    op.create_index("leases_of_pair", "leases", ["pair_id"])
    op.create_index("leases_to_expire", "leases", ["expires_at"], **_where("state = 'active'"))
    op.create_index("one_expert_a_pair", "leases", ["pair_id"], unique=True, **_where("state = 'active' AND round = 'expert'"))
    op.create_index("one_lease_a_queue", "leases", ["person_id", "queue"], unique=True, **_where("state = 'active'"))


def _make_retests_and_checks() -> None:
    op.create_table(
        "retests",
        sa.Column("retest_id", sa.String(32), primary_key=True),
        sa.Column("pair_id", sa.String(32), nullable=False),
        sa.Column("batch", sa.String(64), nullable=False),
        sa.Column("tag", sa.String(64), nullable=False),
        sa.Column("person_id", sa.String(32)),
        sa.Column("due_at", sa.Float, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("rank", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_retests_batch", "retests", ["batch"])
    op.create_index("ix_retests_pair_id", "retests", ["pair_id"])
    op.create_index("retests_open", "retests", ["person_id", "due_at"], **_where("state = 'open'"))
    op.create_table(
        "check_items",
        sa.Column("pair_id", sa.String(32), primary_key=True),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("attributes", sa.Text),
        sa.Column("label", sa.String(16), nullable=False),
        sa.Column("rationale", sa.Text, nullable=False),
        sa.Column("use", sa.String(16), nullable=False),
        sa.Column("draw", sa.Float, nullable=False),
    )
    op.create_index("check_items_by_use", "check_items", ["use", "draw"])


def _make_people() -> None:
    op.create_table(
        "people",
        sa.Column("person_id", sa.String(32), primary_key=True),
        sa.Column("email", sa.String(254), nullable=False, unique=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("password_hash", sa.String(200)),
        sa.Column("subject", sa.String(500), unique=True),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("daily_limit", sa.Integer),
        sa.Column("hourly_cost", sa.Float),
        sa.Column("qualified", sa.Boolean),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_table(
        "invitations",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("email", sa.String(254), nullable=False, unique=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("invited_by", sa.String(200), nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("session_hash", sa.String(64), primary_key=True),
        sa.Column("person_id", sa.String(32), nullable=False),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("seen_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
    op.create_index("ix_sessions_person_id", "sessions", ["person_id"])
    op.create_table(
        "sign_in_attempts",
        sa.Column("attempt_id", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(300), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_index("sign_in_attempts_by_key", "sign_in_attempts", ["key", "at"])


def _make_events() -> None:
    op.create_table(
        "events",
        sa.Column("event_id", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
    )
    op.create_index("events_by_kind", "events", ["kind", "event_id"])
    op.create_index("events_by_subject", "events", ["subject", "event_id"])
