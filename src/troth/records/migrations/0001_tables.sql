-- What people post. Its author chose who may read it; with members of an organization, which they are in: whoever leaves it
-- leaves behind a post that nobody else reads. No control characters, and none that turn the direction of a text.
CREATE TABLE troth.post (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    id uuid NOT NULL DEFAULT uuidv7(),
    text text NOT NULL CHECK (
        length(text) BETWEEN 1 AND 10000
        AND text !~ '[\u0001-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]'
    ),
    edited_at timestamptz,
    audience text NOT NULL CHECK (
        audience IN ('chosen people', 'members of the same organization', 'everyone signed in', 'the public')
    ),
    organization uuid CHECK (organization IS NULL OR audience = 'members of the same organization'),
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, at, id),
    UNIQUE (subject, id),
    FOREIGN KEY (subject, organization) REFERENCES troth.membership (subject, organization)
    ON DELETE SET NULL (organization)
) WITH (fillfactor = 85);
CREATE INDEX post_to_members ON troth.post (organization, id) WHERE organization IS NOT NULL;
CREATE INDEX post_to_audience ON troth.post (audience, id);

-- A file goes with its post, and whoever may read the post may have it. What it is was seen in its bytes.
CREATE TABLE troth.attachment (
    subject uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    id uuid NOT NULL DEFAULT uuidv7(),
    post uuid NOT NULL,
    name text NOT NULL CHECK (
        length(name) BETWEEN 1 AND 200
        AND name !~ '[\u0001-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069/\\]'
    ),
    type text NOT NULL CHECK (
        type IN ('image/png', 'image/jpeg', 'image/gif', 'image/webp', 'application/pdf', 'application/zip', 'text/plain')
    ),
    content bytea NOT NULL CHECK (length(content) BETWEEN 1 AND 1048576),
    audience text NOT NULL CHECK (
        audience IN ('chosen people', 'members of the same organization', 'everyone signed in', 'the public')
    ),
    organization uuid CHECK (organization IS NULL OR audience = 'members of the same organization'),
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, at, post, id),
    FOREIGN KEY (subject, post) REFERENCES troth.post (subject, id) ON DELETE CASCADE,
    FOREIGN KEY (subject, organization) REFERENCES troth.membership (subject, organization)
    ON DELETE SET NULL (organization)
) WITH (fillfactor = 85);
CREATE INDEX attachment_of ON troth.attachment (post);
CREATE INDEX attachment_from ON troth.attachment (subject, post);
