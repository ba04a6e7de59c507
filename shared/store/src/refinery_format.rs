//! What we share with refinery: checksums and the history table. The only module that names its types, except
//! `embedded`, which accepts the output of `embed_migrations!`.

use refinery::Migration;

use domain::{Checksum, Version};

/// refinery's name for the history table.
pub const DEFAULT_HISTORY_TABLE: &str = "refinery_schema_history";

/// refinery's own definition of the table (with `int8-versions`), so that its command line can still read our databases.
/// `table` is a quoted, qualified name.
pub fn create_history_table(table: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (\
         version int8 PRIMARY KEY, name varchar(255), applied_on varchar(255), checksum varchar(255))"
    )
}

/// refinery's checksum of a file; `None` when refinery does not accept its name (ours are checked before).
pub fn checksum(version: Version, name: &str, sql: &str) -> Option<Checksum> {
    Migration::unapplied(&format!("V{version}__{name}"), sql)
        .ok()
        .map(|migration| Checksum::new(migration.checksum()))
}
