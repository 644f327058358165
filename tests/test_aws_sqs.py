"""What is SQS's own about the queue on it; what every queue promises is in contracts/."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.adapters.aws.messages import UNREADABLE
from pipeline.adapters.aws.sqs import SqsQueue
from pipeline.errors import LeaseLost
from pipeline.model import Job, Lease, QueueDepth
from tests.aws_site import MAX_RECEIVES, clients, create_queues, name_for
from tests.builders import FakeClock

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

Urls = tuple[str, str]


@pytest.fixture
def client(aws_time: None) -> SQSClient:
    return clients().sqs()


@pytest.fixture
def urls(client: SQSClient, tmp_path: Path) -> Urls:
    return create_queues(client, name_for(tmp_path))


@pytest.fixture
def sqs(client: SQSClient, urls: Urls, clock: FakeClock) -> SqsQueue:
    return SqsQueue(client, *urls, clock, dead_wait_s=0)


def leased(queue: SqsQueue, seconds: float = 60) -> Lease:
    lease = queue.lease(seconds)
    assert lease
    return lease


def buried(queue: SqsQueue, *ids: str, reason: str = "no") -> None:
    for id in ids:
        queue.send(Job(episode_id=id))
        queue.bury(leased(queue), reason)


@pytest.mark.parametrize(
    "body", ["x", "{}", "[]", '{"episode": 7}', '{"episode": ""}', '{"episode"', "null", "é" * 200_000]
)
def test_a_message_that_is_no_job_is_put_aside(
    sqs: SqsQueue, client: SQSClient, urls: Urls, clock: FakeClock, body: str
) -> None:
    client.send_message(QueueUrl=urls[0], MessageBody=body)
    sqs.send(Job(episode_id="show-1"))
    assert leased(sqs).job == Job(episode_id="show-1")
    (letter,) = sqs.dead_letters()
    assert (letter.job.episode_id, letter.reason) == (UNREADABLE, "not a job of Proofcast's")
    assert (letter.receives, letter.at) == (1, clock.now)
    assert sqs.depth() == QueueDepth(waiting=0, leased=1, dead=1)
    (raw,) = client.receive_message(QueueUrl=urls[1])["Messages"]
    assert raw.get("Body") == body


def test_a_job_with_more_in_it_is_one(sqs: SqsQueue, client: SQSClient, urls: Urls) -> None:
    client.send_message(QueueUrl=urls[0], MessageBody='{"episode": "show-1", "since": "2027"}')
    assert leased(sqs).job == Job(episode_id="show-1")


def test_dead_letters_are_read_and_stay(sqs: SqsQueue) -> None:
    ids = [f"show-{n:02}" for n in range(23)]
    buried(sqs, *ids)
    for _ in range(3):
        assert sorted(letter.job.episode_id for letter in sqs.dead_letters()) == ids
    assert sqs.depth() == QueueDepth(waiting=0, leased=0, dead=23)
    assert sqs.redrive("show-07") is True
    assert len(sqs.dead_letters()) == 22


def test_a_letter_that_sqs_moved_itself_says_so_however_often_it_is_read(
    sqs: SqsQueue, clock: FakeClock
) -> None:
    sqs.send(Job(episode_id="show-1"))
    for _ in range(MAX_RECEIVES):
        leased(sqs)
        clock.go_on(61)
    assert sqs.lease(60) is None
    for _ in range(MAX_RECEIVES):
        (letter,) = sqs.dead_letters()
        assert letter.reason == "handed out 3 times, and no worker finished it"
        assert letter.receives == MAX_RECEIVES
    assert sqs.redrive("show-1") is True
    assert leased(sqs).receives == 1


def test_letters_of_strangers_do_no_harm(sqs: SqsQueue, client: SQSClient, urls: Urls) -> None:
    for said in ("soon", "nan", "inf"):
        client.send_message(
            QueueUrl=urls[1],
            MessageBody="?",
            MessageAttributes={
                name: {"DataType": "String", "StringValue": said} for name in ("at", "receives")
            },
        )
    assert [letter.receives for letter in sqs.dead_letters()] == [MAX_RECEIVES] * 3


def test_all_letters_of_an_episode_become_one_job(sqs: SqsQueue) -> None:
    buried(sqs, "show-1", "show-1", "show-2")
    assert sqs.redrive("show-1") is True
    assert sqs.depth() == QueueDepth(waiting=1, leased=0, dead=1)


def test_a_letter_that_another_process_reads_is_found_once_it_is_back(
    sqs: SqsQueue, client: SQSClient, urls: Urls, clock: FakeClock
) -> None:
    buried(sqs, "show-1")
    assert client.receive_message(QueueUrl=urls[1], VisibilityTimeout=5)["Messages"]
    assert sqs.dead_letters() == []
    assert sqs.redrive("show-1") is False
    assert sqs.depth().dead == 1
    clock.go_on(6)
    assert sqs.redrive("show-1") is True


@pytest.mark.parametrize(
    ("reason", "kept"), [("a\0b\nc\udcff", "a b c "), ("", "no reason was given"), ("x" * 5000, "x" * 1000)]
)
def test_any_reason_will_do(sqs: SqsQueue, reason: str, kept: str) -> None:
    buried(sqs, "show-1", reason=reason)
    (letter,) = sqs.dead_letters()
    assert letter.reason == kept


def test_another_process_can_end_a_lease(
    sqs: SqsQueue, client: SQSClient, urls: Urls, clock: FakeClock
) -> None:
    sqs.send(Job(episode_id="show-1"))
    lease = leased(sqs)
    SqsQueue(client, *urls, clock).extend(lease, 0)
    with pytest.raises(LeaseLost):
        SqsQueue(client, *urls, clock).extend(
            Lease(job=lease.job, token="?", until=clock.now + 9, receives=1), 9
        )
    assert leased(sqs).receives == 2


def test_a_lease_is_renewed_by_its_first_value_too(sqs: SqsQueue, clock: FakeClock) -> None:
    sqs.send(Job(episode_id="show-1"))
    first = leased(sqs)
    for _ in range(3):
        clock.go_on(50)
        sqs.extend(first, 60)
    clock.go_on(50)
    sqs.complete(first)
    assert sqs.depth() == QueueDepth(waiting=0, leased=0, dead=0)


def test_twelve_hours_are_all_that_sqs_gives(sqs: SqsQueue, clock: FakeClock) -> None:
    sqs.send(Job(episode_id="show-1"))
    lease = leased(sqs, 43_000)
    clock.go_on(42_000)
    with pytest.raises(LeaseLost):
        sqs.extend(lease, 2000)
    clock.go_on(1001)
    sqs.release(leased(sqs, 100_000), 100_000)
    assert sqs.lease(60) is None
