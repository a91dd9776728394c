-- A purpose may also rest on a legal duty: everybody who has agreed is in it, and no choice ends it.
ALTER TABLE troth.unit DROP CONSTRAINT unit_basis_check;
ALTER TABLE troth.unit ADD CONSTRAINT unit_basis_check
    CHECK (basis IN ('agreement', 'consent', 'legitimate interest', 'legal duty')) NOT VALID;
ALTER TABLE troth.unit VALIDATE CONSTRAINT unit_basis_check;
