-- +goose Up

-- The newest version of every object. A row keeps its number while its object lives, so that
-- an update finds it without comparing text.
CREATE TABLE records (
    row  INTEGER PRIMARY KEY,
    kind TEXT    NOT NULL,
    id   TEXT    NOT NULL,
    rev  INTEGER NOT NULL,
    raw  BLOB    NOT NULL,
    UNIQUE (kind, id)
) STRICT;

-- One row for every write of every change, n counting the writes of one revision. Revisions
-- have no gaps, so the newest row also tells the revision of the store.
CREATE TABLE history (
    rev    INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    time   TEXT    NOT NULL, -- UTC, 2006-01-02T15:04:05.000000000Z
    who    TEXT    NOT NULL,
    once   TEXT    NOT NULL, -- the caller's name for its request, or ''
    kind   TEXT    NOT NULL,
    id     TEXT    NOT NULL,
    action TEXT    NOT NULL,
    prev   INTEGER NOT NULL, -- revision of the record before; 0: there was none
    patch  BLOB,
    PRIMARY KEY (rev, n)
) STRICT, WITHOUT ROWID;

-- One row. History up to and including the revision compacted is no longer kept.
CREATE TABLE retention (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    compacted INTEGER NOT NULL
) STRICT;
INSERT INTO retention (one, compacted) VALUES (1, 0);

-- +goose Down
DROP TABLE retention;
DROP TABLE history;
DROP TABLE records;
