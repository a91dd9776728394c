-- A choice names what it answers to. The form without it would stand beside the one with it, and both would fit a call.
-- squawk-ignore ban-drop-function
DROP FUNCTION IF EXISTS troth.choose(text, text);
