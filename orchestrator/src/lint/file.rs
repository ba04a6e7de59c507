//! A file as the rules see it.

use shared::domain::{Direction, Migration, Script, Service};
use shared::planning;
use shared::sql::{self, Statement};
use squawk_syntax::{Parse, SourceFile};

use super::unfold::Unfolded;

/// A file as the rules see it: read once.
pub struct LintedFile<'a> {
    /// Its service.
    pub service: &'a Service,
    /// Its migration.
    pub migration: &'a Migration,
    /// Whether it is the migration or its revert.
    pub direction: Direction,
    /// The file.
    pub script: &'a Script,
    /// Its statements; none where it cannot be cut into any, which planning refuses.
    pub statements: Vec<Statement<'a>>,
    /// Its syntax; that of an empty file where it is [too deep](Self::too_deep).
    pub syntax: Parse<SourceFile>,
    /// The same with the SQL of its blocks in their place.
    pub unfolded: Unfolded,
    /// Where it nests too deeply to be parsed, in bytes.
    pub too_deep: Option<usize>,
}

impl<'a> LintedFile<'a> {
    /// Reads a file; `None` where there is no revert.
    pub fn read(
        service: &'a Service,
        migration: &'a Migration,
        direction: Direction,
    ) -> Option<Self> {
        if direction == Direction::Down && migration.revert.is_none() {
            return None;
        }
        let script = planning::script(migration, direction);
        let too_deep = sql::too_deep(&script.text, false);
        let parsed = too_deep.map_or(&*script.text, |_| "");
        let syntax = SourceFile::parse(parsed);
        let unfolded = Unfolded::of(parsed, &syntax);
        Some(Self {
            service,
            migration,
            direction,
            script,
            statements: sql::split(&script.text).unwrap_or_default(),
            syntax,
            unfolded,
            too_deep,
        })
    }
}
