-- What was brought in first is forgotten first.
CREATE INDEX imported_at ON troth.imported USING brin (at);
