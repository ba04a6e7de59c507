//! Every migration can be reverted.

use crate::context::LintContext;
use crate::file::LintedFile;
use crate::rules::{Draft, slugs};

/// Detects a migration with neither a revert nor a reason, and a revert without a statement.
pub(super) fn missing<'a>(
    context: &LintContext<'a>,
    down: Option<&LintedFile<'a>>,
) -> Vec<Draft<'a>> {
    if context.file.statements.is_empty() {
        return Vec::new();
    }
    let migration = context.file.migration;
    let draft = match down {
        None if migration.script.directives.irreversible.is_some() => return Vec::new(),
        None => Draft::new(
            &slugs::REVERT_MISSING,
            &migration.script,
            "the migration has neither a revert nor a reason why it is irreversible",
        )
        .safe_form(format!(
            "add reverts/{}, or -- migration: irreversible \"why\"",
            file_name(&migration.script.path)
        )),
        // The engine reports a file that cannot be split into statements.
        Some(down) if pg_sql::split(&down.script.text).is_ok_and(|it| it.is_empty()) => Draft::new(
            &slugs::REVERT_MISSING,
            down.script,
            "the revert has no statement, although the migration makes changes",
        )
        .safe_form("undo the statements of the migration in reverse order"),
        Some(_) => return Vec::new(),
    };
    vec![draft]
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
