"""The unit tests of the dbt project: odd rules on a few made-up rows, run by dbt itself."""

import pytest

from orchestration.marts.build import build
from orchestration.marts.dbt import dbt_environment, run_dbt
from orchestration.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def test_dbt_unit_tests(settings: Settings) -> None:
    # dbt reads the columns of the inputs from the database, so the tables have to stand.
    build(settings)
    outcomes = run_dbt(["test", "--resource-type", "unit_test"], dbt_environment(settings))
    failed = [f"{outcome.name}: {outcome.message}" for outcome in outcomes if outcome.status != "pass"]
    assert failed == []
    assert outcomes
