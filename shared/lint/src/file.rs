//! A file in the form that the rules read.

use domain::{Direction, Migration, Script};
use pg_sql::Statement;
use squawk_syntax::{Parse, SourceFile};

use super::unfold::Unfolded;

/// A file in the form that the rules read, parsed once.
pub struct LintedFile<'a> {
    pub migration: &'a Migration,
    /// Whether it is the migration or its revert.
    pub direction: Direction,
    pub script: &'a Script,
    /// Its statements; none if it cannot be split, which planning refuses.
    pub statements: Vec<Statement<'a>>,
    /// Its syntax tree; that of an empty file if it is [too deep](Self::too_deep).
    pub syntax: Parse<SourceFile>,
    /// The same with blocks replaced by their SQL.
    pub unfolded: Unfolded,
    /// The range that is nested too deeply to be parsed, in bytes.
    pub too_deep: Option<usize>,
}

impl<'a> LintedFile<'a> {
    /// Parses a file; `None` if there is no revert.
    pub fn read(migration: &'a Migration, direction: Direction) -> Option<Self> {
        if direction == Direction::Down && migration.revert.is_none() {
            return None;
        }
        let script = migration.script(direction);
        let too_deep = pg_sql::too_deep(&script.text, false);
        let parsed = too_deep.map_or(&*script.text, |_| "");
        let syntax = SourceFile::parse(parsed);
        let unfolded = Unfolded::of(parsed, &syntax);
        Some(Self {
            migration,
            direction,
            script,
            statements: pg_sql::split(&script.text).unwrap_or_default(),
            syntax,
            unfolded,
            too_deep,
        })
    }
}
