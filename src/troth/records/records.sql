-- name: write_post
SELECT troth.write_post(%(text)s, %(audience)s, %(organization)s, %(members)s, %(version)s)

-- name: attach_file
SELECT troth.attach_file(%(post)s, %(name)s, %(type)s, %(content)s)

-- name: hold_author
SELECT troth.held_viewer()

-- name: edit_post
UPDATE troth.post SET text = %(text)s WHERE id = %(post)s AND text <> %(text)s

-- name: note_edit
SELECT troth.note_edit(%(post)s)

-- name: address_post
SELECT troth.address_post(%(post)s, %(audience)s, %(organization)s, %(members)s, %(version)s)

-- name: remove_own
SELECT troth.remove_own(%(table)s, %(at)s, %(id)s)

-- name: members_beside
SELECT troth.members_beside(%(organization)s)

-- name: posts
-- Behind one of them, as one role: row security shows what was posted to its audience. Who posted is called as they are now.
SELECT subject, id, at, text, NULL::uuid AS organization,
    (SELECT name FROM troth.person WHERE person.subject = post.subject) AS author
FROM troth.post WHERE id < %(before)s AND (%(only)s::uuid IS NULL OR id = %(only)s) ORDER BY id DESC LIMIT %(most)s

-- name: posts_to_members
-- The same, with whose members may read it.
SELECT subject, id, at, text, organization,
    (SELECT name FROM troth.person WHERE person.subject = post.subject) AS author
FROM troth.post WHERE id < %(before)s AND (%(only)s::uuid IS NULL OR id = %(only)s) ORDER BY id DESC LIMIT %(most)s

-- name: own_posts
SELECT subject, id, at, text, organization, (SELECT name FROM troth.person WHERE person.subject = post.subject) AS author,
    audience, edited_at
FROM troth.post WHERE id < %(before)s AND (%(only)s::uuid IS NULL OR id = %(only)s) ORDER BY id DESC LIMIT %(most)s

-- name: posts_let_see
-- Those that somebody let the viewer see: a permission of theirs names each.
SELECT subject, id, at, text, NULL::uuid AS organization, NULL::text AS author FROM {function}()
WHERE id < %(before)s AND (%(only)s::uuid IS NULL OR id = %(only)s) ORDER BY id DESC LIMIT %(most)s

-- name: files
SELECT post, id, at, name, type, octet_length(content) AS size FROM troth.attachment WHERE post = ANY (%(posts)s) ORDER BY id

-- name: files_let_see
SELECT post, id, at, name, type, octet_length(content) AS size FROM {function}() WHERE post = ANY (%(posts)s) ORDER BY id

-- name: file
SELECT name, type, content FROM troth.attachment WHERE post = %(post)s AND id = %(id)s

-- name: file_let_see
SELECT name, type, content FROM {function}() WHERE post = %(post)s AND id = %(id)s
