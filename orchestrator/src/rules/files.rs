//! Rules on the files themselves: their directives, their syntax, and that they stay as they were merged.

use super::rule::rules;

rules! {
    /// A directive allows a rule that exists.
    UNKNOWN_RULE = Error "unknown-rule": "A directive `allow` names a rule that there is.";
    /// A directive allows something.
    UNUSED_ALLOW = Warning "unused-allow": "A directive `allow` silences something.";
    /// A file can be read.
    NOT_UNDERSTOOD = Warning "not-understood": "A file is SQL that the linter understands, so that it can be held to the rules.";
    /// A file nests so deeply that it is not analyzed.
    TOO_DEEP = Error "too-deep": "No statement nests so deeply that it cannot be analyzed.";
    /// A file is one that the engine runs.
    ENGINE_REFUSES = Error "engine-refuses": "A file is one that the engine runs: no transaction control of its own, no COPY FROM STDIN, no commands of psql.";
    /// A statement that cannot run in a transaction stands in a no-transaction migration.
    NEEDS_NO_TRANSACTION = Error "needs-no-transaction": "A statement that cannot run in a transaction stands in a file with `-- migration: no-transaction`.";
    /// A migration that is merged stays as it is.
    MERGED_MIGRATION_EDITED = Error "merged-migration-edited": "A migration that is merged is neither edited, renamed nor removed.";
}
