"""Numbers, dates and changes as text in a locale.

Belongs here: everything that turns a Figure, a date or a change into words, through Babel, and the texts
around them in its language. Does not belong
here: markup, and which figures a report shows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_interval, format_skeleton, format_time
from babel.numbers import (
    format_compact_currency,
    format_compact_decimal,
    format_currency,
    format_decimal,
    format_percent,
)
from babel.units import format_unit

from orchestration.errors import MetricpressError
from orchestration.reports.document import Figure, Number
from orchestration.reports.messages import fill, languages, read_messages

DASH = "—"
_CLOSE = Decimal("0.01")
_COMPACT_FROM = Decimal(1_000_000)
_WHOLE_FROM = Decimal(1_000)
#: A larger factor says only that the base was next to nothing.
_MOST_FOLD = 1_000
_TIMES = ("milliseconds", "seconds", "minutes", "hours")
#: Seconds in each unit of time.
SECONDS = {"seconds": Decimal(1), "minutes": Decimal(60), "hours": Decimal(3600)}


def parse_locale(name: str) -> Locale:
    """`en`, `en_GB`, `de-DE`; anything Babel does not know is a MetricpressError."""
    try:
        return Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError) as error:
        raise MetricpressError(
            f"unknown locale {name!r}", remedy="use a locale such as en, en_GB or de"
        ) from error


def require_language(name: str) -> None:
    """Refuse a locale in whose language no report can be written: one half in English helps nobody."""
    locale = parse_locale(name)
    if locale.language not in languages():
        known = ", ".join(languages())
        raise MetricpressError(
            f"reports cannot be written in {locale.get_language_name('en') or 'this language'} ({name})",
            remedy=f"Languages: {known}. A regional form such as en_GB or de_AT has its numbers and dates.",
        )


@dataclass(frozen=True)
class Formatter:
    """Text forms in one locale. Numbers are rounded here and nowhere else, half to even."""

    locale: Locale

    @classmethod
    def of(cls, name: str) -> Formatter:
        """A formatter for a locale given by name."""
        return cls(parse_locale(name))

    @property
    def language(self) -> str:
        """The language of the texts, such as `de`."""
        return str(self.locale.language)

    def t(self, message: str, **values: object) -> str:
        """A text in the language, with values in place of `{name}`."""
        return fill(read_messages(self.language).get(message), values)

    def n(self, singular: str, plural: str, count: int, **values: object) -> str:
        """A text in the form for a count; `{count}` is that number as the locale writes it."""
        message = read_messages(self.language).get_plural(singular, plural, count)
        return fill(message, {"count": self._decimal(Decimal(count), 0), **values})

    def listed(self, items: Sequence[str]) -> str:
        """`a, b and c`."""
        if len(items) < 2:
            return "".join(items)
        return self.t("{first} and {last}", first=", ".join(items[:-1]), last=items[-1])

    def figure(self, figure: Figure, compact: bool = False) -> str:
        """The value of a figure; a dash when it is NULL; `compact` abbreviates what is long."""
        return self.like(figure, figure.value, compact)

    def like(self, figure: Figure, value: Number | None, compact: bool = False) -> str:
        """Another value in the form of a figure: the period before, a target, an axis label."""
        if value is None:
            return DASH
        number = Decimal(value)
        match figure.format:
            case "decimal" if figure.unit in _TIMES:
                text = self._duration(number, figure.unit)
            case "integer" if figure.unit == "bytes":
                text = self.size(number)
            case "integer":
                text = self._count(number, compact)
            case "percent":
                text = self._percent(number, _share_digits(figure, value))
            case "money":
                text = self.money(number, figure.currency or "USD", compact)
            case "duration":
                text = self._duration(number, figure.unit)
            case "months":
                text = self.t("{number} months", number=self._decimal(number, 1))
            case "decimal":
                text = self._decimal(number, 2)
        return _clean(text)

    def axis(self, figure: Figure, ticks: Sequence[Decimal]) -> list[str]:
        """Short labels of round axis values, all with the same number of decimals."""
        if figure.format == "percent":
            shares = [(tick * 100).normalize() for tick in ticks]
            digits = max(0, *(-int(share.as_tuple().exponent) for share in shares))
            return [_clean(self._percent(tick, digits)) for tick in ticks]
        if (
            figure.format == "decimal"
            and figure.unit not in _TIMES
            and all(abs(t) < _WHOLE_FROM for t in ticks)
        ):
            digits = max(0, *(-int(tick.normalize().as_tuple().exponent) for tick in ticks))
            return [_clean(self._decimal(tick, digits)) for tick in ticks]
        labels = [_clean(self._tick(figure, tick)) for tick in ticks]
        if len(set(labels)) < len(set(ticks)):
            # A narrow scale far from 0: abbreviated, neighbours would read the same.
            labels = [_clean(self._tick(figure, tick, digits=3)) for tick in ticks]
        return labels

    def _tick(self, figure: Figure, number: Decimal, digits: int = 1) -> str:
        if figure.format == "money":
            currency = figure.currency or "USD"
            digits = 0 if abs(number) < 1000 and digits == 1 else digits
            short = format_compact_currency(number, currency, locale=self.locale, fraction_digits=digits)
            return self._grouped(short)
        if figure.unit in SECONDS:
            return self._duration(number, figure.unit) if number else self._decimal(number, 0)
        suffix = " ms" if figure.unit == "milliseconds" else ""
        if abs(number) >= 10_000:
            short = format_compact_decimal(number, locale=self.locale, fraction_digits=digits)
            return self._grouped(short) + suffix
        return format_decimal(number, "#,##0.##", locale=self.locale) + suffix

    def money(self, value: Number, currency: str, compact: bool = False) -> str:
        """An amount: to the minor unit, or on a card in whole units and from a million on abbreviated."""
        number = Decimal(value)
        if compact and abs(number) >= _COMPACT_FROM:
            short = format_compact_currency(number, currency, locale=self.locale, fraction_digits=2)
            return _money(self._grouped(short))
        if compact and abs(number) >= _WHOLE_FROM:
            whole = number.quantize(Decimal(1))
            pattern = _with_decimals(str(self.locale.currency_formats["standard"].pattern), 0)
            return _money(
                format_currency(whole, currency, format=pattern, locale=self.locale, currency_digits=False)
            )
        return _money(format_currency(number, currency, locale=self.locale))

    def change(self, figure: Figure) -> str:
        """The change in words that follow `up` or `down`: `4.2%`, `1.2 points`, or nothing."""
        comparison = figure.comparison
        if comparison is None or comparison.change is None:
            return ""
        size = abs(Decimal(comparison.change))
        if figure.format == "percent":
            points = self._decimal(size * 100, _share_digits(figure, figure.value))
            return self.t("{number} points", number=points)
        if comparison.change_rate is None:
            return ""
        rate = abs(comparison.change_rate)
        if rate >= _MOST_FOLD:
            return self.t("more than {number}-fold", number=self._decimal(Decimal(_MOST_FOLD), 0))
        if rate >= 10:
            return self.t("{number}-fold", number=self._decimal(rate, 0))
        return _plain_space(self._percent(rate, 1))

    def day(self, day: date) -> str:
        """A day in full without the weekday."""
        return _plain_space(format_date(day, "long", locale=self.locale))

    def short_date(self, day: date, frequency: str) -> str:
        """A tick label: the day, for months the month."""
        skeleton = "yMMM" if frequency == "monthly" else "MMMd"
        return _plain_space(format_skeleton(skeleton, day, locale=self.locale))

    def moment(self, moment: datetime) -> str:
        """A day and the time to the minute."""
        hours = format_time(moment, "short", locale=self.locale)
        joined = str(self.locale.datetime_formats["medium"])
        return _plain_space(joined.replace("{1}", self.day(moment.date())).replace("{0}", hours))

    def period(self, start: date, end: date, frequency: str) -> str:
        """The period in words: a day with its weekday, the ends of a week, a month by name."""
        if frequency == "daily" or start == end:
            return _plain_space(format_date(end, "full", locale=self.locale))
        if frequency == "monthly":
            return _plain_space(format_skeleton("yMMMM", start, locale=self.locale))
        return _plain_space(self._interval(start, end))

    def _interval(self, start: date, end: date) -> str:
        """Two days as the locale joins them, what they share said once: `October 12 – 18, 2026`."""
        differs = "y" if start.year != end.year else "M" if start.month != end.month else "d"
        patterns = self.locale.interval_formats["yMMMd"][differs]
        days = (start, end)
        return "".join(
            format_date(day, pattern.replace("MMM", "MMMM"), locale=self.locale)
            for day, pattern in zip(days, patterns, strict=True)
        )

    def weekday(self, number: int) -> str:
        """Name of the ISO weekday 1 (Monday) to 7."""
        return str(self.locale.days["format"]["wide"][number - 1])

    def hour(self, hour: int) -> str:
        """An hour of the day on a 24 hour clock."""
        return f"{hour:02d}"

    def hour_span(self, hour: int) -> str:
        """The hour that begins at a full hour: `14:00 – 15:00`, in German `14:00–15:00 Uhr`."""
        first, second = time(hour), time((hour + 1) % 24)
        return _plain_space(format_interval(first, second, "Hm", locale=self.locale))

    def size(self, count: Number) -> str:
        """So many bytes, in the largest unit below: `1.2 MB`."""
        number, unit = Decimal(count), "byte"
        for unit in ("byte", "kilobyte", "megabyte", "gigabyte"):
            if abs(number) < 1000 or unit == "gigabyte":
                break
            number /= 1000
        digits = "#,##0" if unit in ("byte", "kilobyte") else "#,##0.0"
        return _clean(format_unit(number, unit, "short", digits, locale=self.locale)).replace(" ", "\u00a0")

    def _decimal(self, number: Decimal, digits: int) -> str:
        pattern = _with_decimals(str(self.locale.decimal_formats[None].pattern), digits)
        return format_decimal(number, pattern, locale=self.locale)

    def _percent(self, share: Decimal, digits: int) -> str:
        """A share as the locale writes it: `4.2%`, in German with a space."""
        pattern = _with_decimals(str(self.locale.percent_formats[None].pattern), digits)
        return format_percent(share, pattern, locale=self.locale)

    def _grouped(self, short: str) -> str:
        """An abbreviated number with its thousands apart, which Babel leaves out: 750.000 $, 10,159.6T."""
        return re.sub(
            r"\d{4,}", lambda found: format_decimal(int(found[0]), "#,##0", locale=self.locale), short
        )

    def _count(self, number: Decimal, compact: bool) -> str:
        if compact and abs(number) >= _COMPACT_FROM:
            return self._grouped(format_compact_decimal(number, locale=self.locale, fraction_digits=2))
        return self._decimal(number, 0)

    def _duration(self, number: Decimal, unit: str) -> str:
        if unit == "milliseconds":
            return f"{self._decimal(number, 0)} ms"
        if unit == "days":
            return self.t("{number} days", number=self._decimal(number, 1))
        seconds = number * SECONDS[unit if unit in SECONDS else "seconds"]
        sign = "-" if seconds < 0 else ""
        seconds = abs(seconds)
        if seconds < 60:
            return f"{sign}{self._decimal(seconds, 0 if unit != 'seconds' else 1)} s"
        whole, minutes = int(seconds.to_integral_value()), int((seconds / 60).to_integral_value())
        if whole < 3600:
            return f"{sign}{whole // 60} min {whole % 60:02d} s"
        if minutes < 72 * 60:
            return f"{sign}{minutes // 60} h {minutes % 60:02d} min"
        return sign + self.t("{number} days", number=self._decimal(seconds / 86400, 1))


@lru_cache(maxsize=256)
def _with_decimals(pattern: str, digits: int) -> str:
    """A number pattern of CLDR with so many decimals in place of its own."""
    decimals = "." + "0" * digits if digits else ""
    return re.sub(r"[#0][#0,]*(\.[#0]+)?", lambda found: found[0].partition(".")[0] + decimals, pattern)


def _share_digits(figure: Figure, value: Number | None) -> int:
    """Decimals of a percentage: two close to 0 and to 1, where a tenth would hide what moves."""
    share = Decimal(figure.value if figure.value is not None else value or 0)
    close = min(abs(share), abs(1 - share))
    return 2 if 0 < close < _CLOSE else 1


def _clean(text: str) -> str:
    """A true minus sign, and plain spaces."""
    return _plain_space(text).replace("-", "\u2212")


def _money(text: str) -> str:
    """A currency that has no sign is written as its code, apart from the amount."""
    return _clean(re.sub(r"(?<=[A-Z]{3})(?=-?\d)", "\u00a0", text))


def _plain_space(text: str) -> str:
    """A no-break space for the narrow and the thin one, which many fonts lack."""
    return text.replace("\u202f", "\u00a0").replace("\u2009", "\u00a0")
