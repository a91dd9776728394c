-- name: forget_fields
DELETE FROM troth.profile_field

-- name: add_field
INSERT INTO troth.profile_field (field, place, holder, occasion, required, labels, words)
VALUES (%(field)s, %(place)s, %(holder)s, %(occasion)s, %(required)s, %(labels)s, %(words)s)

-- name: fields
SELECT field, holder, occasion, required, labels, words FROM troth.profile_field ORDER BY place

-- name: add_profile
INSERT INTO troth.profile (subject, {columns}) VALUES (%(subject)s, {values})

-- name: begin_profile
-- The viewer's row, if there is none yet; nothing of it can be told apart from one that was there.
INSERT INTO troth.profile (subject) SELECT troth.viewer() ON CONFLICT DO NOTHING

-- name: own_profile
SELECT {columns} FROM troth.profile

-- name: tell_field
UPDATE troth.profile SET {column} = %(value)s WHERE {column} IS DISTINCT FROM %(value)s

-- name: empty_field
SELECT troth.empty_own('profile', %(field)s)
