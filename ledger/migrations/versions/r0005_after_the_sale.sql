ALTER TABLE checkouts ADD COLUMN on_hold_expiry text NOT NULL DEFAULT 'cancel';

CREATE TABLE refunds (
    id text PRIMARY KEY,
    checkout_id text NOT NULL CONSTRAINT refund_of_checkout REFERENCES checkouts (id),
    amount_minor bigint NOT NULL CONSTRAINT refund_is_positive CHECK (amount_minor > 0),
    currency text NOT NULL,
    reason text,
    created_at timestamptz NOT NULL
);
CREATE INDEX refunds_by_checkout ON refunds (checkout_id, created_at);

-- The projections of timeline rows: what a refund, a dispute and a case came to.
CREATE TABLE refund_status (
    refund_id text PRIMARY KEY CONSTRAINT status_of_refund REFERENCES refunds (id),
    state text NOT NULL CONSTRAINT refund_state CHECK (state IN ('pending', 'succeeded', 'failed')),
    gateway_refund_id text,
    failure jsonb,
    updated_at timestamptz NOT NULL
);
CREATE INDEX refunds_pending ON refund_status (refund_id) WHERE state = 'pending';

CREATE TABLE disputes (
    id text PRIMARY KEY,
    checkout_id text NOT NULL CONSTRAINT dispute_of_checkout REFERENCES checkouts (id),
    gateway text NOT NULL,
    gateway_dispute_id text NOT NULL,
    opened_at timestamptz NOT NULL,
    CONSTRAINT one_dispute_per_gateway_id UNIQUE (gateway, gateway_dispute_id)
);
CREATE INDEX disputes_by_checkout ON disputes (checkout_id, opened_at);
CREATE INDEX disputes_by_time ON disputes (opened_at, id);

CREATE TABLE dispute_status (
    dispute_id text PRIMARY KEY CONSTRAINT status_of_dispute REFERENCES disputes (id),
    payment_id text,
    reference text,
    amount_minor bigint NOT NULL,
    withdrawn_minor bigint NOT NULL,
    currency text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    live boolean NOT NULL,
    respond_by timestamptz,
    updated_at timestamptz NOT NULL,
    answered text,
    answered_at timestamptz,
    CONSTRAINT answer_is_whole CHECK ((answered IS NULL) = (answered_at IS NULL))
);
CREATE INDEX disputes_open ON dispute_status (dispute_id)
    WHERE state IN ('inquiry', 'needs_response', 'under_review');

CREATE TABLE dispute_evidence (
    id text PRIMARY KEY,
    dispute_id text NOT NULL CONSTRAINT evidence_of_dispute REFERENCES disputes (id),
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    evidence jsonb NOT NULL
);
CREATE INDEX evidence_by_dispute ON dispute_evidence (dispute_id, at);

CREATE TABLE cases (
    id text PRIMARY KEY,
    checkout_id text NOT NULL,
    kind text NOT NULL,
    message text NOT NULL,
    workflow_id text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    subject text,
    sequence integer NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_sequence integer,
    closed_at timestamptz,
    closed_how text,
    CONSTRAINT case_of_row FOREIGN KEY (checkout_id, sequence) REFERENCES timeline (checkout_id, sequence),
    CONSTRAINT case_closed_by_row
        FOREIGN KEY (checkout_id, closed_sequence) REFERENCES timeline (checkout_id, sequence),
    CONSTRAINT closing_is_whole CHECK (num_nulls(closed_sequence, closed_at, closed_how) IN (0, 3))
);
CREATE UNIQUE INDEX one_open_case ON cases (checkout_id, kind, subject) NULLS NOT DISTINCT WHERE closed_at IS NULL;
CREATE INDEX cases_by_time ON cases (opened_at, id);
CREATE INDEX cases_by_checkout ON cases (checkout_id, opened_at);
CREATE INDEX cases_open ON cases (opened_at, id) WHERE closed_at IS NULL;

CREATE TABLE poll_marks (
    gateway text PRIMARY KEY,
    listed_until timestamptz NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE webhook_inbox
    ADD COLUMN dispute_id text,
    ADD COLUMN source text NOT NULL DEFAULT 'webhook' CONSTRAINT event_source CHECK (source IN ('webhook', 'poll')),
    ADD COLUMN replays integer NOT NULL DEFAULT 0;
CREATE INDEX inbox_by_dispute ON webhook_inbox (gateway, dispute_id) WHERE dispute_id IS NOT NULL;

DO $$
DECLARE
    guarded text;
BEGIN
    FOREACH guarded IN ARRAY ARRAY['refunds', 'disputes', 'dispute_evidence'] LOOP
        EXECUTE format(
            'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', guarded);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only', guarded);
    END LOOP;
END
$$;

GRANT SELECT, INSERT ON
    refunds, refund_status, disputes, dispute_status, dispute_evidence, cases, poll_marks
    TO paysaga_app;
GRANT UPDATE (state, gateway_refund_id, failure, updated_at) ON refund_status TO paysaga_app;
GRANT UPDATE (payment_id, reference, amount_minor, withdrawn_minor, currency, state, reason, live, respond_by,
    updated_at, answered, answered_at) ON dispute_status TO paysaga_app;
GRANT UPDATE (closed_sequence, closed_at, closed_how) ON cases TO paysaga_app;
GRANT UPDATE (listed_until, at) ON poll_marks TO paysaga_app;
GRANT UPDATE (replays) ON webhook_inbox TO paysaga_app;
