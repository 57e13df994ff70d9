-- +goose Up

-- With the job whose script or runner asked for a change, and what the change takes back. The
-- patch stays last, so that a search need not read it.
CREATE TABLE history2 (
    rev    INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    time   TEXT    NOT NULL, -- UTC, 2006-01-02T15:04:05.000000000Z
    who    TEXT    NOT NULL,
    job    TEXT    NOT NULL, -- its UUID, or ''
    undoes TEXT    NOT NULL, -- such as 'revision 17', or ''
    once   TEXT    NOT NULL, -- the caller's name for its request, or ''
    kind   TEXT    NOT NULL,
    id     TEXT    NOT NULL,
    action TEXT    NOT NULL,
    prev   INTEGER NOT NULL, -- revision of the record before; 0: there was none
    patch  BLOB,
    PRIMARY KEY (rev, n)
) STRICT, WITHOUT ROWID;
INSERT INTO history2 SELECT rev, n, time, who, '', '', once, kind, id, action, prev, patch FROM history;
DROP TABLE history;
ALTER TABLE history2 RENAME TO history;

-- +goose Down
ALTER TABLE history DROP COLUMN job;
ALTER TABLE history DROP COLUMN undoes;
