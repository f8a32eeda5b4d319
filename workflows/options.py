"""Time-outs and retries, named once."""

from datetime import timedelta

from temporalio.common import RetryPolicy

# The adapters' HTTP time-out (20 s) must end first, or a second attempt would run beside a first that still waits.
GATEWAY_ATTEMPT = timedelta(seconds=30)
GATEWAY_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(minutes=1)
)

BOOKS_ATTEMPT = timedelta(seconds=10)
BOOKS_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200), backoff_coefficient=2, maximum_interval=timedelta(seconds=10)
)

# Above the longest time-out that a receiver of webhooks may be given (30 s), with time to write down how it went.
DELIVERY_ATTEMPT = timedelta(seconds=60)

# Where no customer waits (a refund that takes days), polls may be this far apart: each costs about ten history events.
LONGEST_POLL_PAUSE = timedelta(hours=6)

# A gateway that only tells, and cannot be asked, may have told us in vain: after this long a person should look.
SILENCE = timedelta(days=3)

# A hold that the shop has not confirmed is released this long before the gateway would let it lapse.
HOLD_MARGIN = timedelta(hours=1)

# The gateway counts a hold's age by its own clock: a new one is asked for this much later than it may be.
RENEWAL_MARGIN = timedelta(minutes=5)

# A dispute takes weeks, and whatever happens to it is told by webhook: it is asked after this rarely, doubling.
DISPUTE_POLL = timedelta(hours=6)
DISPUTE_POLL_AT_MOST = timedelta(days=1)

# What becomes of a dispute that nobody has answered in time is decided by the gateway, soon after the deadline.
DECISION_MARGIN = timedelta(hours=1)
# Many deadlines are at one moment, the end of a day: whose disputes are not looked at all at once.
DECISION_SPREAD = timedelta(minutes=30)

# A tender that its split checkout has left without a word for this long lets go of what it only holds.
SPLIT_SILENCE = timedelta(days=1)

# A workflow closes at once after its end is written, unless the gateway says something new in that moment.
CLOSING = timedelta(seconds=5)

# After a gateway call has failed for the policy's `stuck_after_seconds`, tries are this far apart, doubling.
STUCK_PAUSE = timedelta(minutes=1)
STUCK_PAUSE_AT_MOST = timedelta(hours=1)
