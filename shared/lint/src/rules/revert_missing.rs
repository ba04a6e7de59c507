//! Every migration can be reverted.

use super::{Draft, rule};
use crate::context::LintContext;

rule! {
    REVERT_MISSING = Error "revert-missing": "Provide a revert with statements, or declare the migration irreversible." {
        file: Some(missing),
    };
}

/// Detects a migration with neither a revert nor a reason. A revert file without a statement counts as absent.
fn missing<'a>(context: &LintContext<'a>) -> Vec<Draft<'a>> {
    let script = context.file.script;
    if context.file.statements.is_empty()
        || context.revert.is_some()
        || script.directives.irreversible.is_some()
    {
        return Vec::new();
    }
    let file = script.path.rsplit('/').next().unwrap_or_default();
    let message = "the migration has neither a revert nor a reason why it is irreversible";
    let draft = Draft::new(&REVERT_MISSING, script, message);
    vec![draft.safe_form(format!(
        "add reverts/{file}, or -- migration: irreversible \"why\""
    ))]
}
