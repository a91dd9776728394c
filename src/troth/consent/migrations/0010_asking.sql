-- Questions that the operator asks everybody: whether a purpose by consent may use what is theirs. One of each purpose at a time.
CREATE TABLE troth.question (
    question uuid PRIMARY KEY DEFAULT uuidv7(),
    purpose text NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    closed_at timestamptz
);
CREATE UNIQUE INDEX question_one ON troth.question (purpose) WHERE closed_at IS NULL;

-- A no to somebody who asked is an answer, and not the end of a yes.
-- squawk-ignore ban-drop-constraint
ALTER TABLE troth.choice DROP CONSTRAINT choice_kind_check;
ALTER TABLE troth.choice ADD CONSTRAINT choice_kind_check
CHECK (kind IN ('consent', 'withdrawal', 'refusal', 'objection', 'permission')) NOT VALID;
