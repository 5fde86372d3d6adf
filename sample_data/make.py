"""Make the shipped sample files from the files their publishers published.

    python sample_data/make.py ../shared/data          writes the files beside this script
    python sample_data/make.py ../shared/data --check  writes nothing, exits 1 when a shipped file differs

Belongs here: which rows and columns are shipped, and the two derivations that need the order of a file (the
row numbers and the calendar of the bank campaign). Does not belong here: any conversion of a value; that
happens at load, in select/*.sql, where everybody can read it.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import gzip
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent

EV_COLUMNS = (
    "sessionId",
    "kwhTotal",
    "dollars",
    "created",
    "ended",
    "chargeTimeHrs",
    "platform",
    "userId",
    "stationId",
    "locationId",
    "managerVehicle",
    "facilityType",
)
BANK_COLUMNS = (
    "job",
    "contact",
    "month",
    "day_of_week",
    "duration",
    "campaign",
    "pdays",
    "previous",
    "poutcome",
    "y",
)
USAGE_COLUMNS = ("usage_id", "subscription_id", "usage_date", "feature_name", "usage_duration_secs")
RATE_CURRENCIES = ("USD", "JPY", "GBP", "CHF", "BRL", "AUD", "INR", "SGD")
FIRST_RATE_DATE = "2017-01-01"
CAMPAIGN_START = dt.date(2008, 5, 1)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Row = dict[str, str]


def read(path: Path, delimiter: str = ",") -> list[Row]:
    """The rows of a published CSV file, every value as the text that stands there."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def csv_bytes(columns: Iterable[str], rows: Iterable[Row], *, zipped: bool) -> bytes:
    """The named columns as CSV; gzipped without name or time, so that equal rows give equal bytes."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(columns), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    content = text.getvalue().encode()
    return gzip.compress(content, compresslevel=9, mtime=0) if zipped else content


def campaign_calendar(rows: list[Row]) -> Iterator[Row]:
    """One row for each calling day of the bank campaign, with the rows of the file that belong to it.

    The file is ordered by date but carries only month and weekday. A day is a run of rows with the same month
    and weekday. Its date is the first date after the previous day's (from 2008-05-01 on) that lies in that
    month and on that weekday. A date more than a year on, or a run outside its own month, is an error: the
    rule must explain the whole file.
    """
    first, previous = 0, CAMPAIGN_START - dt.timedelta(days=1)
    for number in range(1, len(rows) + 1):
        if number < len(rows) and _month_and_weekday(rows[number]) == _month_and_weekday(rows[first]):
            continue
        month, weekday = _month_and_weekday(rows[first])
        date = previous + dt.timedelta(days=1)
        while date.month != MONTHS.index(month) + 1 or date.weekday() != WEEKDAYS.index(weekday):
            date += dt.timedelta(days=1)
        if date - previous > dt.timedelta(days=100):
            raise ValueError(f"row {first + 1}: no {weekday} of {month} within 100 days after {previous}")
        yield {
            "first_row": str(first + 1),
            "last_row": str(number),
            "month": month,
            "day_of_week": weekday,
            "call_date": date.isoformat(),
        }
        first, previous = number, date


def _month_and_weekday(row: Row) -> tuple[str, str]:
    return row["month"], row["day_of_week"]


def numbered(rows: list[Row]) -> Iterator[Row]:
    """The rows with their position in the published file (1 is the first below the header) as `row`."""
    for number, row in enumerate(rows, start=1):
        yield {"row": str(number), **row}


def sample_files(source: Path) -> dict[str, bytes]:
    """Name and content of every shipped data file that comes from a publisher's file below `source`."""
    bank = read(source / "uci_bank_marketing" / "bank-additional-full.csv", delimiter=";")
    ravenstack = source / "ravenstack_saas"
    rates = read(source / "ecb_fx" / "eurofxref-hist.csv")
    charging = read(source / "ev_charging_sessions" / "station_data_dataverse.csv")
    usage = read(ravenstack / "ravenstack_feature_usage.csv")
    subscriptions = read(ravenstack / "ravenstack_subscriptions.csv")
    accounts = read(ravenstack / "ravenstack_accounts.csv")
    return {
        "charging_sessions.csv.gz": csv_bytes(EV_COLUMNS, charging, zipped=True),
        "bank_campaign.csv.gz": csv_bytes(("row", *BANK_COLUMNS), numbered(bank), zipped=True),
        "bank_campaign_days.csv": csv_bytes(
            ("first_row", "last_row", "month", "day_of_week", "call_date"),
            campaign_calendar(bank),
            zipped=False,
        ),
        "ravenstack_accounts.csv": csv_bytes(accounts[0], accounts, zipped=False),
        "ravenstack_subscriptions.csv.gz": csv_bytes(subscriptions[0], subscriptions, zipped=True),
        "ravenstack_feature_usage.csv.gz": csv_bytes(USAGE_COLUMNS, usage, zipped=True),
        "ecb_rates.csv.gz": csv_bytes(
            ("Date", *RATE_CURRENCIES), (r for r in rates if r["Date"] >= FIRST_RATE_DATE), zipped=True
        ),
    }


def same_content(shipped: Path, content: bytes) -> bool:
    """Whether the file exists with the same rows; zlib versions may pack the same rows differently."""
    if not shipped.exists():
        return False
    if shipped.suffix == ".gz":
        return gzip.decompress(shipped.read_bytes()) == gzip.decompress(content)
    return shipped.read_bytes() == content


def main() -> int:
    """Write or compare every file; the exit code is 1 when a compared file differs."""
    parser = argparse.ArgumentParser(description="Make the shipped sample files from the published files.")
    parser.add_argument("source", type=Path, help="folder with one subfolder for each published data set")
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 when a file differs")
    arguments = parser.parse_args()
    differing = 0
    for name, content in sample_files(arguments.source).items():
        if arguments.check:
            same = same_content(HERE / name, content)
            differing += not same
            print(f"{'same   ' if same else 'DIFFERS'} {name}")
        else:
            (HERE / name).write_bytes(content)
            print(f"{len(content):>9,} bytes {name}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
