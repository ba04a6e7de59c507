//! Rules on the files themselves: their directives, their syntax, and that they stay as they were merged.

use super::rule::rules;

rules! {
    /// A directive allows a rule that exists.
    UNKNOWN_RULE = Error "unknown-rule": "An `allow` directive names a known rule.";
    /// A directive allows something.
    UNUSED_ALLOW = Warning "unused-allow": "An `allow` directive silences a finding.";
    /// A file can be read.
    NOT_UNDERSTOOD = Warning "not-understood": "The linter can parse the file.";
    /// A file nests so deeply that it is not analyzed.
    TOO_DEEP = Error "too-deep": "No statement nests too deeply to be analyzed.";
    /// A file is one that the engine runs.
    ENGINE_REFUSES = Error "engine-refuses": "The engine can run the file: no transaction control, no COPY FROM STDIN and no psql commands.";
    /// A statement that cannot run in a transaction stands in a no-transaction migration.
    NEEDS_NO_TRANSACTION = Error "needs-no-transaction": "A statement that cannot run in a transaction is in a file with `-- migration: no-transaction`.";
    /// A migration that is merged stays as it is.
    MERGED_MIGRATION_EDITED = Error "merged-migration-edited": "Merged migrations are not edited, renamed or removed.";
}
