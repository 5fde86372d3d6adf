"""Rows of the raw contract made up by a seed: any size, the same rows for the same options.

Belongs here: what a generated business looks like (sql/), how its size is dealt out to tenants (plans.py) and
how it is written (write.py), and the rows that complete the real data of the demo (samples.py). Does not
belong here: real data (sample_data/) and reading files (sources/files). Every row carries
extra = {"generated": true}.
"""

from orchestration.sources.generate.plans import GenerateOptions, TenantPlan, tenant_plans
from orchestration.sources.generate.write import generate, generate_tenant

__all__ = ["GenerateOptions", "TenantPlan", "generate", "generate_tenant", "tenant_plans"]
