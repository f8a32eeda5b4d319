CREATE TABLE analytics_daily (
    day date NOT NULL,
    gateway text NOT NULL,
    currency text NOT NULL,
    outcome text NOT NULL,
    count bigint NOT NULL,
    amount_minor bigint NOT NULL,
    milliseconds bigint NOT NULL,
    CONSTRAINT one_total_per_outcome PRIMARY KEY (day, gateway, currency, outcome)
);

-- What was last known of a checkout on each day that had events of it: a rebuild from a day on starts where the day
-- before ended.
CREATE TABLE analytics_checkouts (
    checkout_id text NOT NULL,
    day date NOT NULL,
    last_sequence integer NOT NULL,
    captured_minor bigint NOT NULL,
    refunded_minor bigint NOT NULL,
    created_at timestamptz,
    paid_at timestamptz,
    CONSTRAINT one_state_per_day PRIMARY KEY (checkout_id, day)
);

GRANT SELECT, INSERT, DELETE ON analytics_daily, analytics_checkouts TO paysaga_app;
GRANT UPDATE (count, amount_minor, milliseconds) ON analytics_daily TO paysaga_app;
GRANT UPDATE (last_sequence, captured_minor, refunded_minor, created_at, paid_at) ON analytics_checkouts TO paysaga_app;
