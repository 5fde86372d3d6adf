"""Texts of the cohort report, by subject, kind of cohort, and way of counting.

Belongs here: sentences, titles and definitions. Does not belong here: the figures in them (cohort.py).
"""

from __future__ import annotations

from orchestration.reports.messages import N_

HEADLINE = {
    "user": N_("{after}, {rate} of users were still active."),
    "customer": N_("{after}, {rate} of customers were still paying."),
    "revenue": N_("{after}, cohorts paid {rate} of their first MRR."),
}
TITLES = {
    "user": N_("Users still active"),
    "customer": N_("Customers still paying"),
    "revenue": N_("MRR as a share of the first MRR"),
}
MEMBERS = {"user": N_("Users"), "customer": N_("Customers"), "revenue": N_("Customers")}
KEPT = {"user": N_("Still active"), "customer": N_("Still paying"), "revenue": N_("MRR")}
BASE = {"user": N_("Users of these"), "customer": N_("Customers of these"), "revenue": N_("First MRR")}
BY = {
    "first_activity": N_("A cohort is everybody whose first session fell into the same period."),
    "signup": N_("A cohort is everybody who signed up in the same period."),
    "first_payment": N_("A cohort is everybody who paid for the first time in the same period."),
    "recurring": N_("A cohort is everybody who was active in the same period, for the first time or again."),
}
ACTIVE = {
    "user": N_("Active is a session in the period."),
    "customer": N_("Active is paying at some moment of the period."),
    "revenue": N_(
        "Revenue is MRR at the end of the period over the cohort's MRR at the first payment; growth of those "
        "who stay takes it above 100%."
    ),
}
COUNTED = {
    ("month", "calendar"): N_("Month 1 is the calendar month after the first."),
    ("month", "rolling"): N_("Months are 30 days from each one's own first day: month 1 is days 30 to 59."),
    ("month", "unbounded"): N_(
        "Who comes in a month or in any later one counts; month 1 is the calendar month after the first. "
        "Shares rise when somebody comes back later."
    ),
    ("week", "calendar"): N_("Week 1 is the calendar week after the first."),
    ("week", "rolling"): N_("Weeks are 7 days from each one's own first day: week 1 is days 7 to 13."),
    ("week", "unbounded"): N_(
        "Who comes in a week or in any later one counts; week 1 is the calendar week after the first. "
        "Shares rise when somebody comes back later."
    ),
}
WEIGHTED = N_(
    "Averages are sums over cohorts: all who stayed, of all who could have. Later periods know fewer cohorts."
)
NO_RATE = N_("the cohort had no MRR to start with, or an exchange rate is missing")
TOO_YOUNG = N_("No cohort has completed a period after its first yet.")
BEST = N_("Best: {best} with {best_rate}; weakest: {worst} with {worst_rate} (cohorts of at least {least}).")
EQUAL = N_("All cohorts of at least {least} kept the same share: {rate}.")
TOO_SMALL = N_("Fewer than two cohorts of at least {least} have come that far: none is called best.")
NEVER = N_("{name} has no cohorts of this kind yet. A report will follow once somebody has come.")
OTHERS = N_(
    "{name} has no cohorts of this kind. It has others; set the parameters subject and cohort_by: {kinds}."
)
ELSEWHERE = N_(
    "No cohort of {name} lies in this report's periods. Its cohorts lie between {first} and {last}."
)
DRAWN = N_("drawn as far as cohorts with at least {least} people together have come")
