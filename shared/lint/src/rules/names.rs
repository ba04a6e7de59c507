//! Names that PostgreSQL truncates or rejects.

use squawk_linter::Rule as Squawk;

use super::{OnceDropped, rule};
use crate::load::{Adopted, Scope};

rule! {
    DUPLICATE_ASSIGNMENT = Error "duplicate-assignment": "Name a column only once in CREATE TABLE, SET and the column list of INSERT." {
        adopted: &[Adopted::new(
            &[Squawk::BanDuplicateColumnAssignments], Scope::Any,
            "the column is specified twice, which PostgreSQL rejects", "",
        )],
    };
    IDENTIFIER_TOO_LONG = Warning "identifier-too-long": "Keep names within 63 bytes; PostgreSQL truncates longer ones." {
        once_dropped: OnceDropped::Moot,
        adopted: &[Adopted::new(
            &[Squawk::IdentifierTooLong], Scope::New,
            "the name is longer than 63 bytes; PostgreSQL truncates it", "",
        )],
    };
}
