-- What may still be sold. A sale that would take more than there is is refused by the row itself, whoever asks.
CREATE TABLE orders_stock (
    sku text PRIMARY KEY,
    available bigint NOT NULL CONSTRAINT stock_is_there CHECK (available >= 0),
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- One decision for each checkout, which stands however often it is asked for: the moments are those of the events.
-- It refers to no checkout: a foreign key would lock that row, for which a payment may be waiting.
CREATE TABLE orders_reservations (
    checkout_id text PRIMARY KEY,
    sku text NOT NULL,
    quantity bigint NOT NULL CONSTRAINT reservation_is_positive CHECK (quantity > 0),
    state text NOT NULL CONSTRAINT reservation_state CHECK (state IN ('reserved', 'refused', 'returned')),
    decided_at timestamptz NOT NULL,
    returned_at timestamptz,
    CONSTRAINT return_is_whole CHECK ((state = 'returned') = (returned_at IS NOT NULL))
);
CREATE INDEX reservations_by_time ON orders_reservations (decided_at);
CREATE INDEX reservations_by_sku ON orders_reservations (sku, state);

GRANT SELECT, INSERT ON orders_stock TO paysaga_app;
GRANT SELECT, INSERT, DELETE ON orders_reservations TO paysaga_app;
GRANT UPDATE (available, changed_at) ON orders_stock TO paysaga_app;
GRANT UPDATE (state, returned_at) ON orders_reservations TO paysaga_app;
