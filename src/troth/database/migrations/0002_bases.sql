-- A purpose may also rest on a legal duty: everybody who has agreed is in it, and no choice ends it.
-- squawk-ignore ban-drop-constraint
ALTER TABLE troth.unit DROP CONSTRAINT unit_basis_check;
-- The table has a row for each edition of a purpose, and is looked through at once.
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE troth.unit ADD CONSTRAINT unit_basis_check
    CHECK (basis IN ('agreement', 'consent', 'legitimate interest', 'legal duty'));
