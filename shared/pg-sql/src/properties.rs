//! Property tests of splitting and classification. Single cases are beside the code.

use proptest::prelude::*;

use super::lexer::{Lexer, TokenKind};
use super::{
    Name, Statement, StatementKind, classify, leading_comment_lines, position_at,
    position_of_character, split,
};

/// Fragments that open, close and end constructs, in any order.
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

/// Whole statements, each of which must be returned unchanged.
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

/// Statements that must be distinguished, and some that only look similar.
fn kinds() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "begin isolation level serializable",
        "start transaction",
        "commit work and chain",
        "rollback to savepoint a",
        "release a",
        "prepare transaction 'x'",
        "set local lock_timeout = '1s'",
        "reset all",
        "copy s.t (a, b) from stdin with (format csv)",
        "copy (select 1) to stdout",
        "cluster verbose",
        "create unique index concurrently if not exists \"I\" on only s.t using gin (a, lower(b))",
        "create index concurrently on t(a)",
        "create subscription s connection 'x' publication p with (connect = false)",
        "drop index concurrently if exists s.i, j cascade",
        "reindex (verbose, concurrently on) table s.t",
        "reindex index concurrently i",
        "alter table only s.t detach partition p.q concurrently",
        "alter table t detach partition q finalize",
        "alter type s.e add value if not exists U&'d!0061' uescape '!' before 'c'",
        "alter database d set tablespace x",
        "alter system reset all",
        "vacuum (full) t",
        "discard all",
        "alter table t drop column c, alter d type int using d::int",
        "delete from t",
        "with x as (delete from t where a) update u set b = 1",
        "truncate t, u",
        "select 'begin', $$commit$$, E'a\\'' as \"end\", a<=b",
    ])
}

/// Anything that may separate two tokens.
fn blanks() -> impl Strategy<Value = String> {
    let blank = prop::sample::select(vec![
        " ",
        "\n",
        "\t",
        "\r\n",
        "\u{c}",
        "/* ; */",
        "/* /* ' */ \" $$ */",
        "-- it's ;\n",
        "--\r",
    ]);
    prop::collection::vec(blank, 1..3).prop_map(|blanks| blanks.concat())
}

fn identifiers() -> impl Strategy<Value = String> {
    let longest = prop_oneof!["[a-z_][a-z0-9_]{0,9}", "\\PC{1,12}", "[\"\\$ ;'é.]{1,9}"];
    let keywords = prop::sample::select(vec![
        "on",
        "only",
        "if",
        "exists",
        "concurrently",
        "select",
        "u&",
        "e",
    ]);
    prop_oneof![longest, keywords.prop_map(str::to_owned)]
}

fn is_blank(text: &str) -> bool {
    split(text).is_ok_and(|statements| statements.is_empty())
}

/// More cases than elsewhere, because each is fast.
fn cases() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases.saturating_mul(4),
        ..config
    }
}

/// The kind of a statement, without the text in it.
fn kind_alone(statement: &Statement<'_>) -> StatementKind {
    let mut kind = classify(statement);
    if let StatementKind::CreateIndexConcurrently { definition, .. } = &mut kind {
        definition.clear();
    }
    kind
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn nothing_panics_and_statement_offsets_are_correct(text in texts(), index in 0_usize..200) {
        position_at(&text, index);
        let comments_are_there = leading_comment_lines(&text).all(|(line, comment)| {
            let whole = text.split('\n').nth(line as usize - 1);
            whole.is_some_and(|whole| whole.contains(comment))
        });
        prop_assert!(comments_are_there);
        match split(&text) {
            Ok(statements) => {
                let mut end = 0;
                let mut has_data = false;
                for statement in &statements {
                    prop_assert!(statement.offset >= end);
                    // The data after COPY … FROM STDIN belongs to no statement.
                    prop_assert!(has_data || is_blank(&text[end..statement.offset]));
                    prop_assert!(!statement.text.is_empty());
                    end = statement.offset + statement.text.len();
                    prop_assert_eq!(&text[statement.offset..end], statement.text);
                    has_data = classify(statement) == StatementKind::CopyFromStdin;
                }
                prop_assert!(has_data || is_blank(&text[end..]));
            }
            Err(error) => prop_assert!(text.is_char_boundary(error.offset) && error.offset < text.len()),
        }
    }

    #[test]
    fn classification_accepts_any_text(text in texts()) {
        let statement = Statement { text: &text, offset: 0 };
        classify(&statement);
    }

    #[test]
    fn splitting_again_changes_nothing(text in texts()) {
        let Ok(statements) = split(&text) else { return Ok(()) };
        prop_assume!(statements.iter().all(|statement| classify(statement) != StatementKind::CopyFromStdin));
        let once: Vec<_> = statements.iter().map(|statement| statement.text).collect();
        // The space keeps a byte order mark from being first, where it would be skipped.
        let joined = format!(" {}", once.join(";\n"));
        let twice: Vec<_> = split(&joined).unwrap().iter().map(|statement| statement.text).collect();
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn whole_statements_are_returned_unchanged(
        expected in statements(),
        between in prop::collection::vec(separators(), 8),
    ) {
        let mut sql = String::new();
        for (statement, separator) in expected.iter().zip(&between) {
            sql.push_str(statement);
            sql.push_str(separator);
        }
        let found: Vec<_> = split(&sql).unwrap().iter().map(|statement| statement.text).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn character_positions_are_the_inverse_of_counting(text in any::<String>()) {
        for (index, (offset, _)) in text.char_indices().enumerate() {
            prop_assert_eq!(position_of_character(&text, index as u32 + 1), Some(offset));
        }
    }

    #[test]
    fn white_space_and_case_do_not_change_the_kind(text in kinds(), blanks in prop::collection::vec(blanks(), 32), flips in any::<u64>()) {
        let mut lexer = Lexer::new(text);
        let mut other = String::new();
        let mut between = blanks.iter().cycle();
        for index in 0.. {
            let Some(token) = lexer.next_token().unwrap() else { break };
            match token.kind {
                TokenKind::Word if flips >> (index % 64) & 1 == 1 => other.push_str(&token.text.to_ascii_uppercase()),
                _ => other.push_str(token.text),
            }
            other.push_str(between.next().unwrap());
        }
        let (one, other) = (Statement { text, offset: 0 }, split(&other).unwrap()[0]);
        prop_assert_eq!(kind_alone(&other), kind_alone(&one), "{}", other.text);
    }

    #[test]
    fn a_printed_name_parses_to_itself(schema in prop::option::of(identifiers()), name in identifiers()) {
        let name = Name { schema, name };
        prop_assume!(name.name.len() < 64 && name.schema.as_ref().is_none_or(|schema| schema.len() < 64));
        let text = format!("reindex index concurrently {name}");
        let again = split(&text).unwrap();
        prop_assert_eq!(again.len(), 1);
        let target = super::ReindexTarget::Index(name);
        prop_assert_eq!(classify(&again[0]), StatementKind::ReindexConcurrently { target });
    }
}
