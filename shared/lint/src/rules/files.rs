//! Rules about the files themselves: directives, syntax, and changes after the merge.

use super::rule::rules;

rules! {
    /// An `allow` directive names an unknown rule.
    UNKNOWN_RULE = Error "unknown-rule": "An `allow` directive names a known rule.";
    /// An `allow` directive silences nothing.
    UNUSED_ALLOW = Warning "unused-allow": "An `allow` directive silences a finding.";
    /// The linter cannot parse a file.
    NOT_UNDERSTOOD = Warning "not-understood": "The linter can parse the file.";
    /// A file is nested too deeply to be analyzed.
    TOO_DEEP = Error "too-deep": "No statement is nested too deeply to be analyzed.";
    /// The engine refuses to run a file.
    ENGINE_REFUSES = Error "engine-refuses": "The engine can run the file: no transaction control, no COPY FROM STDIN and no psql commands.";
    /// A statement that cannot run in a transaction is in a transactional file.
    NEEDS_NO_TRANSACTION = Error "needs-no-transaction": "A statement that cannot run in a transaction is in a file with `-- migration: no-transaction`.";
    /// A merged migration was changed.
    MERGED_MIGRATION_EDITED = Error "merged-migration-edited": "Merged migrations are not edited, renamed or removed.";
}
