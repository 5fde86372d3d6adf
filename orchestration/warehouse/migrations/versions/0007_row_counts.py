"""Count the rows of each raw table and tenant as they change; index rows that a quality rule looks for."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    raise NotImplementedError("row counts are never dropped by a migration; restore a backup instead")
