CREATE TABLE webhook_endpoints (
    id text PRIMARY KEY,
    url text NOT NULL,
    events text[] NOT NULL CONSTRAINT endpoint_hears_something CHECK (cardinality(events) > 0),
    state text NOT NULL DEFAULT 'enabled'
        CONSTRAINT endpoint_state CHECK (state IN ('enabled', 'disabled', 'removed')),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    failing_since timestamptz,
    disabled_at timestamptz,
    disabled_reason text,
    CONSTRAINT disabling_is_whole CHECK (
        (state = 'enabled') = (disabled_at IS NULL) AND (disabled_at IS NULL) = (disabled_reason IS NULL))
);
CREATE INDEX webhook_endpoints_by_time ON webhook_endpoints (created_at, id);

-- In the clear, since every delivery is signed with them. The request that made one finds it again when it is repeated.
CREATE TABLE webhook_secrets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint_id text NOT NULL CONSTRAINT secret_of_endpoint REFERENCES webhook_endpoints (id),
    secret text NOT NULL,
    request text,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    CONSTRAINT one_secret_per_request UNIQUE (endpoint_id, request)
);
CREATE INDEX webhook_secrets_by_endpoint ON webhook_secrets (endpoint_id, id);

-- An event as it is sent, byte for byte: once, however many endpoints hear of it.
CREATE TABLE webhook_messages (
    event_id text PRIMARY KEY,
    type text NOT NULL,
    subject text NOT NULL,
    sequence bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    body bytea NOT NULL
);

CREATE TABLE webhook_deliveries (
    id text PRIMARY KEY,
    endpoint_id text NOT NULL CONSTRAINT delivery_to_endpoint REFERENCES webhook_endpoints (id),
    event_id text NOT NULL CONSTRAINT delivery_of_message REFERENCES webhook_messages (event_id),
    state text NOT NULL DEFAULT 'pending'
        CONSTRAINT delivery_state CHECK (state IN ('pending', 'delivered', 'failed', 'endpoint_disabled')),
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    leased_until timestamptz,
    started_at timestamptz,
    next_attempt_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT one_delivery_per_endpoint UNIQUE (endpoint_id, event_id),
    CONSTRAINT end_is_whole CHECK ((state = 'pending') = (finished_at IS NULL))
);
CREATE INDEX webhook_deliveries_listing ON webhook_deliveries (endpoint_id, created_at, id);
CREATE INDEX webhook_deliveries_by_state ON webhook_deliveries (endpoint_id, state, created_at, id);
CREATE INDEX webhook_deliveries_unstarted ON webhook_deliveries (created_at, id)
    WHERE started_at IS NULL AND state = 'pending';

CREATE TABLE webhook_attempts (
    delivery_id text NOT NULL CONSTRAINT attempt_of_delivery REFERENCES webhook_deliveries (id),
    number integer NOT NULL,
    at timestamptz NOT NULL,
    by_hand boolean NOT NULL,
    status integer,
    error text,
    milliseconds integer NOT NULL,
    answer text NOT NULL,
    CONSTRAINT one_attempt_per_number PRIMARY KEY (delivery_id, number),
    CONSTRAINT answer_or_error CHECK ((status IS NULL) <> (error IS NULL))
);

DO $$
DECLARE
    guarded text;
BEGIN
    FOREACH guarded IN ARRAY ARRAY['webhook_messages', 'webhook_attempts'] LOOP
        EXECUTE format(
            'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', guarded);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only', guarded);
    END LOOP;
    FOREACH guarded IN ARRAY ARRAY['webhook_endpoints', 'webhook_secrets', 'webhook_deliveries'] LOOP
        EXECUTE format(
            'CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', guarded);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER never_removed', guarded);
    END LOOP;
END
$$;

-- Whoever starts deliveries is woken by the commit instead of asking again and again.
CREATE FUNCTION tell_of_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added) THEN
        PERFORM pg_notify('webhook_deliveries', '');
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER told AFTER INSERT ON webhook_deliveries
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tell_of_deliveries();

GRANT SELECT, INSERT ON
    webhook_endpoints, webhook_secrets, webhook_messages, webhook_deliveries, webhook_attempts TO paysaga_app;
GRANT UPDATE (url, events, state, updated_at, failing_since, disabled_at, disabled_reason)
    ON webhook_endpoints TO paysaga_app;
GRANT UPDATE (expires_at) ON webhook_secrets TO paysaga_app;
GRANT UPDATE (state, attempts, leased_until, started_at, next_attempt_at, finished_at)
    ON webhook_deliveries TO paysaga_app;
