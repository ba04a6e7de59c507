//! Rules about the effect of a migration on live traffic, on running programs, and on what is hard to change later. Most of them
//! are found by squawk's linter; the names, texts and severities are ours.

use super::rule::rules;

rules! {
    /// An index is built while writes are blocked.
    INDEX_NOT_CONCURRENT = Error "index-not-concurrent" from "require-concurrent-index-creation": "Build indexes on existing tables CONCURRENTLY, in a no-transaction migration.";
    /// The drop of an index waits for every reader.
    INDEX_DROP_NOT_CONCURRENT = Warning "index-drop-not-concurrent" from "require-concurrent-index-deletion": "Drop indexes of existing tables CONCURRENTLY, in a no-transaction migration.";
    /// An index is rebuilt while writes are blocked.
    REINDEX_NOT_CONCURRENT = Error "reindex-not-concurrent" from "require-concurrent-reindex": "Rebuild indexes CONCURRENTLY, in a no-transaction migration.";
    /// A materialized view is refreshed while reads are blocked.
    REFRESH_NOT_CONCURRENT = Warning "refresh-not-concurrent": "Refresh existing materialized views CONCURRENTLY.";
    /// A check is validated in the statement that adds it.
    CONSTRAINT_NOT_VALID = Error "constraint-not-valid" from "constraint-missing-not-valid": "Add constraints on existing tables NOT VALID and validate them in a later migration.";
    /// A unique or primary key builds its index under a lock.
    UNIQUE_CONSTRAINT = Error "unique-constraint" from "disallowed-unique-constraint", "adding-serial-primary-key-field": "Add unique and primary keys on existing tables with an index that was built CONCURRENTLY.";
    /// A domain constraint is validated under a lock.
    DOMAIN_CONSTRAINT = Error "domain-constraint" from "ban-alter-domain-with-add-constraint": "Add domain constraints NOT VALID and validate them in a later migration.";
    /// The type of a column changes.
    COLUMN_TYPE_CHANGE = Error "column-type-change" from "changing-column-type": "Change a column's type with a second column, not with ALTER COLUMN TYPE.";
    /// The default of a new column differs from row to row.
    VOLATILE_DEFAULT = Error "volatile-default" from "adding-field-with-default": "Add columns to existing tables without a default that differs from row to row.";
    /// A generated column is computed for all rows under a lock.
    STORED_GENERATED_COLUMN = Error "stored-generated-column" from "adding-field-with-default", "ban-alter-generated-expression": "Do not add stored generated columns to existing tables.";
    /// A table is rewritten for maintenance.
    VACUUM_FULL = Error "vacuum-full" from "prefer-repack": "Do not rewrite tables with VACUUM FULL or CLUSTER.";
    /// A table moves to other storage.
    STORAGE_CHANGE = Error "storage-change": "Do not change the persistence, access method or tablespace of existing tables.";
    /// The detach of a partition waits for every reader.
    PARTITION_DETACH = Warning "partition-detach" from "require-concurrent-partition-detach": "Detach partitions CONCURRENTLY, in a no-transaction migration.";
    /// A column is renamed.
    COLUMN_RENAME = Error "column-rename" from "renaming-column": "Do not rename columns that programs use.";
    /// A table is renamed.
    TABLE_RENAME = Error "table-rename" from "renaming-table", "renaming-object", "ban-set-schema": "Do not rename tables that programs use, or move them to another schema.";
    /// A view, function, type or sequence is renamed.
    OBJECT_RENAME = Warning "object-rename" from "renaming-object", "ban-set-schema": "Do not rename views, functions, types or sequences that programs use, or move them to another schema.";
    /// A column is dropped.
    DROP_COLUMN = Error "drop-column" from "ban-drop-column": "Drop a column only when no running program uses it and its values are no longer needed.";
    /// A table is dropped.
    DROP_TABLE = Error "drop-table" from "ban-drop-table": "Drop a table only when no running program uses it and its rows are no longer needed.";
    /// A schema or database is dropped.
    DROP_SCHEMA = Error "drop-schema" from "ban-drop-schema", "ban-drop-database": "Do not drop schemas, databases, or everything that a role owns.";
    /// A view, function, type, sequence or extension is dropped.
    DROP_OBJECT = Warning "drop-object" from "ban-drop-view", "ban-drop-function", "ban-drop-type", "ban-drop-sequence", "ban-drop-domain", "ban-drop-extension": "Drop a view, function, type, sequence or extension only when no running program uses it.";
    /// TRUNCATE empties a table.
    TRUNCATE = Warning "truncate": "Empty an existing table only when its rows are no longer needed.";
    /// TRUNCATE empties tables that it does not name.
    TRUNCATE_CASCADE = Error "truncate-cascade" from "ban-truncate-cascade": "Name every table that TRUNCATE empties, instead of using CASCADE.";
    /// A column is specified twice.
    DUPLICATE_ASSIGNMENT = Error "duplicate-assignment" from "ban-duplicate-column-assignments": "Name a column only once in CREATE TABLE, SET and the column list of INSERT.";
    /// A name is truncated.
    IDENTIFIER_TOO_LONG = Warning "identifier-too-long" from "identifier-too-long": "Keep names within 63 bytes; PostgreSQL truncates longer ones.";
    /// A column has the type `char(n)`.
    CHAR_TYPE = Warning "char-type" from "ban-char-field": "Use text or varchar instead of char(n), which pads with blanks.";
    /// A column has the type `timestamp`.
    TIMESTAMP_WITHOUT_ZONE = Warning "timestamp-without-zone" from "prefer-timestamp-tz": "Use timestamptz instead of timestamp, which does not store the time zone.";
    /// An auto-incrementing key can run out of values.
    INT_KEY = Warning "int-key" from "prefer-bigint-over-int", "prefer-bigint-over-smallint": "Use bigint for auto-incrementing keys; integer ends at 2147483647.";
}
