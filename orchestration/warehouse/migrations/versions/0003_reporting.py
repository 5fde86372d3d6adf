"""Create roles, the schemas of the models, and schema reporting: what was promised and what was done."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    raise NotImplementedError(
        "what was sent to whom is never dropped by a migration; restore a backup instead"
    )
