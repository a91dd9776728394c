-- What the keeper found when it last tried, as the roles themselves, what must hold. `ok` is null where it could not be
-- found out in time. Nothing here is about anybody.
CREATE TABLE troth.probe (
    name text PRIMARY KEY,
    ok boolean,
    sentence text NOT NULL,
    at timestamptz NOT NULL
);
