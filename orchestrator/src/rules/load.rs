//! Rules on what a migration does to live traffic, to the programs that run meanwhile, and to what will be hard to change later. Most are
//! found by squawk's linter; the names, the words and the gravity are of this house.

use super::rule::rules;

rules! {
    /// An index on a table that stands is built without blocking writes.
    INDEX_NOT_CONCURRENT = Error "index-not-concurrent" from "require-concurrent-index-creation": "An index on a table that stands is built CONCURRENTLY, in a no-transaction migration.";
    /// An index is dropped without waiting for every reader.
    INDEX_DROP_NOT_CONCURRENT = Warning "index-drop-not-concurrent" from "require-concurrent-index-deletion": "An index of a table that stands is dropped CONCURRENTLY, in a no-transaction migration.";
    /// An index is built anew without blocking.
    REINDEX_NOT_CONCURRENT = Error "reindex-not-concurrent" from "require-concurrent-reindex": "An index is built anew CONCURRENTLY, in a no-transaction migration.";
    /// A check on a table that stands is added without reading its rows under a lock.
    CONSTRAINT_NOT_VALID = Error "constraint-not-valid" from "constraint-missing-not-valid": "A constraint on a table that stands is added NOT VALID and validated in a later migration.";
    /// A unique or primary key on a table that stands takes an index that is there.
    UNIQUE_CONSTRAINT = Error "unique-constraint" from "disallowed-unique-constraint", "adding-serial-primary-key-field": "A unique or primary key on a table that stands uses an index that was built CONCURRENTLY before.";
    /// A domain is not validated under a lock.
    DOMAIN_CONSTRAINT = Error "domain-constraint" from "ban-alter-domain-with-add-constraint": "A constraint of a domain is added NOT VALID and validated in a later migration.";
    /// A column keeps its type.
    COLUMN_TYPE_CHANGE = Error "column-type-change" from "changing-column-type": "A column gets another type by way of a second column, not by ALTER COLUMN TYPE.";
    /// A column's default is the same for all rows.
    VOLATILE_DEFAULT = Error "volatile-default" from "adding-field-with-default": "A new column of a table that stands has a default that is the same for all rows, or none.";
    /// A generated column is not computed for all rows under a lock.
    STORED_GENERATED_COLUMN = Error "stored-generated-column" from "adding-field-with-default", "ban-alter-generated-expression": "A table that stands gets no stored generated column.";
    /// A table is not written anew.
    VACUUM_FULL = Error "vacuum-full" from "prefer-repack": "No migration writes a table anew by VACUUM FULL or CLUSTER.";
    /// A table stays in its storage.
    STORAGE_CHANGE = Error "storage-change": "No table that stands becomes logged or unlogged, or moves to another access method or tablespace.";
    /// A partition is detached without waiting for every reader.
    PARTITION_DETACH = Warning "partition-detach" from "require-concurrent-partition-detach": "A partition is detached CONCURRENTLY, in a no-transaction migration.";
    /// A column keeps its name.
    COLUMN_RENAME = Error "column-rename" from "renaming-column": "A column that programs use keeps its name.";
    /// A table keeps its name.
    TABLE_RENAME = Error "table-rename" from "renaming-table", "renaming-object", "ban-set-schema": "A table that programs use keeps its name and its schema.";
    /// A view, a function or a type keeps its name.
    OBJECT_RENAME = Warning "object-rename" from "renaming-object", "ban-set-schema": "A view, function, type or sequence that programs use keeps its name and its schema.";
    /// A column is dropped when nobody needs it any more.
    DROP_COLUMN = Error "drop-column" from "ban-drop-column": "A column is dropped only when no program that runs uses it, and its values are needed no more.";
    /// A table is dropped when nobody needs it any more.
    DROP_TABLE = Error "drop-table" from "ban-drop-table": "A table is dropped only when no program that runs uses it, and its rows are needed no more.";
    /// A schema is dropped when nobody needs it any more.
    DROP_SCHEMA = Error "drop-schema" from "ban-drop-schema", "ban-drop-database": "No migration drops a schema or a database that stood before.";
    /// A view, a function or a type is dropped when nobody needs it any more.
    DROP_OBJECT = Warning "drop-object" from "ban-drop-view", "ban-drop-function", "ban-drop-type", "ban-drop-sequence", "ban-drop-domain", "ban-drop-extension": "A view, function, type, sequence or extension is dropped only when no program that runs uses it.";
    /// A truncation names what it empties.
    TRUNCATE_CASCADE = Error "truncate-cascade" from "ban-truncate-cascade": "TRUNCATE names every table that it empties.";
    /// An assignment stands once.
    DUPLICATE_ASSIGNMENT = Error "duplicate-assignment" from "ban-duplicate-column-assignments": "A column is named once in a table, in SET and in the list of INSERT.";
    /// A name fits.
    IDENTIFIER_TOO_LONG = Warning "identifier-too-long" from "identifier-too-long": "A name has at most 63 bytes; PostgreSQL cuts off the rest.";
    /// A text is no char(n).
    CHAR_TYPE = Warning "char-type" from "ban-char-field": "A text column is text or varchar, not char(n), which pads with blanks.";
    /// A moment has its zone.
    TIMESTAMP_WITHOUT_ZONE = Warning "timestamp-without-zone" from "prefer-timestamp-tz": "A moment is timestamptz, not timestamp, which forgets the zone.";
    /// A key does not run out.
    INT_KEY = Warning "int-key" from "prefer-bigint-over-int", "prefer-bigint-over-smallint": "A key that counts up is bigint, since integer ends at 2147483647.";
}
