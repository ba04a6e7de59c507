//! What holds for every text, tried on random ones.
//!
//! Responsible for: the properties of splitting and classifying that no table of cases can show.
//! Not for: single cases, which stand beside the code.
//! Floor 0: tests only.

use proptest::prelude::*;

use super::{
    StatementKind, classify, file_hazards, hazards, leading_comment_lines, position_at,
    position_of_character, split,
};

/// Scraps that open, close and end things, in any order.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop::sample::select(vec![
        "'",
        "''",
        "E'",
        "U&'",
        "\\",
        "\\'",
        "\"",
        "U&\"",
        "$$",
        "$a$",
        "$b",
        "$1",
        "--",
        "/*",
        "*/",
        "\n",
        "\r\n",
        " ",
        ";",
        ";\n",
        "(",
        ")",
        ",",
        ".",
        "a",
        "é",
        "1",
        "e",
        "+",
        "-",
        "\u{feff}",
        "begin",
        " atomic ",
        "end",
        "case ",
        "create function f() ",
        "create or replace procedure ",
        "copy t from stdin",
        "\\.\n",
        "select ",
        "reindex (concurrently",
        "create index concurrently ",
        "alter type t add value ",
        " uescape '!'",
        "alter table t drop ",
        "with x as (delete from t",
        "update t set ",
        " where ",
        "drop index ",
        "on ",
        "only ",
    ]);
    prop::collection::vec(scrap, 0..24).prop_map(|scraps| scraps.concat())
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![scraps(), any::<String>()]
}

/// Whole statements, each of which must come back as it is.
fn statements() -> impl Strategy<Value = Vec<&'static str>> {
    let statement = prop::sample::select(vec![
        "select ';'",
        "select E'\\';' as \"a;b\"",
        "do $$ begin; end $$",
        "select $a$ ; $$ ; $b$ $a$",
        "create function f() returns int begin atomic select case when a then 1 end; select 1 as end; end",
        "create rule r as on insert to t do also (select 1; select 2)",
        "select 1 /* ; /* ' */ */ + 2 -- ; it's\n + 3",
        "begin",
        "end",
        "select a$b$c, $1",
        "select 'a'\n'b;'",
    ]);
    prop::collection::vec(statement, 0..8)
}

fn separators() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        ";",
        " ;; ",
        ";\r\n",
        "; -- it's ;\n",
        "/* ( */;/* ; /* */ $$ */",
        "\n--\n;\n;",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_panics_and_statements_lie_where_they_say(text in texts(), index in 0_usize..200) {
        position_at(&text, index);
        let comments_are_there = leading_comment_lines(&text).all(|(line, comment)| {
            let whole = text.split('\n').nth(line as usize - 1);
            whole.is_some_and(|whole| whole.contains(comment))
        });
        prop_assert!(comments_are_there);
        match split(&text) {
            Ok(statements) => {
                let mut end = 0;
                for statement in &statements {
                    prop_assert!(statement.offset >= end);
                    prop_assert!(!statement.text.is_empty());
                    end = statement.offset + statement.text.len();
                    prop_assert_eq!(&text[statement.offset..end], statement.text);
                    classify(statement);
                    hazards(statement);
                }
                file_hazards(&statements);
            }
            Err(error) => prop_assert!(text.is_char_boundary(error.offset) && error.offset < text.len()),
        }
    }

    #[test]
    fn classification_takes_any_text(text in texts()) {
        let statement = super::Statement { text: &text, offset: 0 };
        classify(&statement);
        hazards(&statement);
    }

    #[test]
    fn splitting_again_changes_nothing(text in texts()) {
        let Ok(statements) = split(&text) else { return Ok(()) };
        prop_assume!(statements.iter().all(|statement| classify(statement) != StatementKind::CopyFromStdin));
        let once: Vec<_> = statements.iter().map(|statement| statement.text).collect();
        // The space keeps a byte order mark from standing first, where it would be passed over.
        let joined = format!(" {}", once.join(";\n"));
        let twice: Vec<_> = split(&joined).unwrap().iter().map(|statement| statement.text).collect();
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn whole_statements_come_back(
        wanted in statements(),
        between in prop::collection::vec(separators(), 8),
    ) {
        let mut sql = String::new();
        for (statement, separator) in wanted.iter().zip(&between) {
            sql.push_str(statement);
            sql.push_str(separator);
        }
        let found: Vec<_> = split(&sql).unwrap().iter().map(|statement| statement.text).collect();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn character_positions_are_the_inverse_of_counting(text in any::<String>()) {
        for (index, (offset, _)) in text.char_indices().enumerate() {
            prop_assert_eq!(position_of_character(&text, index as u32 + 1), Some(offset));
        }
    }
}
