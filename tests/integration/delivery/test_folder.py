"""The folder channel: below the outbox alone, no file over another delivery's, the same over its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.delivery.channels import check_recipient, open_channel
from orchestration.delivery.failures import PermanentFailure
from orchestration.errors import MetricpressError
from orchestration.settings import Settings


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(home=tmp_path / "home", output_dir=tmp_path / "reports")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_repeat_replaces_its_own_files_and_no_others(settings, make_parcel) -> None:
    parcel = make_parcel("acme/board")
    pdf = parcel.attachments[0]
    other = replace(
        parcel,
        delivery_id="9d1c2f60-0000-4000-8000-000000000002",
        attachments=(replace(pdf, content=b"auf Deutsch"),),
    )
    with open_channel("file", settings) as channel:
        place = channel.send(parcel)
        channel.send(other)
        channel.send(parcel)
        with pytest.raises(PermanentFailure, match="no file"):
            channel.send(replace(parcel, attachments=()))
    assert files(Path(place)) == {
        "gym_executive_1b4e28ba.pdf": pdf.content,
        "gym_executive_9d1c2f60.pdf": b"auf Deutsch",
    }
    assert place == str(settings.home / "outbox" / "acme" / "board")


@pytest.mark.parametrize(
    "recipient", ["/etc", "../postgres", "a/../../b", "~/x", "~root", "", ".", "a\nb", "a\0b"]
)
def test_nothing_is_written_elsewhere(settings, make_parcel, recipient) -> None:
    with pytest.raises(MetricpressError, match="not a folder below the outbox"):
        check_recipient("file", recipient)
    with open_channel("file", settings) as channel, pytest.raises(PermanentFailure):
        channel.send(make_parcel(recipient))
    assert not files(settings.home.parent)


def test_a_link_of_the_operator_leads_elsewhere(settings, make_parcel, tmp_path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    outbox = settings.home / "outbox"
    outbox.mkdir(parents=True)
    (outbox / "board").symlink_to(share)
    with open_channel("file", settings) as channel:
        channel.send(make_parcel("board"))
    assert list(files(share)) == ["gym_executive_1b4e28ba.pdf"]
