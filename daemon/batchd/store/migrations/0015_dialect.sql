-- How the dropped file was written, so that its failed rows can be returned in the same form.
ALTER TABLE jobs ADD COLUMN dialect TEXT;
