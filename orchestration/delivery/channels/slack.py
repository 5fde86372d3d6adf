"""Reports in Slack: by a bot (message, its files in the thread) or by an incoming webhook (message alone).

Belongs here: the calls, their order, and what Slack's answers mean. Does not: the looks of the message
(slack_blocks.py) and retrying (service).
Slack knows no idempotency key (`client_msg_id` is for its own programs), so a message whose answer never came
is an unknown outcome. All goes through slack-sdk and urllib, also through a proxy of the environment.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse
from slack_sdk.webhook import WebhookClient

from orchestration.delivery.channels import slack_blocks
from orchestration.delivery.channels.parcel import Attachment, Parcel, Unopened
from orchestration.delivery.channels.webhook import retry_after
from orchestration.delivery.failures import (
    DeliveryFailure,
    PartialFailure,
    PermanentFailure,
    TransientFailure,
    UnknownOutcome,
)
from orchestration.errors import MetricpressError

SECONDS = 30
#: A channel by Slack's rule for names, or the id of a channel, group, direct message or member.
CHANNEL = re.compile(r"#[^\s,.#@<>&A-Z]{1,80}|[CGDUW][A-Z0-9]{8,20}")
#: As in SLACK_WEBHOOK_<NAME>.
WEBHOOK_NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")
SCOPES = frozenset({"chat:write", "files:write"})
ERROR_CODE = re.compile(r"[a-z][a-z0-9_]{1,60}")

LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
PASSING = frozenset({"service_unavailable", "request_timeout", "team_added_to_org", "rollup_error"})
#: "It's possible some aspect of the operation succeeded", says Slack's reference of these.
UNSURE = frozenset({"internal_error", "fatal_error"})
#: A gateway that lost the answer of the server behind it.
GATEWAY = frozenset({502, 504})
GONE = frozenset({"is_archived", "channel_is_archived", "user_disabled", "no_service", "no_active_hooks"})
HINTS = {
    "channel_not_found": "a bot does not see a private channel before it is invited: /invite @its-name",
    "not_in_channel": "invite the bot into the channel: /invite @its-name",
    "missing_scope": "the app needs the scopes chat:write and files:write, and to be installed again",
    "invalid_auth": "look at SLACK_BOT_TOKEN",
    "not_authed": "look at SLACK_BOT_TOKEN",
    "token_revoked": "look at SLACK_BOT_TOKEN",
    "token_expired": "look at SLACK_BOT_TOKEN",
    "account_inactive": "the bot of SLACK_BOT_TOKEN was removed",
}

#: slack-sdk logs URLs of webhooks and every failure, which the ledger has already.
_quiet = logging.getLogger(f"{__name__}.sdk")
_quiet.setLevel(logging.CRITICAL)


def check_recipient(text: str) -> None:
    """Raise MetricpressError for what is neither #channel or an id nor the name of an incoming webhook."""
    if not CHANNEL.fullmatch(text) and not WEBHOOK_NAME.fullmatch(text):
        shown = "a URL" if "://" in text else repr(text)
        raise MetricpressError(
            f"{shown} is neither a Slack channel nor the name of an incoming webhook",
            remedy="Write #channel, its id (C0123456789), or name for the webhook in SLACK_WEBHOOK_NAME; "
            "never the webhook's URL, which is a secret.",
        )


@dataclass(frozen=True)
class _Answer:
    """What Slack answered to a call that was refused: HTTP status, error code, wish to wait."""

    status: int
    error: str
    retry_after: float | None
    details: str = ""


class SlackChannel(Unopened):
    """Messages to channels (`#name` or id, by bot) and to incoming webhooks (by their name)."""

    def __init__(
        self, token: str | None, api_base: str, webhooks: Mapping[str, str], *, seconds: int = SECONDS
    ) -> None:
        self._token = token
        self._api_base = api_base
        self._webhooks = webhooks
        self._seconds = seconds
        #: Recipients of the batch after one that could not be reached do not wait for the same time-out.
        self._unreachable: dict[str, _Unreachable] = {}

    def send(self, parcel: Parcel) -> str:
        """Post the message and its files; returns channel and time stamp, by which Slack knows it."""
        try:
            check_recipient(parcel.recipient)
        except MetricpressError as error:
            raise PermanentFailure(f"{error}. {error.remedy}") from error
        way, send = "bot", self._by_bot
        if WEBHOOK_NAME.fullmatch(parcel.recipient):
            way, send = "webhook", self._by_webhook
        if way in self._unreachable:
            raise self._unreachable[way]
        try:
            return send(parcel)
        except _Unreachable as failure:
            self._unreachable[way] = failure
            raise

    def identity(self) -> tuple[str, list[str]]:
        """Who the bot is, and which scopes it lacks; posts nothing, raises as `send` does."""
        client = self._client()
        answer = _call(client.auth_test, {}, is_seen=False)
        granted = set((_header(answer.headers, "X-OAuth-Scopes") or "").split(","))
        return f"{answer.get('user')} in {answer.get('team')}", sorted(SCOPES - granted)

    def _by_bot(self, parcel: Parcel) -> str:
        client = self._client()
        place = dict(parcel.progress or {})
        if not place:
            # Files that were uploaded and not yet shared are seen by nobody: what fails here leaves no trace.
            files = self._upload(client, parcel)
            place = self._post(client, parcel)
        else:
            with _Rest(place):
                files = self._upload(client, parcel)
        if files:
            with _Rest(place):
                _call(
                    client.files_completeUploadExternal,
                    {"files": files, "channel_id": place["channel"], "thread_ts": place["ts"]},
                    is_seen=True,
                )
        return f"{place['channel']} {place['ts']}"

    def _client(self) -> WebClient:
        if self._token is None:
            raise PermanentFailure(
                "SLACK_BOT_TOKEN is not set: messages to channels need the token of a bot (docs/runbook.md)"
            )
        _require_tls("SLACK_API_BASE", self._api_base)
        return WebClient(self._token, self._api_base, timeout=self._seconds, retry_handlers=[], logger=_quiet)

    def _post(self, client: WebClient, parcel: Parcel) -> dict[str, Any]:
        text, blocks = slack_blocks.message(parcel, files_follow=True)
        message = {
            "channel": parcel.recipient,
            "text": text,
            "blocks": blocks,
            "unfurl_links": False,
            "unfurl_media": False,
        }
        answer = _call(client.chat_postMessage, message, is_seen=True)
        channel, ts = answer.get("channel"), answer.get("ts")
        if not isinstance(channel, str) or not isinstance(ts, str):
            raise UnknownOutcome("Slack took chat.postMessage and did not say where the message is")
        return {"channel": channel, "ts": ts}

    def _upload(self, client: WebClient, parcel: Parcel) -> list[dict[str, str]]:
        """Hand over the files; returns what completing the upload needs."""
        files = []
        for file in parcel.attachments:
            asked = {"filename": file.filename, "length": len(file.content)}
            answer = _call(client.files_getUploadURLExternal, asked, is_seen=False)
            self._put(str(answer.get("upload_url")), file)
            files.append({"id": str(answer.get("file_id")), "title": file.filename})
        return files

    def _put(self, url: str, file: Attachment) -> None:
        if not url.startswith("https://") and not self._api_base.startswith("http://"):
            raise TransientFailure("Slack gave no address to upload to")
        request = Request(url, file.content, {"Content-Type": "application/octet-stream"}, method="POST")
        try:
            with urlopen(request, timeout=self._seconds) as response:
                response.read(1)
        except HTTPError as error:
            with error:
                answer = _Answer(error.code, "", retry_after(error.headers.get("Retry-After")))
            _refuse(f"the upload of {file.filename}", answer, is_seen=False)
        except (OSError, HTTPException) as error:
            raise TransientFailure(
                f"the upload of {file.filename} to Slack broke off: {_words(error)}"
            ) from None

    def _by_webhook(self, parcel: Parcel) -> str:
        name = parcel.recipient
        variable = f"SLACK_WEBHOOK_{name.upper()}"
        url = self._webhooks.get(name)
        if url is None:
            raise PermanentFailure(f"{variable} is not set: {name!r} names no incoming webhook of Slack")
        _require_tls(variable, url)
        client = WebhookClient(url, timeout=self._seconds, retry_handlers=[], logger=_quiet)
        text, blocks = slack_blocks.message(parcel, files_follow=False)
        what = f"the incoming webhook {name}"
        body = {"text": text, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}
        with _Connection(what, is_seen=True):
            answer = client.send_dict(body)
        said = answer.body.strip()
        if (answer.status_code, said) == (200, "ok"):
            return what
        wait = retry_after(_header(answer.headers, "Retry-After"))
        # 200 with other words is not Slack: a redirect was followed, or somebody stands between.
        code = said if answer.status_code != 200 else ""
        _refuse(what, _Answer(answer.status_code, code, wait), is_seen=True)


class _Unreachable(TransientFailure):
    """There was no connection, or it ended within the request."""


class _Connection:
    """Turns what urllib and slack-sdk raise into failures; `is_seen`: the call shows something to readers."""

    def __init__(self, what: str, *, is_seen: bool) -> None:
        self.what = what
        self.is_seen = is_seen

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        match error:
            case URLError():  # urllib raises it until the request is out as a whole, and nothing else after
                raise _Unreachable(f"Slack did not take {self.what}: {_words(error)}") from None
            # slack-sdk stumbles in many ways over answers that are not Slack's.
            case OSError() | HTTPException() | ValueError() | LookupError() | AttributeError():
                kind_of = UnknownOutcome if self.is_seen else TransientFailure
                raise kind_of(f"Slack gave no usable answer to {self.what}: {_words(error)}") from None


class _Rest:
    """After the message is out, what surely failed can be done alone: it keeps where the message is."""

    def __init__(self, place: Mapping[str, Any]) -> None:
        self.place = place

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, UnknownOutcome):
            message = f"the message is posted, its files may be: {error}"
            raise UnknownOutcome(message, progress=self.place) from error
        if isinstance(error, DeliveryFailure):
            wait = error.retry_after if isinstance(error, TransientFailure) else None
            raise PartialFailure(
                f"the message is posted, its files are not: {error}", progress=self.place, retry_after=wait
            ) from error


def _call(method: Callable[..., SlackResponse], arguments: dict[str, Any], *, is_seen: bool) -> SlackResponse:
    """Call a method of the Web API; returns its answer, raises what a refusal means."""
    name = method.__name__.replace("_", ".", 1)
    refused: _Answer
    with _Connection(name, is_seen=is_seen):
        try:
            return method(**arguments)
        except SlackApiError as error:
            refused = _read(error)
    _refuse(name, refused, is_seen=is_seen)


def _read(error: SlackApiError) -> _Answer:
    response = error.response
    data = response.data if isinstance(response.data, dict) else {}
    more = data.get("response_metadata")
    messages = more.get("messages", []) if isinstance(more, dict) else []
    needed = [f"needs {data['needed']}"] if "needed" in data else []
    details = "; ".join(str(part) for part in (*needed, *messages))[:300]
    wait = retry_after(_header(response.headers, "Retry-After"))
    return _Answer(response.status_code, str(data.get("error", "")), wait, details)


def _refuse(what: str, answer: _Answer, *, is_seen: bool) -> NoReturn:
    """Raise what an answer other than success means."""
    code = answer.error if ERROR_CODE.fullmatch(answer.error) else ""
    message = f"Slack answered {code or answer.status} to {what}"
    # The Web API refuses with 200 and a code, an incoming webhook with a status.
    by_bot = answer.status == 200
    hint = HINTS.get(code, "") if by_bot else ""
    message += "".join(f" ({part})" for part in (answer.details, hint) if part)
    if code in LIMITED or answer.status == 429:
        raise TransientFailure(message, retry_after=answer.retry_after)
    if code in UNSURE or answer.status in GATEWAY or (by_bot and not code):
        raise UnknownOutcome(message) if is_seen else TransientFailure(message)
    if code in PASSING or answer.status >= 500:
        raise TransientFailure(message, retry_after=answer.retry_after)
    is_gone = code in GONE or (code == "channel_not_found" and not by_bot)
    raise PermanentFailure(message, recipient_gone=is_gone)


def _require_tls(name: str, url: str) -> None:
    """No secret goes over an open line, save to a program on the same machine."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme == "https" or (
            parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
        )
        fine = fine and bool(parts.hostname) and url.isprintable() and " " not in url
    except ValueError:
        fine = False
    if not fine:
        raise PermanentFailure(f"{name} is not an address that begins with https://")


def _header(headers: Mapping[str, Any], name: str) -> str | None:
    """A header whatever its case: slack-sdk hands over a plain dict, whose values may be lists."""
    for key, value in headers.items():
        if key.lower() == name.lower():
            return str(value[0] if isinstance(value, list) else value)
    return None


def _words(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return " ".join(str(reason).split()) or type(error).__name__
