"""Proofcast's core: from a feed item to a transcript that people review like code.

A show's item travels through these calls, whatever the engine::

    polling.poll          feed -> ledger          (discovered, queued in the outbox)
    queueing.relay        outbox -> job queue
    worker.loop.work_one  job -> transcript       (transcribing, transcribed)
    publishing.publish    transcript -> review    (in_review)
    publishing.sync       review -> ledger        (published, rejected)

Decisions (`states`, `identity`, `polling.plan`, `formats`, `layouts`) are functions on frozen
values; everything that touches the world is an adapter behind a Protocol of `ports`.
"""

__version__ = "0.1.0"
