//! pg_dump as the oracle of the catalog snapshot.
//!
//! Two databases are made of the same schema, and one of them is changed. The snapshots of the two must differ
//! exactly when what pg_dump writes of them differs, object order and the physical order of columns aside, and the
//! differences must name what was changed. `tests/corpus/*.sql` are the schemas, `tests/corpus/mutations/*.sql` the
//! changes to each of them, and `tests/corpus/random.sql` makes changes to a schema that nobody has seen before.
//!
//! | variable | |
//! |---|---|
//! | `TEST_POSTGRES` | the major version of the server: one that `scripts/install-postgres` fetched |
//! | `ORACLE_ONLY` | only cases whose title contains this |
//! | `ORACLE_ROUNDS` | random changes to each schema (3) |
//! | `ORACLE_SEED` | another seed than the fixed one |
//! | `ORACLE_SCHEMAS` | a folder of SQL files (dumps of other projects): only these are changed at random |

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may panic, and says what it left out"
)]

mod corpus;
mod judge;
mod laboratory;
mod normalise;
mod random;
mod scan;

/// One test for each schema: its own server, its changes one after the other.
macro_rules! schemas {
    ($($schema:ident $left_out:expr;)*) => {$(
        #[test]
        fn $schema() {
            judge::all_changes(stringify!($schema), $left_out);
        }
    )*

    /// A schema without a test would never be looked at.
    #[test]
    fn every_schema_has_a_test() {
        assert_eq!(corpus::schemas(), [$(stringify!($schema)),*]);
    }};
}

// How many changes may be left out, each because it says to need something that is not there, by major version.
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
