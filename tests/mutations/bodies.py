"""What can be taken away inside a function: a statement, a table, a condition, a threshold."""

import re
from collections.abc import Iterator

#: Function -> (what is taken away, what stands there, what stands there instead).
CHANGES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "viewer": (
        ("ended tokens count", "AND token.expires_at > statement_timestamp()", ""),
        ("tokens of before a new agreement count", "(token.version >= (", "(0 <= ("),
        ("any token counts", "token.hash = sha256(convert_to(current_setting('troth.token', true), 'UTF8'))", "true"),
        ("of before, changing theirs", " AND current_setting('transaction_read_only') = 'on'", ""),
        (
            "of before, looking at others",
            "session_user = current_database() || '_self' AND current_setting(",
            "current_setting(",
        ),
        (
            "a browser that is known is signed in",
            "token.subject < 'ffffffff-ffff-8000-8000-000000000000' OR",
            "true OR",
        ),
    ),
    "standing_of": (
        ("ended tokens count", " AND held.expires_at > statement_timestamp()", ""),
        ("any token counts", "held.hash = sha256(convert_to(token, 'UTF8')) AND", ""),
    ),
    "may_tie": (("nobody may tie", "SELECT true", "SELECT false"),),
    "consent_of_identifier": (
        ("a person's consent", " AND s.kind = 'anonymous'", ""),
        ("after the end", " AND s.ended_at IS NULL", ""),
        ("a second time", "NOT EXISTS (SELECT FROM troth.choice AS c WHERE c.subject = whose)", "true"),
        ("to what needs none", " AND u.basis = 'consent'", ""),
    ),
    "identifier_of": (
        ("any cookie", "held.hash = sha256(convert_to(token, 'UTF8')) AND", ""),
        ("ended tokens count", "AND held.expires_at > statement_timestamp()", ""),
        ("any token of it", "known.digest = held.hash AND ", ""),
        ("past its time", "known.until > statement_timestamp() AND ", ""),
        ("after the end", "known.ended_at IS NULL AND ", ""),
        ("while it is tied", " AND known.tied_at IS NULL", ""),
    ),
    "tie_identifier": (("where the policy lets nobody", "IF NOT troth.may_tie() THEN", "IF false THEN"),),
    "untie_identifier": (
        ("anybody's", "t.subject = whose AND ", ""),
        ("anything", " AND t.identifier = which", ""),
    ),
    "tied_identifiers": (
        ("anybody's", "t.subject = troth.viewer() AND ", ""),
        ("where the policy lets nobody", " AND troth.may_tie()", ""),
    ),
    "look_at_tied": (
        ("at anybody's", "t.subject = whose AND ", ""),
        ("at anything", "t.identifier = which AND ", ""),
        ("where the policy lets nobody", " AND troth.may_tie()", ""),
        ("without a viewer", "IF whose IS NULL THEN", "IF false THEN"),
    ),
    "end_identifier": (
        ("a person ends", " OR whose < 'ffffffff-ffff-8000-8000-000000000000'", ""),
        ("only of whoever has agreed", "troth.holder()", "troth.viewer()"),
    ),
    "end_identifiers": (
        ("people end", "s.subject >= 'ffffffff-ffff-8000-8000-000000000000' AND ", ""),
        ("again and again", "s.ended_at IS NULL AND NOT EXISTS", "NOT EXISTS"),
        ("never by time", " AND i.until > statement_timestamp()", ""),
        ("never without a cookie", "JOIN troth.request_token AS held ON held.hash = i.digest", ""),
    ),
    "let_application_know": (
        ("a removed application", " AND removed_at IS NULL", ""),
        ("one that tells nothing", " AND events <> '{}'", ""),
        ("after the end", " AND i.ended_at IS NULL", ""),
        ("while it is tied", " AND i.tied_at IS NULL", ""),
        ("for an hour", "interval '1 minute'", "interval '1 hour'"),
        ("a code that was taken stays so", ", taken_at = NULL;", ";"),
    ),
    "take_browser_code": (
        ("any application's", " AND b.application = which", ""),
        ("any code", "b.code = with_code AND b.application", "b.application"),
        ("a removed application", " ON known.removed_at IS NULL", " ON true"),
        ("sent anywhere", " AND held.redirect_uri = sent_to", ""),
        (
            "without a verifier",
            "held.challenge = translate(rtrim(encode(sha256(convert_to(verifier, 'UTF8')), 'base64'), '='), '+/', '-_')",
            "true",
        ),
        ("for ever", "held.code_until > statement_timestamp() AND ", ""),
        ("past the cookie's days", " AND i.until > statement_timestamp()", ""),
        ("while it is tied", " AND i.tied_at IS NULL", ""),
        ("after the end", " AND i.ended_at IS NULL", ""),
        ("a second time", "IF held.taken_at IS NOT NULL THEN", "IF false THEN"),
    ),
    "application_knows": (
        ("another browser", "held.subject = whose AND ", ""),
        ("another application", "held.application = which AND ", ""),
        ("before the code is taken", "held.digest IS NOT NULL AND ", ""),
        ("of a kind that was not declared", "what = ANY (known.events)", "true"),
        ("of a removed application", " AND known.removed_at IS NULL", ""),
        ("after the end", "i.ended_at IS NULL AND ", ""),
        ("while it is tied", "i.tied_at IS NULL AND ", ""),
        ("past the cookie's days", "i.until > statement_timestamp() AND ", ""),
        ("without an agreement", " AND standing.agreed", ""),
    ),
    "knowing_browser": (
        ("anybody's", "held.subject = troth.viewer() AND ", ""),
        ("before the code is taken", "held.digest IS NOT NULL AND ", ""),
        ("removed applications", " AND known.removed_at IS NULL", ""),
    ),
    "end_application_browser": (
        ("only of whoever has agreed", "troth.holder()", "troth.viewer()"),
        ("a person ends", " OR whose < 'ffffffff-ffff-8000-8000-000000000000'", ""),
        ("anybody's", "b.subject = whose AND ", ""),
        ("anything", " AND b.application = which", ""),
    ),
    "open_token": (
        ("without an agreement", "IF agreed IS NULL THEN", "IF false THEN"),
        ("ended agreements count", " AND ended_at IS NULL", ""),
    ),
    "in_units": (
        ("retired editions count", "unit.retired_at IS NULL", "true"),
        ("without an agreement", "WHEN NOT EXISTS (", "WHEN false AND NOT EXISTS ("),
        ("agreements of before a widening count", "agreement.version >= unit.since_version", "true"),
        ("anybody's agreement counts", "agreement.subject = whose AND", ""),
        ("objections do not count", "last.kind IS DISTINCT FROM 'objection'", "true"),
        (
            "consent is taken for given",
            "coalesce(last.kind = 'consent' AND last.version >= unit.since_version, false)",
            "true",
        ),
        ("consents of before a widening count", " AND last.version >= unit.since_version", ""),
        ("a consent outlives the account", "s.ended_at IS NOT NULL", "false"),
        ("the first choice counts", "choice.at DESC, choice.choice DESC", "choice.at, choice.choice"),
        ("anybody's choice counts", "choice.subject = whose AND", ""),
        ("choices about other purposes count", " AND choice.purpose = unit.purpose", ""),
        ("visits are in everything", "THEN unit.visits", "THEN true"),
    ),
    "fold": (
        ("a consent outlives the account", "u.basis <> 'consent'", "true"),
        ("an ended account gets into more", "SELECT p.uses & (", "SELECT -1 & ("),
        ("retired editions count", "u.retired_at IS NULL AND u.basis", "u.basis"),
        ("an account never ends", "s.ended_at IS NOT NULL", "false"),
    ),
    "agree": (
        ("any version", "newest.version = to_version AND", ""),
        ("any policy", "newest.digest = to_policy AND", ""),
        ("any terms", "AND newest.terms_digest = to_terms", ""),
        ("an older version", "AND newest.version = (SELECT max(version) FROM troth.policy_version)", ""),
        ("after the account's end", "WHERE subject = whose AND ended_at IS NOT NULL", "WHERE false"),
        (
            "everybody's tokens are renewed",
            "SET version = to_version WHERE subject = whose",
            "SET version = to_version",
        ),
    ),
    "holder": (
        ("ended tokens count", " AND held.expires_at > statement_timestamp()", ""),
        ("any token counts", "held.hash = sha256(convert_to(current_setting('troth.token', true), 'UTF8')) AND ", ""),
    ),
    "note_export": (("without a token", "IF whose IS NULL THEN", "IF false THEN"),),
    "choose": (
        (
            "a yes of whoever has not agreed",
            "CASE WHEN says_no THEN troth.holder() ELSE troth.viewer() END",
            "troth.holder()",
        ),
        ("without a viewer", "IF whose IS NULL THEN", "IF false THEN"),
        ("about no purpose", "IF footing IS NULL THEN", "IF false THEN"),
        ("against the basis", "IF (footing, what) NOT IN", "IF false AND (footing, what) NOT IN"),
    ),
    "permit_application": (
        ("without a viewer", "IF whose IS NULL THEN", "IF false THEN"),
        ("what is not asked for", "IF NOT (chosen <@ asked AND asked <@ known.claims) THEN", "IF false THEN"),
        ("more than was asked", "chosen <@ asked AND ", ""),
        ("more than was registered", " AND asked <@ known.claims", ""),
        ("a removed application", " AND removed_at IS NULL FOR SHARE", " FOR SHARE"),
        ("its last moment is forgotten", "before.expires_at;", "NULL;"),
    ),
    "renew_application": (
        ("more than before", "IF NOT kept <@ newest.claims THEN", "IF false THEN"),
        ("of a removed application", " AND removed_at IS NULL FOR SHARE", " FOR SHARE"),
        ("somebody else's answer", "WHERE subject = whose AND application = which\n", "WHERE application = which\n"),
        ("until a moment that is over", "IF ends <= clock_timestamp() THEN", "IF false THEN"),
        ("without an end", "before.known_as, ends", "before.known_as, NULL"),
    ),
    "end_answer": (
        (
            "everybody's answers end",
            "WHERE subject = whose AND application = which AND until IS NULL",
            "WHERE until IS NULL",
        ),
        ("later than it said", "least(clock_timestamp(), expires_at)", "clock_timestamp()"),
        ("what is over is carried on", "OR before.until = before.expires_at THEN", "THEN"),
        ("what was left of before opens again", "IF NOT FOUND OR ", "IF "),
    ),
    "end_tokens": (
        ("everybody's tokens", "account.subject = whose AND ", ""),
        ("everybody's codes", "troth.application_code WHERE subject = whose AND", "troth.application_code WHERE"),
        (
            "everybody's spent tokens",
            "troth.application_spent WHERE subject = whose AND",
            "troth.application_spent WHERE",
        ),
    ),
    "end_application": (("only of whoever has agreed", "troth.held_holder()", "troth.held_viewer()"),),
    "application_standing": (
        ("without the agreement", " AND standing.agreed", ""),
        ("after its end", " AND given.until IS NULL", ""),
        ("after its last moment", "AND coalesce(given.expires_at > statement_timestamp(), true) ", ""),
        ("somebody else's", "given.subject = whose AND", ""),
        ("whatever was asked before", " INTERSECT SELECT unnest(known.claims)", ""),
        ("purposes one is not in", "AND (permitted.uses >> unit.bit) & 1 = 1 ", ""),
        ("of a removed application", " AND known.removed_at IS NULL", ""),
        ("after the account's end", " AND person.ended_at IS NULL", ""),
    ),
    "application_users": (
        ("of every application", "given.application = which AND ", ""),
        ("from the beginning", " AND given.answer > after", ""),
        ("after its end", " AND given.until IS NULL", ""),
        ("after its last moment", "AND coalesce(given.expires_at > statement_timestamp(), true)", ""),
        ("all at once", " LIMIT most", ""),
    ),
    "use_application": (("after its last moment", " AND coalesce(expires_at > statement_timestamp(), true)", ""),),
    "append": (
        ("any action", "IF what IS NULL OR what !~ '^[a-z][a-z0-9-]{0,63}$' THEN", "IF false THEN"),
        ("any facts", "IF told IS NULL OR jsonb_typeof(told) <> 'object' THEN", "IF false THEN"),
        (
            "any value",
            "WHERE fact.key !~ '^[a-z][a-z0-9_]{0,39}$'",
            "WHERE false AND (fact.key !~ '^[a-z][a-z0-9_]{0,39}$'",
        ),
        ("identifiers as words", "AND fact.value #>> '{}' !~ '^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$'", ""),
    ),
    "record": (
        ("in another's name", "session_user = current_database() || '_self'", "false"),
        ("only of whoever has agreed", "troth.holder()", "troth.viewer()"),
        ("whatever of whoever has not agreed", "troth.viewer()", "troth.holder()"),
    ),
    "held_viewer": (("of whoever has not agreed", "IF troth.viewer() IS DISTINCT FROM whose THEN", "IF false THEN"),),
    "held_holder": (
        ("without a viewer", "whose IS NULL OR ", ""),
        ("a browser that is known", "whose >= 'ffffffff-ffff-8000-8000-000000000000' OR ", ""),
    ),
    "has_proven": (
        ("unproven addresses", " AND held.verified", ""),
        ("anybody's addresses", "account.subject = whose AND ", ""),
        ("any address", " AND lower(held.email) = lower(which)", ""),
    ),
    "live_grants": (
        ("of every category", " AND what = ANY (given.categories)", ""),
        ("of everybody", "given.receiver = troth.viewer() AND", "given.receiver IS NOT NULL AND"),
        ("before it begins", "given.since <= statement_timestamp() AND", ""),
        ("after its time", "AND given.until > statement_timestamp()", ""),
        ("after its end", "(given.over_at IS NULL OR given.over_at > statement_timestamp())", "true"),
        (
            "out of office",
            "AND (given.organization IS NULL OR troth.in_office(given.organization, given.receiver, given.subject))",
            "",
        ),
    ),
    "use_grants": (("of everybody", "(whom IS NULL OR live.subject = whom) AND", "true AND"),),
    "granted": (
        ("records of no one", "bool_and(live.records IS NOT NULL)", "false"),
        ("all where there is none", ", '{}')", ", NULL)"),
    ),
    "may_see": (
        ("of everybody", " AND live.subject = whom", ""),
        ("their own as one's own", "WHEN 'self' THEN whom = troth.viewer()", "WHEN 'self' THEN true"),
        ("without a grant", "ELSE live.given IS NOT NULL END", "ELSE true END"),
    ),
    "offer_grant": (
        ("whatever the policy says", "IF NOT what <@", "IF false AND NOT what <@"),
        ("without a limit", ">= 20 THEN", ">= 20000 THEN"),
        ("mail to nobody", "IF towards IS NOT NULL THEN", "IF false THEN"),
    ),
    "offered": (
        ("whoever has the link", "AND (offer.address IS NULL OR troth.has_proven(troth.viewer(), offer.address))", ""),
        ("any link", "offer.link = digest AND ", ""),
        ("after its end", " AND offer.over_at IS NULL", ""),
        ("to oneself", " AND offer.subject <> troth.viewer()", ""),
        ("after its time", "offer.until > statement_timestamp() AND", ""),
        ("whatever its age", " AND offer.at > statement_timestamp() - interval '14 days'", ""),
    ),
    "answer_grant": (
        ("a no is a yes", "receiver = CASE WHEN accepts THEN whose END", "receiver = whose"),
        ("of no offer", "IF NOT FOUND THEN", "IF false THEN"),
    ),
    "end_grant": (
        ("only of whoever has agreed", "troth.held_holder()", "troth.held_viewer()"),
        ("anybody's", "AND whose IN (subject, receiver) ", ""),
        ("twice", " AND over_at IS NULL", ""),
        ("what was agreed", " AND agreed IS NULL", ""),
    ),
    "change_grant": (
        ("by its receiver", "AND subject = whose AND", "AND whose IN (subject, receiver) AND"),
        ("to more", "IF NOT kept <@ before.categories OR", "IF"),
        ("to more records", " OR NOT coalesce(alone <@ before.records, true)", ""),
        ("whatever records stay", "coalesce(alone, before.records)", "before.records"),
        ("to all of them", "coalesce(alone, before.records)", "alone"),
        ("twice", " AND over_at IS NULL", ""),
        ("before it is accepted", " AND receiver IS NOT NULL", ""),
        ("what was agreed", " AND agreed IS NULL", ""),
    ),
    "fate_of": (
        ("as if they were another", "o.subject <> whose AND ", ""),
        ("whoever owns another", "o.organization = org AND ", ""),
        ("to who came last", "ORDER BY a.at,", "ORDER BY a.at DESC,"),
        ("to whoever is in it", "a.role = 'administrator' AND ", ""),
    ),
    "organization_fates_of": (
        ("of everybody", "m.subject = whose AND", "true AND"),
        ("who would inherit, to anybody", "CASE WHEN due.fate = 'handed on' THEN due.heir END", "due.heir"),
    ),
    "grant_sides": (
        ("of everybody", "troth.viewer() IN (held.subject, held.receiver) AND", "true AND"),
        ("after its end", "(held.over_at IS NULL OR held.over_at > statement_timestamp())", "true"),
        ("after its time", "held.until > statement_timestamp() AND", ""),
    ),
    "may_propose": (
        ("anybody", "'owner' = ANY (troth.staff_roles(whose))", "true"),
        ("without a second factor", " AND troth.secured()", ""),
    ),
    "secured": (
        ("who showed none", "coalesce(troth.token_level(current_setting('troth.token', true)) > 1, false) AND", ""),
        ("who has none any more", "held.type IN ('totp', 'webauthn')", "true"),
    ),
    "staff_viewer": (("without a second factor", "ELSIF NOT troth.secured() THEN", "ELSIF false THEN"),),
    "answer_access": (
        (
            "a yes of whoever has not agreed",
            "CASE WHEN cardinality(chosen) = 0 THEN troth.holder() ELSE troth.viewer() END",
            "troth.holder()",
        ),
        ("only of whoever has agreed", "troth.holder()", "troth.viewer()"),
        (
            "what says nothing",
            "coalesce(chosen <@ asked.asked_areas AND for_hours BETWEEN 1 AND asked.asked_hours, false)",
            "(chosen <@ asked.asked_areas AND for_hours BETWEEN 1 AND asked.asked_hours)",
        ),
    ),
    "end_access": (("only of whoever has agreed", "troth.holder()", "troth.viewer()"),),
    "this_session": (("only of whoever has agreed", "troth.holder()", "troth.viewer()"),),
    "end_session": (("only of whoever has agreed", "troth.holder()", "troth.viewer()"),),
    "end_other_sessions": (("only of whoever has agreed", "troth.holder()", "troth.viewer()"),),
    "forget_device": (("only of whoever has agreed", "troth.holder()", "troth.viewer()"),),
    "leave_organization": (("only of whoever has agreed", "troth.holder()", "troth.viewer()"),),
    "withdraw_request": (("only of whoever has agreed", "troth.holder()", "troth.viewer()"),),
    "narrow_access": (
        ("only of whoever has agreed", "troth.holder()", "troth.viewer()"),
        ("without a viewer", "IF whose IS NULL THEN", "IF false THEN"),
        (
            "somebody else's",
            "WHERE subject = whose AND access = which AND allowed_at",
            "WHERE access = which AND allowed_at",
        ),
        ("more than is open", " OR NOT kept <@ held.areas", ""),
        ("to nothing", "coalesce(cardinality(kept), 0) = 0 OR ", ""),
        ("for no hours", " OR for_hours < 1", ""),
        ("for longer", " OR ends > held.until", ""),
    ),
    "list_letters": (
        ("to whoever has agreed since", "IF each.agreed THEN", "IF false THEN"),
        ("what others agreed to", "a.subject = n.subject AND ", ""),
        ("whatever was agreed to", " AND a.version >= t.version", ""),
        ("what is on a list goes", "IF each.tries = 0 THEN", "IF true THEN"),
        ("what was withdrawn", "t.scheduled IS NULL OR EXISTS (", "true OR EXISTS ("),
        ("all at once", "EXIT WHEN listed >= many;", ""),
    ),
    "settle_letters": (("any word", "IF coalesce(how NOT IN ('sent', 'failed'), true) THEN", "IF false THEN"),),
    "tell_some": (("what is on a list goes", " AND n.tries = 0 FOR UPDATE", ""),),
    "access_is_open": (("without a second factor", " AND troth.secured()", ""),),
    "look_at_members": (
        ("by anybody", "NOT coalesce('see' = ANY (troth.powers_in(org, who)), false) OR ", ""),
        ("at who is no member", " OR whose IS NOT NULL AND troth.powers_in(org, whose) IS NULL", ""),
    ),
    "looked": (
        ("a transaction later", " AND this.turn = here.slot || '/' || here.turn", ""),
        ("who administers no longer", " AND this.organization = ANY (troth.administered_organizations())", ""),
        ("with an old snapshot", "AND current_setting('transaction_isolation') = 'read committed'", ""),
    ),
    "looked_member": (("who left", " AND m.ended_at IS NULL", ""),),
    "looks_at_me": (
        ("at anybody", "one.whom = troth.viewer()", "one.whom IS NOT NULL"),
        ("of before they came", " AND every.at >= mine.at", ""),
        ("one's own", "found.subject <> troth.viewer() AND ", ""),
    ),
    "forget_looks": (("at once", " WHERE at < statement_timestamp() - interval '365 days'", ""),),
    "propose_permission": (
        ("by anybody", "IF NOT troth.may_propose(whose) THEN", "IF false THEN"),
        ("whatever the policy says", "IF NOT (CASE WHEN", "IF false AND NOT (CASE WHEN"),
        ("a purpose that needs no yes", " AND basis = 'consent'", ""),
        ("to whoever has not proven it", " AND troth.has_proven(account.subject, towards)", ""),
    ),
    "propose_in_organization": (
        ("by anybody", "NOT troth.in_office(org, whose, whom)", "false"),
        ("whatever the policy says", "IF NOT what <@", "IF false AND NOT what <@"),
        ("again and again", "asked.at > clock_timestamp() - interval '1 day'\n    )", "false\n    )"),
    ),
    "proposed_to_member": (("to anybody", " AND told.receiver = troth.viewer()", ""),),
    "in_office": (
        (
            "whoever is in it",
            "coalesce('see' = ANY (troth.powers_in(org, who)), false)",
            "troth.powers_in(org, who) IS NOT NULL",
        ),
        ("of nobody's", " AND troth.powers_in(org, whom) IS NOT NULL", ""),
    ),
    "answer_permission": (
        ("other words", "AND encode(sha256(convert_to(wordings ->> spoken, 'UTF8')), 'hex') = digest", ""),
        ("another's", " AND subject = whose AND answer IS NULL", " AND answer IS NULL"),
        ("twice", " AND answer IS NULL", ""),
        ("whatever its age", " AND at > clock_timestamp() - interval '14 days'", ""),
        ("under another policy", "AND version = (SELECT max(newest.version) FROM troth.policy_version AS newest)", ""),
        ("a no is a yes", "answer = CASE WHEN accepts THEN 'accepted' ELSE 'declined' END", "answer = 'accepted'"),
    ),
    "end_agreed": (
        ("only of whoever has agreed", "troth.held_holder()", "troth.held_viewer()"),
        (
            "by anybody",
            "(subject = whose OR CASE WHEN organization IS NULL THEN troth.may_propose(whose) ELSE receiver = whose END)",
            "true",
        ),
        ("twice", " AND over_at IS NULL", ""),
        ("what ends by itself", " AND ends <> 'at its end'", ""),
        ("without notice", "make_interval(days => notice)", "make_interval()"),
    ),
    "undo_agreed": (("what was chosen since", "IF made = (", "IF made IS NOT NULL OR made = ("),),
    "lapse_permissions": (("before its time", "due.until <= clock_timestamp() AND", ""),),
    "proposed_permissions": (("to anybody", " AND troth.may_propose(troth.viewer())", ""),),
    "end_subject": (("twice", "WHERE subject = whose AND ended_at IS NULL", "WHERE subject = whose"),),
    "forget_unagreed": (
        (
            "in spite of an agreement",
            "IF EXISTS (SELECT 1 FROM troth.agreement WHERE subject = whose) THEN",
            "IF false THEN",
        ),
    ),
    "close_token": (("all tokens", "WHERE hash = digest", ""),),
    "close_tokens": (("everybody's tokens", "WHERE subject = whose", ""),),
    "import_keys": (
        ("nothing is remembered", "ON CONFLICT DO NOTHING", "ON CONFLICT (key) DO UPDATE SET at = excluded.at"),
    ),
    "beat": (
        ("the silent count for ever", "interval '24 hours'", "interval '24 days'"),
        ("who spoke an hour ago is forgotten", "interval '24 hours'", "interval '1 hour'"),
        ("what was said first stays", "commits = excluded.commits", "commits = troth.intake_node.commits"),
        ("any number of them", "< 200", "< 2000"),
    ),
    "count_outcomes": (("counts do not add up", "c.count + excluded.count", "excluded.count"),),
    "remove_own": (
        ("anybody's", "WHERE subject = whose AND at", "WHERE at"),
        ("of any moment", " AND at = moment", ""),
        ("all of a moment", " AND id = what", ""),
        ("without a viewer", "IF whose IS NULL THEN", "IF false THEN"),
    ),
    "uses_of_own": (
        ("anybody's", "r.subject = troth.viewer() AND ", ""),
        ("of any moment", " AND r.at = asked.moment", ""),
    ),
    "roll": (
        ("counts do not add up", "r.count + excluded.count", "excluded.count"),
        ("people do not add up", "r.people | excluded.people", "excluded.people"),
        ("bits of two salts add up", "CASE WHEN r.salted = excluded.salted THEN", "CASE WHEN true THEN"),
        (
            "the last salt's stay",
            "bit_count(told.people::bit(64)) DESC, told.salted = r.salted DESC",
            "told.salted DESC",
        ),
        ("the first salt's stay", "bit_count(told.people::bit(64)) DESC, ", ""),
        ("any number of words", "<= 50 THEN", "<= 5000 THEN"),
        ("known words go under too", "CASE WHEN told.known OR", "CASE WHEN"),
    ),
    "rolled": (
        ("of four people", ">= 5 AS enough", ">= 4 AS enough"),
        ("of six people", ">= 5 AS enough", ">= 6 AS enough"),
        ("of anybody", ">= 5 AS enough", ">= 0 AS enough"),
        ("exact numbers", "t.count - t.count % 5", "t.count"),
        ("what is other", "CASE r.value WHEN 'other' THEN 0 ELSE", "CASE WHEN false THEN 0 ELSE"),
        ("of all time", "r.hour >= since AND ", ""),
        ("of what came after", "r.hour < till AND ", ""),
        ("people of two salts", ", r.salted", ""),
        (
            "of too few with their words",
            "SELECT t.at, t.application, NULL, NULL",
            "SELECT t.at, t.application, max(t.value), NULL",
        ),
    ),
    "roll_salt": (
        ("yesterday's stays", "held.day < roll_salt.day", "false"),
        ("one that was made is known", "fresh := FOUND", "fresh := false"),
    ),
    "forget_rollups": (
        ("counts longer", "interval '9600 hours'", "interval '9800 hours'"),
        ("counts shorter", "interval '9600 hours'", "interval '9400 hours'"),
        ("salts stay", "DELETE FROM troth.rollup_salt WHERE", "DELETE FROM troth.rollup_salt WHERE false AND"),
        ("words of few stay", "max(s.people) < 5", "max(s.people) < 0"),
        ("words of five go", "max(s.people) < 5", "max(s.people) < 6"),
        ("words of two salts stay", "GROUP BY 1, 2, 3, 4, 5, r.salted", "GROUP BY 1, 2, 3, 4, 5"),
        ("pages of the service go", " AND r.application <> ''", ""),
        ("what has no word goes", "r.value NOT IN ('', 'other')", "r.value NOT IN ('other')"),
        ("words of today go", "AND r.salted < (statement_timestamp() AT TIME ZONE 'UTC')::date\n", "\n"),
        ("of all days", "r.hour >= f.day AND r.hour < f.day + interval '24 hours'\n          AND ", ""),
        ("counts go", "SET count = r.count + excluded.count\n$$", "SET count = r.count\n$$"),
    ),
    "misstamped": (
        ("looks at nobody", "ELSE r.uses & ~(1::bigint << 63) <> coalesce(p.uses, 0) END", "ELSE false END"),
    ),
    "sender": (
        ("keys that ended", " AND held.ended_at IS NULL", ""),
        ("of a removed application", " AND known.removed_at IS NULL", ""),
        ("any key", "held.digest = of_digest AND ", ""),
    ),
    "sent_about": (
        ("keys that ended", " AND held.ended_at IS NULL", ""),
        ("of a removed application", " AND known.removed_at IS NULL", ""),
        ("after the account's end", " AND person.ended_at IS NULL", ""),
        ("known to another application", "given.application = known.application AND ", ""),
        ("by any name", " AND given.known_as = asked.name", ""),
        ("after its end", " AND given.until IS NULL", ""),
        ("after its last moment", "AND coalesce(given.expires_at > statement_timestamp(), true)", ""),
        ("a browser known to another", "browser.application = known.application AND ", ""),
        ("any browser", "browser.digest = sha256(convert_to(asked.name, 'UTF8'))", "true"),
        ("a browser that ended", "i.ended_at IS NULL AND ", ""),
        ("a browser that is tied", "i.tied_at IS NULL AND ", ""),
        ("a browser past its days", " AND i.until > statement_timestamp()", ""),
        (
            "a browser's without an agreement",
            "CASE WHEN standing.agreed THEN standing.uses ELSE 0 END",
            "standing.uses",
        ),
    ),
    "take_keys": (
        ("whatever it said", "held.body = told.body", "true"),
        ("nothing is new", "new.key IS NOT NULL", "false"),
    ),
    "take_new": (
        ("whatever came before", "RAISE EXCEPTION 'some of it came before' USING ERRCODE = 'TR087'", "RETURN true"),
    ),
    "note_refusals": (
        ("counts do not add up", "r.count + excluded.count", "excluded.count"),
        ("after the account's end", " AND person.ended_at IS NULL", ""),
    ),
    "forget_intake": (
        ("keys a day longer", "interval '720 hours'", "interval '744 hours'"),
        ("keys a day shorter", "interval '720 hours'", "interval '696 hours'"),
        ("refusals a day longer", "::date - 30", "::date - 31"),
        ("refusals a day shorter", "::date - 30", "::date - 29"),
    ),
    "forget_imported": (
        ("keys longer", "statement_timestamp() - longest", "statement_timestamp() - longest - interval '2 hours'"),
        ("keys shorter", "statement_timestamp() - longest", "statement_timestamp() - longest + interval '2 hours'"),
    ),
    "stamp_crash": (
        (
            "whoever is in no purpose",
            "bool_or(coalesce(truth.uses, 0) &",
            "bool_or(false AND coalesce(truth.uses, 0) &",
        ),
        ("by an answer that ended", "AND given.until IS NULL", ""),
        ("of a removed application", " AND known.removed_at IS NULL", ""),
        ("of whose account ended", " AND person.ended_at IS NULL", ""),
        ("of a kind that was not declared", " AND 'crash' = ANY (known.events)", ""),
        ("of another application", """AND given.application = fresh."application\"""", ""),
        ("of somebody else", "given.subject = fresh.subject AND ", ""),
    ),
    "stamp_access": (
        ("whoever is in no purpose", "ELSE (coalesce(truth.uses, 0) &", "ELSE (false AND coalesce(truth.uses, 0) &"),
        (
            "an identifier that is in none",
            "8000-000000000000'::uuid THEN (coal",
            "8000-000000000000'::uuid THEN (false AND coal",
        ),
        (
            "a column that none of theirs uses",
            '(fresh."referrer" IS NOT NULL',
            '(false AND fresh."referrer" IS NOT NULL',
        ),
        ("whoever's browser objects", "OR (fresh.uses < 0 AND", "OR (false AND"),
    ),
    "stamp_device": (
        (
            "whoever is in no purpose",
            "bool_or(coalesce(truth.uses, 0) &",
            "bool_or(false AND coalesce(truth.uses, 0) &",
        ),
        ("a column that none of theirs uses", '(fresh."model" IS NOT NULL', '(false AND fresh."model" IS NOT NULL'),
    ),
    "uses_now": (
        ("of everybody", "WHERE truth.subject = ANY (whose)", ""),
        ("whatever they were in", "truth.uses FROM", "-1::bigint FROM"),
        ("of whoever has ended", " AND person.ended_at IS NULL", ""),
    ),
    "manifests_of": (
        ("of a removed application", " AND known.removed_at IS NULL", ""),
        ("by a key that ended", " AND held.ended_at IS NULL", ""),
    ),
    "stamp_activity": (
        (
            "whoever is in no purpose",
            "bool_or(coalesce(truth.uses, 0) &",
            "bool_or(false AND coalesce(truth.uses, 0) &",
        ),
        ("of a kind that was not declared", " AND 'activity' = ANY (known.events)", ""),
    ),
    "stamp_page_view": (
        ("whoever is in no purpose", "ELSE (coalesce(truth.uses, 0) &", "ELSE (false AND coalesce(truth.uses, 0) &"),
        ("of a kind that was not declared", " AND 'page_view' = ANY (known.events)", ""),
        (
            "of any browser",
            "nullif(troth.application_knows(fresh.subject, fresh.\"application\", 'page_view'), false)",
            "true",
        ),
    ),
    "stamp_transaction": (
        (
            "whoever is in no purpose",
            "bool_or(coalesce(truth.uses, 0) &",
            "bool_or(false AND coalesce(truth.uses, 0) &",
        ),
        ("of a kind that was not declared", " AND 'transaction' = ANY (known.events)", ""),
    ),
    "stamp_location": (
        (
            "whoever is in no purpose",
            "bool_or((coalesce(truth.uses, 0) &",
            "bool_or((false AND coalesce(truth.uses, 0) &",
        ),
        ("of a kind that was not declared", " AND 'location' = ANY (known.events)", ""),
    ),
    "stamp_feature_use": (("whoever's browser objects", "OR (fresh.uses < 0 AND", "OR (false AND"),),
    "standing": (
        (
            "agreed whatever the version",
            ">= (SELECT coalesce(max(p.version), 1)",
            ">= 0 * (SELECT coalesce(max(p.version), 1)",
        ),
    ),
}
STATEMENT = re.compile(r"^ *(?:UPDATE|DELETE|INSERT|PERFORM|RAISE|\w+ := )[^;]*;", re.MULTILINE)


def rewritten(name: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield what is taken away from a function, and its text then."""
    for what, old, new in CHANGES.get(name, ()):
        changed = text.replace(old, new)
        if old.startswith("WHERE fact.key"):
            changed = changed.replace(
                "               ELSE false\n           END\n", "               ELSE false\n           END)\n"
            )
        assert changed != text, (name, what)
        yield what, changed
    head, _, body = text.partition("BEGIN\n")
    for place, match in enumerate(STATEMENT.finditer(body) if "plpgsql" in head else ()):
        taken = " ".join(match.group().split())[:80]
        yield (
            f"statement {place} taken away `{taken}`",
            f"{head}BEGIN\n{body[: match.start()]}    NULL;{body[match.end() :]}",
        )
    yield from _lasting(name, text)
    yield from _counting(name, text)


#: Rows that are finer than their age allows: under the default policy there is no such age.
FINE = re.compile(r"FILTER \(WHERE \((?:(?!FILTER).)*? AND \(false\)\)", re.DOTALL)
NEVER = " in what is never asked"


def _lasting(name: str, text: str) -> Iterator[tuple[str, str]]:
    if name in ("retain", "overdue", "retention_status"):
        fine = [match.span() for match in FINE.finditer(text)]

        def told(match: re.Match[str], what: str) -> str:
            return what + (NEVER if any(begin <= match.start() < end for begin, end in fine) else "")

        for place, match in enumerate(re.finditer(r"WHERE NOT \(", text)):
            inverted = f"{text[: match.start()]}WHERE ({text[match.end() :]}"
            yield f"the {place}. predicate inverted", inverted
        for place, match in enumerate(re.finditer(r"(?<=[-+] )interval '(\d+) hours'", text)):
            for how, hours in (("longer", int(match[1]) + 24), ("shorter", int(match[1]) - 24)):
                changed = f"{text[: match.start(1)]}{hours}{text[match.end(1) :]}"
                yield told(match, f"the {place}. window a day {how}"), changed
        for place, match in enumerate(re.finditer(r" OR (?=\(ended_at IS NULL)", text)):
            yield told(match, f"the {place}. OR an AND"), f"{text[: match.start()]} AND {text[match.end() :]}"
    if name == "sweep":
        for place, match in enumerate(re.finditer(r"NOT EXISTS \(", text)):
            yield (
                f"the {place}. thing that must be absent overlooked",
                f"{text[: match.start()]}true OR NOT EXISTS ({text[match.end() :]}",
            )


def _counting(name: str, text: str) -> Iterator[tuple[str, str]]:
    if name.startswith("count_") and "HAVING" in text:
        yield "a threshold of 1", text.replace(">= 5", ">= 1")
        yield "a threshold of 4", text.replace(">= 5", ">= 4")
        yield "rows for people", text.replace("HAVING count(DISTINCT subject)", "HAVING count(*)")
        yield "without the stamp", re.sub(r"\(uses & \d+::bigint\) <> 0 AND ", "", text)
        yield "without the window", re.sub(r"at > statement_timestamp\(\) - interval '\d+ hours'", "true", text)
        yield "visits as a person", re.sub(r" AND subject <> '[0-9-]+'::uuid", "", text)
