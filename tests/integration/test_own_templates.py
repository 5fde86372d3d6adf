"""Own templates on a database: kept in versions, used by subscriptions, delivered, and failing alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestration.delivery import service, subscriptions
from orchestration.delivery.subscriptions import Subscription
from orchestration.errors import MetricpressError
from orchestration.reports.own import saving, store
from orchestration.reports.own.lint import LintError
from orchestration.reports.own.template import Limits, OwnTemplate, TemplateFailure
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from tests.conftest import PROJECT, environment_of

pytestmark = pytest.mark.integration

MARTS = Path(__file__).parents[1] / "unit" / "reports" / "fixtures" / "marts.sql"
LIMITS = Limits(100, 500)
OURS = """{% extends "base.html.j2" %}
{% block front %}
<h2>{{ t("Our own page") }}</h2>
<p>MRR of ours: {{ document.figures["mrr"].text }}; {{ parameters.greeting }}</p>
{% endblock %}
"""
GREETING = {"type": "object", "properties": {"greeting": {"type": "string", "default": "good morning"}}}
GERMAN = {"de": {"Our own page": "Unsere Seite"}}
#: Data other than the sample's brings out what saving could not see.
UNLESS_SAMPLE = '{% if document.tenant != "Sample tenant" %}'
TOO_MUCH = "{{ 'x' | center(99999999999) }}"
ENDLESS = """{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}
{% if document.tenant != "Sample tenant" %}x{% endif %}{% endfor %}{% endfor %}{% endfor %}"""
Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def marts(module_settings: Settings, module_database: Connection) -> Iterator[Connection]:
    module_database.execute(MARTS.read_text())
    module_database.execute("grant usage on schema marts to metricpress_pipeline")
    module_database.execute("grant select on all tables in schema marts to metricpress_pipeline")
    module_database.execute(
        "insert into raw.tenants (tenant_id, name, timezone)"
        " select tenant_id, name, timezone from marts.tenants"
    )
    (build,) = module_database.execute(
        "insert into build.builds (status) values ('complete') returning build_id"
    ).fetchone()  # type: ignore[misc]
    for mart in ("tenants", "daily_metrics"):
        module_database.execute(
            "insert into build.mart_state (mart, build_id) values (%s, %s)", (mart, build)
        )
    module_database.commit()
    with connect(module_settings, "pipeline", autocommit=True) as conn:
        yield conn


@pytest.fixture
def settings(module_settings: Settings) -> Settings:
    """The command line works on the module's database."""
    return module_settings


@pytest.fixture
def ours(marts: Connection) -> Iterator[OwnTemplate]:
    wanted = OwnTemplate(
        "ours", "executive", OURS, "harbour", parameters_schema=GREETING, translations=GERMAN, message="first"
    )
    yield store.insert(marts, wanted)
    marts.execute("delete from reporting.report_deliveries")
    marts.execute("delete from reporting.report_occurrences")
    marts.execute("delete from reporting.report_subscriptions")
    marts.execute("delete from reporting.report_templates where not is_public")


def test_a_change_is_a_new_version_and_a_rollback_another(marts: Connection, ours: OwnTemplate) -> None:
    second = saving.change(
        marts, ours, replace(ours, template_content=OURS + "<!-- 2 -->", message="second"), LIMITS, None
    )
    assert second.version == 2
    back = saving.rollback(marts, second, 1, LIMITS, None)
    assert (back.version, back.template_content, back.translations) == (3, OURS, GERMAN)
    told = [(one.version, one.message) for one in store.history(marts, back)]
    assert told == [(3, "back to version 1"), (2, "second"), (1, "first")]
    assert all(one.created_by for one in store.history(marts, back))
    assert store.at_version(marts, back, 2).template_content.endswith("<!-- 2 -->")
    # The same again is no version, and who read an older state changes nothing.
    assert saving.rollback(marts, back, 1, LIMITS, None).version == 3
    with pytest.raises(MetricpressError, match="changed meanwhile"):
        saving.change(marts, ours, replace(ours, template_content="x"), LIMITS, None)


#: What is wrong, and where it is.
WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"template_content": "x\n {{ document.figures['mmr'].text }}"}, ["2:22 metric"]),
    ({"template_content": "{{ parameters.greting }}"}, ["1:15 parameter"]),
    ({"template_content": "{{ t('Nobody translated this') }}"}, ["1:6 translation"]),
    ({"template_content": "{{ documnt.title }}\n<script>"}, ["1:4 variable", "2:1 markup"]),
    ({"parameters_schema": {"type": "object", "properties": {"greeting": {"type": "nothing"}}}},
     ["1:1 parameter"]),
]  # fmt: skip


def test_what_is_wrong_is_named_by_line_and_column_and_nothing_is_saved(
    marts: Connection, ours: OwnTemplate
) -> None:
    """harbour's reports are English; one subscription in German makes translations necessary."""
    subscriptions.add(marts, subscription(locale="de"))
    for changes, places in WRONG:
        with pytest.raises(LintError) as caught:
            saving.change(marts, ours, replace(ours, **changes), LIMITS, None)
        assert [f"{one.line}:{one.column} {one.rule}" for one in caught.value.findings] == places
    assert store.find(marts, "ours", "harbour").version == 1


def subscription(**more: Any) -> Subscription:
    more = {"name": "ours", "recipients": ["out"], "delivery_method": "file"} | more
    return Subscription("harbour", report="executive", frequency="weekly", template="ours", **more)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"output_formats": ("html",)}, "not offered as pdf"),
        ({"parameters_schema": GREETING | {"required": ["greeting"]}}, "'greeting' is a required property"),
    ],
)
def test_a_change_that_a_subscription_could_not_go_with_is_refused(
    marts: Connection, ours: OwnTemplate, changes: dict[str, Any], told: str
) -> None:
    """Its next report would fail, and nobody would have been told."""
    subscriptions.add(marts, subscription(formats=["pdf", "html"]))
    with pytest.raises(MetricpressError, match=told) as caught:
        saving.change(marts, ours, replace(ours, **changes), LIMITS, None)
    assert 'subscription "ours" of harbour' in str(caught.value)
    assert store.find(marts, "ours", "harbour").output_formats == ("pdf", "html")
    assert saving.change(marts, ours, replace(ours, output_formats=("pdf", "html", "json")), LIMITS, None)


def test_a_template_that_cannot_be_rendered_is_not_saved(marts: Connection, ours: OwnTemplate) -> None:
    endless = OURS.replace("MRR of ours", ENDLESS.replace("!=", "=="))
    with pytest.raises(TemplateFailure) as caught:
        saving.change(marts, ours, replace(ours, template_content=endless), Limits(2, 300), None)
    assert caught.value.kind in ("time", "output")
    assert store.find(marts, "ours", "harbour").version == 1


def test_what_a_subscription_may_order(marts: Connection, ours: OwnTemplate) -> None:
    stored = subscriptions.add(marts, subscription(parameters={"greeting": "ahoy"}))
    assert subscriptions.find(marts, "ours").template_id == ours.template_id == stored.template_id
    for wrong, words in (
        ({"report": "lead_performance"}, "made for report executive"),
        ({"formats": ("csv",)}, "not offered as csv"),
        ({"parameters": {"greeting": 7}}, "greeting"),
        ({"parameters": {"surprise": 7}}, "surprise"),
        ({"template": "theirs"}, "theirs"),
    ):
        with pytest.raises(MetricpressError, match=words):
            subscriptions.add(marts, replace(subscription(name="wrong"), **wrong))
    with pytest.raises(MetricpressError, match='"ours" of harbour'):
        store.delete(marts, ours)
    subscriptions.delete(marts, stored)
    store.delete(marts, ours)
    assert len(store.history(marts, ours)) == 1
    # The name is free again.
    assert saving.add(marts, replace(ours, template_id=None, version=0), LIMITS, None).version == 1


def test_a_delivery_is_rendered_with_it_and_a_bad_one_fails_alone(
    marts: Connection, module_settings: Settings, ours: OwnTemplate
) -> None:
    (complete,) = marts.execute(
        "select complete_date from marts.tenants where tenant_id = 'harbour'"
    ).fetchone()  # type: ignore[misc]
    now = datetime.combine(complete + timedelta(days=1), datetime.min.time(), UTC).replace(hour=20)
    starts = complete - timedelta(days=7)
    more = {"starts_on": starts, "formats": ("pdf", "html"), "max_lateness": timedelta(days=30)}
    bad = saving.add(
        marts,
        OwnTemplate("bad", "executive", UNLESS_SAMPLE + TOO_MUCH + "{% endif %}x", "harbour"),
        LIMITS,
        None,
    )
    subscriptions.add(marts, subscription(name="a good", parameters={"greeting": "ahoy <b>"}, **more))
    subscriptions.add(marts, replace(subscription(name="b bad", **more), template="bad"))
    subscriptions.add(marts, replace(subscription(name="c plain", **more), template=None))
    service.dispatch(replace(module_settings, template_seconds=200), now)
    rows = {
        row[0]: row[1:]
        for row in marts.execute(
            """select s.name, d.delivery_status, d.error_class, d.error_message, d.template_version, d.files
            from reporting.report_deliveries as d
            join reporting.report_occurrences using (tenant_id, occurrence_id)
            join reporting.report_subscriptions as s using (tenant_id, subscription_id)"""
        ).fetchall()
    }
    assert rows["b bad"][:2] == ("failed", "permanent")
    assert "more memory" in rows["b bad"][2]
    assert (rows["a good"][0], rows["c plain"][0]) == ("sent", "sent"), rows["a good"][:3]
    assert rows["a good"][3].startswith(f"{ours.template_id}@1 ")
    assert "@" not in rows["c plain"][3]
    paths = {entry["format"]: Path(entry["path"]) for entry in rows["a good"][4]}
    run = subprocess.run(["pdftotext", paths["pdf"], "-"], capture_output=True, check=True)
    page = paths["html"].read_text()
    for text in (run.stdout.decode(), page):
        assert "Our own page" in text
        assert "MRR of ours: €" in text
    assert "ahoy &lt;b&gt;" in page
    assert bad.version == 1


def test_only_the_owner_changes_what_all_tenants_use(
    marts: Connection, module_settings: Settings, module_database: Connection
) -> None:
    public = OwnTemplate("for all", "executive", OURS.replace("parameters.greeting", "1"), is_public=True)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        saving.add(marts, public, LIMITS, None)
    stored = saving.add(module_database, public, LIMITS, None)
    module_database.commit()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        saving.change(marts, stored, replace(stored, template_content="x"), LIMITS, None)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        store.delete(marts, stored)
    assert store.usable(marts, stored.template_id, "harbour").name == "for all"  # type: ignore[arg-type]


def test_another_tenants_template_is_out_of_reach(marts: Connection, ours: OwnTemplate) -> None:
    (other,) = marts.execute(
        "select tenant_id from marts.tenants where tenant_id <> 'harbour' limit 1"
    ).fetchone()  # type: ignore[misc]
    with pytest.raises(MetricpressError, match="no template"):
        store.find(marts, "ours", other)
    with pytest.raises(MetricpressError, match="no template"):
        store.usable(marts, ours.template_id, other)  # type: ignore[arg-type]
    wanted = replace(subscription(), tenant_id=other)
    with pytest.raises(MetricpressError, match="ours"):
        subscriptions.add(marts, wanted)


def test_the_command_line(
    module_settings: Settings,
    ours: OwnTemplate,
    tmp_path: Path,
    metricpress: Callable[..., Any],
) -> None:
    (tmp_path / "page.html.j2").write_text(OURS.replace("ours:", "theirs:"))
    (tmp_path / "bad.html.j2").write_text("<p>\n{{ document.headlin }}")
    (tmp_path / "schema.json").write_text(json.dumps(GREETING))
    listed = metricpress("templates", "list", "--tenant", "harbour")
    assert "ours" in listed.stdout
    assert "shipped" in listed.stdout
    bad = metricpress("templates", "lint", "bad.html.j2", "--report", "executive", "--tenant", "harbour")
    assert bad.stdout == "bad.html.j2:2:13: document has no 'headlin'; did you mean 'headline'?\n"
    assert bad.returncode == 1
    refused = metricpress("templates", "edit", "ours", "--file", "bad.html.j2")
    assert (refused.returncode, "2:13: document has no" in refused.stderr) == (1, True)
    changed = metricpress("templates", "edit", "ours", "--file", "page.html.j2", "-m", "theirs")
    assert changed.stdout == "Template ours changed (version 2).\n"
    by_editor = metricpress("templates", "edit", "ours", env={"EDITOR": "sed -i s/theirs:/nobodys:/"})
    assert by_editor.stdout == "Template ours changed (version 3).\n"
    assert "nobodys:" in metricpress("templates", "show", "ours", "--source").stdout
    assert "theirs:" in metricpress("templates", "show", "ours", "--version", "2").stdout
    back = metricpress("templates", "rollback", "ours", "--to", "1")
    assert back.stdout == "Template ours is as version 1 again (version 4).\n"
    shown = metricpress("templates", "show", "ours")
    assert "back to version 1" in shown.stdout
    assert max(map(len, (listed.stdout + shown.stdout).splitlines())) <= 80
    history = json.loads(metricpress("templates", "show", "ours", "--json").stdout)["history"]
    assert [one["version"] for one in history] == [4, 3, 2, 1]
    made = metricpress("templates", "preview", "page.html.j2", "--report", "executive", "--tenant", "harbour",
                       "--schema", "schema.json", "--folder", "made", "--format", "html")  # fmt: skip
    (path,) = made.stdout.splitlines()
    assert "MRR of theirs: €" in (tmp_path / path).read_text()
    assert metricpress("templates", "delete", "ours", "--yes").stdout == "Template ours deleted.\n"
    assert metricpress("templates", "show", "ours").returncode == 2


def test_the_runbook_as_it_is_written(module_settings: Settings, marts: Connection, tmp_path: Path) -> None:
    text = (PROJECT / "docs" / "runbook.md").read_text()
    section = text.split("## A template of your own\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^```bash\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    script = "set -e\n" + "\n".join(blocks).replace("ravenstack", "harbour")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = environment_of(module_settings) | {"PATH": path}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no faults" in done.stdout
    assert "Template board is as version 1 again (version 3)." in done.stdout
    assert "still in use" in done.stdout
    assert 'is used by "Board, monthly" of harbour' in done.stderr
    assert "Template board deleted." in done.stdout
    wide = [line for line in done.stdout.splitlines() if len(line) > 80 and "/" not in line]
    assert wide == []
