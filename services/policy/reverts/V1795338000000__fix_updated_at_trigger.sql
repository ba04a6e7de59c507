-- Restores the broken function byte for byte: with it every UPDATE fails again (42703). It is what the
-- databases were built with, and going back to a version must give the state of that version and not a
-- better one; otherwise neither drift nor an adopted database could be told from it.

CREATE OR REPLACE FUNCTION update_updated_at_column()
RETURNS trigger
LANGUAGE plpgsql
AS $$
      BEGIN
          NEW.updatedAt = CURRENT_TIMESTAMP;
          RETURN NEW;
      END;
      $$;
