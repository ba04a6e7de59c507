//! Rules on what a migration does to live traffic, to the programs that run meanwhile, and to what will be hard to change later. Most are
//! found by squawk's linter; the names, the words and the gravity are of this house.

use super::rule::rules;

rules! {
    /// An index on a table that stands is built without blocking writes.
    INDEX_NOT_CONCURRENT = Error "index-not-concurrent" from "require-concurrent-index-creation": "Build indexes on existing tables CONCURRENTLY, in a no-transaction migration.";
    /// An index is dropped without waiting for every reader.
    INDEX_DROP_NOT_CONCURRENT = Warning "index-drop-not-concurrent" from "require-concurrent-index-deletion": "Drop indexes of existing tables CONCURRENTLY, in a no-transaction migration.";
    /// An index is built anew without blocking.
    REINDEX_NOT_CONCURRENT = Error "reindex-not-concurrent" from "require-concurrent-reindex": "Rebuild indexes CONCURRENTLY, in a no-transaction migration.";
    /// A check on a table that stands is added without reading its rows under a lock.
    CONSTRAINT_NOT_VALID = Error "constraint-not-valid" from "constraint-missing-not-valid": "Add constraints on existing tables NOT VALID and validate them in a later migration.";
    /// A unique or primary key on a table that stands takes an index that is there.
    UNIQUE_CONSTRAINT = Error "unique-constraint" from "disallowed-unique-constraint", "adding-serial-primary-key-field": "Add unique and primary keys on existing tables with an index that was built CONCURRENTLY.";
    /// A domain is not validated under a lock.
    DOMAIN_CONSTRAINT = Error "domain-constraint" from "ban-alter-domain-with-add-constraint": "Add domain constraints NOT VALID and validate them in a later migration.";
    /// A column keeps its type.
    COLUMN_TYPE_CHANGE = Error "column-type-change" from "changing-column-type": "Change a column's type with a second column, not with ALTER COLUMN TYPE.";
    /// A column's default is the same for all rows.
    VOLATILE_DEFAULT = Error "volatile-default" from "adding-field-with-default": "Add columns to existing tables without a default that differs from row to row.";
    /// A generated column is not computed for all rows under a lock.
    STORED_GENERATED_COLUMN = Error "stored-generated-column" from "adding-field-with-default", "ban-alter-generated-expression": "Do not add stored generated columns to existing tables.";
    /// A table is not written anew.
    VACUUM_FULL = Error "vacuum-full" from "prefer-repack": "Do not rewrite tables with VACUUM FULL or CLUSTER.";
    /// A table stays in its storage.
    STORAGE_CHANGE = Error "storage-change": "Do not change the persistence, access method or tablespace of existing tables.";
    /// A partition is detached without waiting for every reader.
    PARTITION_DETACH = Warning "partition-detach" from "require-concurrent-partition-detach": "Detach partitions CONCURRENTLY, in a no-transaction migration.";
    /// A column keeps its name.
    COLUMN_RENAME = Error "column-rename" from "renaming-column": "Do not rename columns that programs use.";
    /// A table keeps its name.
    TABLE_RENAME = Error "table-rename" from "renaming-table", "renaming-object", "ban-set-schema": "Do not rename tables that programs use, or move them to another schema.";
    /// A view, a function or a type keeps its name.
    OBJECT_RENAME = Warning "object-rename" from "renaming-object", "ban-set-schema": "Do not rename views, functions, types or sequences that programs use, or move them to another schema.";
    /// A column is dropped when nobody needs it any more.
    DROP_COLUMN = Error "drop-column" from "ban-drop-column": "Drop a column only when no running program uses it and its values are no longer needed.";
    /// A table is dropped when nobody needs it any more.
    DROP_TABLE = Error "drop-table" from "ban-drop-table": "Drop a table only when no running program uses it and its rows are no longer needed.";
    /// A schema is dropped when nobody needs it any more.
    DROP_SCHEMA = Error "drop-schema" from "ban-drop-schema", "ban-drop-database": "Do not drop schemas or databases that existed before the migration.";
    /// A view, a function or a type is dropped when nobody needs it any more.
    DROP_OBJECT = Warning "drop-object" from "ban-drop-view", "ban-drop-function", "ban-drop-type", "ban-drop-sequence", "ban-drop-domain", "ban-drop-extension": "Drop a view, function, type, sequence or extension only when no running program uses it.";
    /// A truncation names what it empties.
    TRUNCATE_CASCADE = Error "truncate-cascade" from "ban-truncate-cascade": "Name every table that TRUNCATE empties, instead of using CASCADE.";
    /// An assignment stands once.
    DUPLICATE_ASSIGNMENT = Error "duplicate-assignment" from "ban-duplicate-column-assignments": "Name a column only once in CREATE TABLE, SET and the column list of INSERT.";
    /// A name fits.
    IDENTIFIER_TOO_LONG = Warning "identifier-too-long" from "identifier-too-long": "Keep names within 63 bytes; PostgreSQL truncates longer ones.";
    /// A text is no char(n).
    CHAR_TYPE = Warning "char-type" from "ban-char-field": "Use text or varchar instead of char(n), which pads with blanks.";
    /// A moment has its zone.
    TIMESTAMP_WITHOUT_ZONE = Warning "timestamp-without-zone" from "prefer-timestamp-tz": "Use timestamptz instead of timestamp, which does not store the time zone.";
    /// A key does not run out.
    INT_KEY = Warning "int-key" from "prefer-bigint-over-int", "prefer-bigint-over-smallint": "Use bigint for auto-incrementing keys; integer ends at 2147483647.";
}
