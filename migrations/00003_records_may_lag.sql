-- +goose Up

-- One row. Every record is as new as the revision up_to, or newer; what later revisions have
-- changed may stand in history only, until it is written to the record as well.
CREATE TABLE lag (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    up_to INTEGER NOT NULL
) STRICT;
INSERT INTO lag (one, up_to)
    SELECT 1, max(compacted, coalesce((SELECT max(rev) FROM history), 0)) FROM retention;

-- +goose Down
DROP TABLE lag;
