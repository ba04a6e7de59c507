-- Marks the policies that serve as templates. A constant default does not rewrite the table; existing
-- policies are no templates.

ALTER TABLE policies ADD COLUMN "isTemplate" boolean DEFAULT false;
