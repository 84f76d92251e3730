"""What people asked tools while they voted, and what they were told."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table; votes stay as they are."""
    op.create_table(
        "tool_uses",
        sa.Column("use_id", sa.String(32), primary_key=True),
        sa.Column("lease_id", sa.String(32), nullable=False),
        sa.Column("pair_id", sa.String(32), nullable=False),
        sa.Column("person_id", sa.String(32), nullable=False),
        sa.Column("tool", sa.String(32), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("failure", sa.String(40)),
        sa.Column("flag", sa.String(40)),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("vote_id", sa.String(200)),
    )
    op.create_index("ix_tool_uses_lease_id", "tool_uses", ["lease_id"])
    op.create_index("ix_tool_uses_pair_id", "tool_uses", ["pair_id"])
    op.create_index("ix_tool_uses_vote_id", "tool_uses", ["vote_id"])
