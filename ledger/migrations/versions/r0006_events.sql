-- An event may be about something else than a checkout, a shop's webhook endpoint for instance: it is about its subject.
ALTER TABLE outbox DROP CONSTRAINT event_of_row, DROP CONSTRAINT one_event_per_row;
ALTER TABLE outbox RENAME COLUMN checkout_id TO subject;
ALTER TABLE outbox
    ADD COLUMN checkout_id text GENERATED ALWAYS AS (CASE WHEN subject LIKE 'chk\_%' THEN subject END) STORED,
    ADD CONSTRAINT one_event_per_row UNIQUE (subject, sequence),
    ADD CONSTRAINT event_of_row FOREIGN KEY (checkout_id, sequence) REFERENCES timeline (checkout_id, sequence);
-- The time of the transaction's start, which it was, can be before that of an earlier event whose writer it waited for.
ALTER TABLE outbox ALTER COLUMN created_at SET DEFAULT clock_timestamp();
CREATE INDEX outbox_unpublished_by_id ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_by_time ON outbox (created_at, id);

-- A generated column has no value yet when a BEFORE trigger runs; nobody can set it.
CREATE OR REPLACE FUNCTION refuse_other_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'published_at' - 'checkout_id' IS DISTINCT FROM to_jsonb(OLD) - 'published_at' - 'checkout_id' THEN
        RAISE EXCEPTION '% takes no change but published_at', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

-- Whoever waits for events, or follows one checkout, is woken by the commit instead of asking again and again.
CREATE FUNCTION tell_of_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added) THEN
        PERFORM pg_notify('outbox', '');
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION tell_of_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('timeline', checkout_id) FROM (SELECT DISTINCT checkout_id FROM added) AS told;
    RETURN NULL;
END
$$;
CREATE TRIGGER told AFTER INSERT ON outbox
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tell_of_events();
CREATE TRIGGER told AFTER INSERT ON timeline
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tell_of_rows();

-- What each subscriber has dealt with: an event that comes again changes nothing.
CREATE TABLE consumed_events (
    subscriber text NOT NULL,
    event_id text NOT NULL,
    occurred_at timestamptz NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT consumed_once PRIMARY KEY (subscriber, event_id)
);
CREATE INDEX consumed_by_time ON consumed_events (subscriber, occurred_at);
GRANT SELECT, INSERT, DELETE ON consumed_events TO paysaga_app;
