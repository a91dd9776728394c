-- Which model of a device a page of an application was shown on, as browsers tell it that are asked.
ALTER TABLE troth.page_view ADD COLUMN model text CHECK (length(model) <= 100);
