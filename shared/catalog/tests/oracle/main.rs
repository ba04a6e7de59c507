//! Tests the catalog snapshot with pg_dump as the oracle.
//!
//! Creates two databases with the same schema and changes one of them. Their snapshots must differ exactly when their
//! dumps differ, except for object order and the physical order of columns, and the differences must name the changed
//! objects. `tests/corpus/*.sql` contains the schemas, `tests/corpus/mutations/*.sql` the changes to each of them, and
//! `tests/corpus/random.sql` generates changes to any schema.
//!
//! | variable | |
//! |---|---|
//! | `TEST_POSTGRES` | major version of the server, as installed by `scripts/install-postgres` |
//! | `ORACLE_ONLY` | run only cases whose title contains this |
//! | `ORACLE_ROUNDS` | number of random changes to each schema (default 3) |
//! | `ORACLE_SEED` | a seed other than the fixed one |
//! | `ORACLE_SCHEMAS` | a folder of SQL files (dumps of other projects): run random changes on these only |

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may panic, and prints what it left out"
)]

mod corpus;
mod judge;
mod normalize;
mod random;
mod scan;
mod test_server;

/// One test per schema, with its own server and its changes in sequence.
macro_rules! schemas {
    ($($schema:ident $left_out:expr;)*) => {$(
        #[test]
        fn $schema() {
            judge::all_changes(stringify!($schema), $left_out);
        }
    )*

    /// A schema without a test would never be checked.
    #[test]
    fn every_schema_has_a_test() {
        assert_eq!(corpus::schemas(), [$(stringify!($schema)),*]);
    }};
}

// The number of changes that may be left out by major version, each because a stated requirement is not met.
schemas! {
    audit |_| 0;
    events |major| 1 + usize::from(major < 17);
    extensions |_| 0;
    foreign |major| usize::from(major > 17);
    geo |major| usize::from(major < 18);
    inheritance |major| usize::from(major > 17);
    odd |_| 0;
    publications |major| match major { ..15 => 5, 15 => 2, 16 | 17 => 1, _ => 0 };
    saas |major| match major { ..15 => 2, 15 | 16 => 1, _ => 0 };
    search |major| match major { ..16 => 2, 16 => 1, _ => 0 };
    shop |major| match major { ..15 => 14, 15..18 => 7, _ => 0 };
    types |_| 0;
    views |_| 0;
}

#[test]
fn schemas_changed_at_random() {
    random::changes();
}
