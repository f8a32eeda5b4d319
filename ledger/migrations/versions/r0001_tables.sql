CREATE TABLE checkouts (
    id text PRIMARY KEY,
    order_id text NOT NULL CONSTRAINT one_checkout_per_order UNIQUE,
    amount_minor bigint NOT NULL CONSTRAINT amount_is_positive CHECK (amount_minor > 0),
    currency text NOT NULL,
    gateway text NOT NULL,
    capture text NOT NULL,
    confirm_within_seconds integer,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    return_url text,
    email text,
    metadata jsonb
);

-- The projection of the timeline's last row; the only table of the books whose rows change.
CREATE TABLE checkout_status (
    checkout_id text PRIMARY KEY CONSTRAINT status_of_checkout REFERENCES checkouts (id),
    gateway text NOT NULL,
    created_at timestamptz NOT NULL,
    state text NOT NULL,
    payment_id text,
    captured_minor bigint NOT NULL,
    refunded_minor bigint NOT NULL,
    next_action jsonb,
    failure jsonb,
    stuck boolean NOT NULL,
    waiting_for text,
    last_sequence integer NOT NULL,
    last_hash text NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT one_checkout_per_payment UNIQUE (gateway, payment_id)
);
CREATE INDEX listing ON checkout_status (created_at, checkout_id);
CREATE INDEX listing_by_state ON checkout_status (state, created_at, checkout_id);
CREATE INDEX listing_by_gateway ON checkout_status (gateway, created_at, checkout_id);
CREATE INDEX listing_of_stuck ON checkout_status (created_at, checkout_id) WHERE stuck;

CREATE TABLE timeline (
    checkout_id text NOT NULL CONSTRAINT timeline_of_checkout REFERENCES checkouts (id),
    sequence integer NOT NULL CONSTRAINT sequence_from_one CHECK (sequence > 0),
    key text NOT NULL,
    state text NOT NULL,
    cause text NOT NULL,
    at timestamptz NOT NULL,
    details jsonb NOT NULL,
    previous_hash text NOT NULL,
    hash text NOT NULL,
    CONSTRAINT one_row_per_sequence PRIMARY KEY (checkout_id, sequence),
    CONSTRAINT one_row_per_key UNIQUE (checkout_id, key)
);

CREATE TABLE transactions (
    id text PRIMARY KEY,
    checkout_id text NOT NULL,
    sequence integer NOT NULL,
    position integer NOT NULL,
    kind text NOT NULL,
    reference text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT one_transaction_per_position UNIQUE (checkout_id, sequence, position),
    CONSTRAINT transaction_of_row FOREIGN KEY (checkout_id, sequence) REFERENCES timeline (checkout_id, sequence)
);

CREATE TABLE postings (
    transaction_id text NOT NULL CONSTRAINT posting_of_transaction REFERENCES transactions (id),
    position integer NOT NULL,
    account text NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    CONSTRAINT one_posting_per_position PRIMARY KEY (transaction_id, position)
);

CREATE TABLE operations (
    key text PRIMARY KEY,
    checkout_id text NOT NULL CONSTRAINT operation_of_checkout REFERENCES checkouts (id),
    gateway text NOT NULL,
    verb text NOT NULL,
    fingerprint text NOT NULL,
    request jsonb NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX operations_by_checkout ON operations (checkout_id, started_at);

CREATE TABLE operation_answers (
    operation_key text NOT NULL CONSTRAINT answer_of_operation REFERENCES operations (key),
    attempt integer NOT NULL,
    state text NOT NULL CONSTRAINT answer_state CHECK (state IN ('unknown', 'finished')),
    answer text,
    at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT one_answer_per_attempt PRIMARY KEY (operation_key, attempt)
);
CREATE UNIQUE INDEX one_final_answer ON operation_answers (operation_key) WHERE state = 'finished';

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    checkout_id text NOT NULL,
    sequence integer NOT NULL,
    type text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    CONSTRAINT one_event_per_row UNIQUE (checkout_id, sequence),
    CONSTRAINT event_of_row FOREIGN KEY (checkout_id, sequence) REFERENCES timeline (checkout_id, sequence)
);
CREATE INDEX outbox_unpublished ON outbox (checkout_id, sequence) WHERE published_at IS NULL;

CREATE TABLE webhook_inbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gateway text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    payment_id text,
    reference text,
    live boolean NOT NULL,
    relevant boolean NOT NULL,
    body bytea NOT NULL,
    headers jsonb NOT NULL,
    verified boolean NOT NULL,
    received_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    leased_until timestamptz,
    processed_at timestamptz,
    outcome text,
    CONSTRAINT one_row_per_event UNIQUE (gateway, event_id)
);
CREATE INDEX inbox_unprocessed ON webhook_inbox (received_at, id) WHERE processed_at IS NULL;

CREATE TABLE api_keys (
    id text PRIMARY KEY,
    name text NOT NULL,
    secret_hash text NOT NULL CONSTRAINT one_key_per_secret UNIQUE,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);

CREATE TABLE idempotency_keys (
    api_key_id text NOT NULL,
    key text NOT NULL,
    fingerprint text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    status integer,
    body bytea,
    content_type text,
    finished_at timestamptz,
    CONSTRAINT one_use_per_key PRIMARY KEY (api_key_id, key)
);
