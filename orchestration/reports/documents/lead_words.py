"""Words of the data that the lead performance report knows, such as statuses and outcomes of calls.

Belongs here: known words, and how an unknown one is shown (as it is). Does not belong here: sentences.
"""

from __future__ import annotations

from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_

STATUSES = ("new", "contacted", "qualified", "converted", "lost")
#: Key of what is not told in the data.
NOT_NAMED = "(none)"
_STATUS_WORDS = {
    "new": N_("New"),
    "contacted": N_("Contacted"),
    "qualified": N_("Qualified"),
    "converted": N_("Converted"),
    "lost": N_("Lost"),
}
_OUTCOME_WORDS = {
    "interested": N_("Interested"),
    "not_interested": N_("Not interested"),
    "callback": N_("Call back"),
    "appointment": N_("Appointment"),
    "no_answer": N_("No answer"),
    "busy": N_("Busy"),
    "voicemail": N_("Voicemail"),
    "wrong_number": N_("Wrong number"),
}
_SOURCE_WORDS = {
    "website": N_("Website"),
    "referral": N_("Referral"),
    "social": N_("Social media"),
    "social_media": N_("Social media"),
    "email": N_("Email"),
    "phone": N_("Telephone"),
    "fair": N_("Trade fair"),
    "event": N_("Event"),
    "partner": N_("Partner"),
    "walk_in": N_("Walk-in"),
    "advertising": N_("Advertising"),
}


def status_word(status: str, text: Formatter) -> str:
    """A lead's status."""
    return _word(_STATUS_WORDS, status, text)


def outcome_word(outcome: str, text: Formatter) -> str:
    """What came of a call."""
    return _word(_OUTCOME_WORDS, outcome, text)


def source_word(source: str, text: Formatter) -> str:
    """Where a lead came from."""
    return _word(_SOURCE_WORDS, source, text)


def person(name: str | None, staff_id: str, text: Formatter) -> str:
    """A member of staff by name, without one by id."""
    return name or _word({}, staff_id, text)


def _word(known: dict[str, str], value: str, text: Formatter) -> str:
    if value == NOT_NAMED:
        return text.t("Not named")
    return text.t(known[value]) if value in known else value
