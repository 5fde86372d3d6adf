"""What the forked child does: take rights away from itself, render one template, write the files to its pipe.

Belongs here: everything that runs hostile content. Does not belong here: the server that forks it (server.py)
and its caller (process.py). Nothing here opens a file or a connection.
"""

from __future__ import annotations

import gc
import json
import math
import os
import pickle
import resource
import socket
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from markupsafe import Markup
from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

from orchestration.reports.messages import fill, read_messages
from orchestration.reports.own.markup import check_page, image_in
from orchestration.reports.own.sandbox import OwnEnvironment, line_of
from orchestration.reports.own.template import LARGEST_FILE, LARGEST_PAGE, SOURCE_NAME, TemplateFailure

LENGTH = struct.Struct(">Q")
#: Programs of the page are kept from browsers too, and so is everything from elsewhere.
POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; "
    "form-action 'none'\">"
)
_DENIED = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system", "os.kill",
           "ctypes.",
           "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.chown",
           "os.truncate", "shutil.", "urllib.", "http.", "ftplib.", "smtplib.", "webbrowser.", "pty.",
           "tempfile.")  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One rendering. `sources`: the templates by name; `views`: what the tenant's own sees, by format."""

    sources: Mapping[str, str]
    views: Mapping[str, Mapping[str, Any]]
    parameters: Mapping[str, Any]
    language: str
    translations: Mapping[str, Any]
    formats: tuple[str, ...]
    css: str  # the house's style sheet with its fonts, for pages that stand alone
    house_styles: bool = True


@dataclass(frozen=True)
class Styles:
    """What the server prepared: parsed once, used by every child."""

    sheets: list[CSS]
    fonts: FontConfiguration


class NoFetcher(URLFetcher):  # type: ignore[misc]
    """Gives small pictures that stand in the page; every other address ends the rendering."""

    def __init__(self) -> None:
        super().__init__(allowed_protocols=(), allow_redirects=False)

    def fetch(self, url: str, headers: Any = None) -> URLFetcherResponse:
        """Content of a data: URI; Refused for everything else."""
        try:
            kind, content = image_in(url)
        except TemplateFailure as error:
            raise Refused(error) from error
        return URLFetcherResponse(url[:100], content, {"Content-Type": kind})


class Refused(FatalURLFetchingError):  # type: ignore[misc]
    """A refusal that WeasyPrint does not turn into a warning."""

    def __init__(self, failure: TemplateFailure) -> None:
        super().__init__(str(failure))
        self.failure = failure


def run(pipe: socket.socket, styles: Styles, seconds: int, megabytes: int, readable: tuple[str, ...]) -> None:
    """Serve one request on `pipe`; the caller ends the process afterwards, whatever happened."""
    confine(pipe, seconds, megabytes, readable)
    gc.disable()  # it ends with the document
    # Not from a stranger: the parent process wrote it.
    job = pickle.loads(read_frame(pipe))
    try:
        answer, files = {"files": list(job.formats)}, [render(job, styles)[name] for name in job.formats]
    except MemoryError:
        answer, files = told(TemplateFailure("memory", "the template needs more memory than it may have")), []
    except Refused as error:
        answer, files = told(error.failure), []
    except TemplateFailure as error:
        answer, files = told(error), []
    write_frame(pipe, json.dumps(answer).encode())
    for content in files:
        write_frame(pipe, content)


def confine(pipe: socket.socket, seconds: int, megabytes: int, readable: tuple[str, ...]) -> None:
    """Give up all that a rendering does not need: descriptors, memory, time, writing, opening."""
    keep = pipe.fileno()
    os.closerange(3, keep)
    os.closerange(keep + 1, 65_536)
    with open("/proc/self/statm") as statm:
        taken = int(statm.read().split()[0]) * resource.getpagesize()
    limits = {
        resource.RLIMIT_CPU: math.ceil(seconds) + 1,
        resource.RLIMIT_AS: taken + megabytes * 1_000_000,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 32,
    }
    for limit, most in limits.items():
        resource.setrlimit(limit, (most, most))

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, flags = arguments[0], arguments[2]
            if isinstance(path, int):
                return
            name = os.path.abspath(os.fsdecode(path))
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) or not name.startswith(readable):
                raise Refused(TemplateFailure("address", f"the template opens {name[:200]}"))
        elif event.startswith(_DENIED) and event != "socket.__new__":
            raise Refused(TemplateFailure("address", f"the template does what it may not: {event}"))

    sys.addaudithook(refuse)


def render(job: Job, styles: Styles) -> dict[str, bytes]:
    """The files asked for; TemplateFailure says what the template did."""
    files = {}
    if "html" in job.formats:
        dressed = page(job, "html", job.css if job.house_styles else "")
        check_page(dressed, job.css)
        files["html"] = with_policy(dressed).encode("utf-8")
    if "pdf" in job.formats:
        plain = page(job, "pdf", "")
        check_page(plain)
        files["pdf"] = paper(plain, styles if job.house_styles else Styles([], styles.fonts))
    for name, content in files.items():
        if len(content) > LARGEST_FILE:
            raise TemplateFailure("output", f"the {name} file has {len(content):,} bytes")
    return files


def page(job: Job, name: str, css: str) -> str:
    """The template filled in for a format."""
    messages, own = read_messages(job.language), job.translations

    def t(message: str, **values: object) -> str:
        said = own.get(message)
        return fill(said if isinstance(said, str) else messages.get(message), values)

    def n(singular: str, plural: str, count: int, **values: object) -> str:
        forms = own.get(singular)
        if isinstance(forms, list) and forms:
            said = str(forms[min(messages.plural_form(count), len(forms) - 1)])
        else:
            said = messages.get_plural(singular, plural, count)
        return fill(said, {"count": count, **values})

    made, size = [], 0
    try:
        template = OwnEnvironment(job.sources, {"t": t, "n": n}).get_template(SOURCE_NAME)
        names = {"document": job.views[name], "parameters": job.parameters, "css": Markup(css)}
        for piece in template.generate(names):
            made.append(piece)
            size += len(piece)
            if size > LARGEST_PAGE + len(css):
                raise TemplateFailure("output", f"the page is larger than {LARGEST_PAGE:,} letters")
    except (TemplateFailure, MemoryError):
        raise
    except Exception as error:
        raise failure_of(error) from error
    return "".join(made)


def failure_of(error: Exception) -> TemplateFailure:
    """What an error while filling in means to the template's author."""
    line = line_of(error)
    where = f"line {line}: " if line else ""
    match error:
        case RecursionError():
            return TemplateFailure("depth", f"{where}the template calls itself without end", line)
        case SecurityError():
            return TemplateFailure("forbidden", f"{where}{error}", line)
        case TemplateSyntaxError():
            return TemplateFailure("syntax", f"{where}{error.message}", line)
        case UndefinedError():
            return TemplateFailure("undefined", f"{where}{error}", line)
        case TemplateError():
            return TemplateFailure("fault", f"{where}{type(error).__name__}: {error}", line)
        case _:
            return TemplateFailure("fault", f"{where}{type(error).__name__}: {str(error)[:300]}", line)


def paper(markup: str, styles: Styles) -> bytes:
    """The page as a tagged PDF."""
    try:
        pages = HTML(string=markup, url_fetcher=NoFetcher())
        data: bytes = pages.write_pdf(
            stylesheets=styles.sheets, font_config=styles.fonts, pdf_variant="pdf/ua-1"
        )
    except RecursionError as error:
        raise TemplateFailure("depth", "the page is nested too deeply") from error
    except (MemoryError, TemplateFailure):
        raise
    except Exception as error:
        message = f"the page cannot be printed: {type(error).__name__}: {str(error)[:300]}"
        raise TemplateFailure("fault", message) from error
    return data


def with_policy(markup: str) -> str:
    """The page with the rule for browsers before anything a browser could act on."""
    text = markup.lstrip()
    if text[:9].lower() != "<!doctype" or ">" not in text:
        return f"<!DOCTYPE html>{POLICY}{text}"
    end = text.index(">") + 1
    return text[:end] + POLICY + text[end:]


def told(failure: TemplateFailure) -> dict[str, Any]:
    """A failure as it goes through the pipe."""
    return {"kind": failure.kind, "message": str(failure), "line": failure.line}


def read_frame(pipe: socket.socket, most: int = LARGEST_FILE * 4) -> bytes:
    """One message with its length before it. EOFError when the other side ended; ValueError when too long."""
    (length,) = LENGTH.unpack(_read(pipe, LENGTH.size))
    if length > most:
        raise ValueError(f"a message of {length:,} bytes")
    return _read(pipe, length)


def write_frame(pipe: socket.socket, content: bytes) -> None:
    """Write one message."""
    pipe.sendall(LENGTH.pack(len(content)))
    pipe.sendall(content)


def _read(pipe: socket.socket, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        piece = pipe.recv(min(1 << 20, length - len(found)))
        if not piece:
            raise EOFError
        found += piece
    return bytes(found)
