-- Roles belong to the whole server: another database's migration may be making the same one at this moment.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'paysaga_app') THEN
        CREATE ROLE paysaga_app NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;
DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'paysaga_app', 'SET') THEN
        EXECUTE format('GRANT paysaga_app TO %I', current_user);
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

GRANT USAGE ON SCHEMA public TO paysaga_app;
GRANT SELECT, INSERT ON
    checkouts, checkout_status, timeline, transactions, postings, operations, operation_answers, outbox,
    webhook_inbox, idempotency_keys, api_keys
    TO paysaga_app;
GRANT UPDATE ON checkout_status TO paysaga_app;
GRANT UPDATE (published_at) ON outbox TO paysaga_app;
GRANT UPDATE (attempts, next_attempt_at, leased_until, processed_at, outcome) ON webhook_inbox TO paysaga_app;
GRANT UPDATE (started_at, status, body, content_type, finished_at), DELETE ON idempotency_keys TO paysaga_app;
GRANT UPDATE (revoked_at) ON api_keys TO paysaga_app;
