"""Votes and the queue, as they were before the annotation room."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make both tables; a database of before Alembic has them already."""
    if sa.inspect(op.get_bind()).has_table("votes"):
        return
    op.create_table(
        "votes",
        sa.Column("vote_id", sa.String(200), primary_key=True),
        sa.Column("pair_id", sa.String(32), nullable=False),
        sa.Column("annotator", sa.String(200), nullable=False),
        sa.Column("round", sa.String(16), nullable=False),
        sa.Column("recorded", sa.Boolean, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_index("ix_votes_pair_id", "votes", ["pair_id"])
    op.create_table(
        "queue",
        sa.Column("pair_id", sa.String(32), primary_key=True),
        sa.Column("batch", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_index("ix_queue_batch", "queue", ["batch"])
