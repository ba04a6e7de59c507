//! Any text: split into statements that cover it, or refused with a position in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pg_sql::{
    Name, ReindexTarget, Statement, StatementKind, classify, leading_comment_lines, position_at,
    position_of_character, runnable, split,
};

fuzz_target!(|text: &str| {
    for (line, comment) in leading_comment_lines(text) {
        let whole = text.split('\n').nth(line as usize - 1);
        assert!(whole.is_some_and(|whole| whole.contains(comment)));
    }
    let statement = Statement { text, offset: 0 };
    classify(&statement);
    match split(text) {
        Ok(statements) => covers(text, &statements),
        Err(error) => {
            assert!(text.is_char_boundary(error.offset) && error.offset < text.len());
            position_at(text, error.offset);
        }
    }
});

fn covers(text: &str, statements: &[Statement<'_>]) {
    let mut end = 0;
    let mut has_data = false;
    for statement in statements {
        // The data after COPY … FROM STDIN belongs to no statement.
        assert!(has_data || is_blank(&text[end..statement.offset]));
        end = statement.offset + statement.text.len();
        assert_eq!(&text[statement.offset..end], statement.text);
        let characters = text[..statement.offset].chars().count();
        let character = u32::try_from(characters + 1).expect("a short text");
        assert_eq!(
            position_of_character(text, character),
            Some(statement.offset)
        );
        position_at(text, statement.offset);
        let kind = classify(statement);
        has_data = kind == StatementKind::CopyFromStdin;
        stays_itself(statement, &kind);
        names_are_read_back(&kind);
    }
    assert!(has_data || is_blank(&text[end..]));
    let offset = match runnable(text, false) {
        Ok(outside) => outside.last().map_or(0, |(offset, _)| *offset),
        Err(refused) => refused.offset,
    };
    assert!(text.is_char_boundary(offset));
}

fn is_blank(text: &str) -> bool {
    split(text).is_ok_and(|statements| statements.is_empty())
}

fn stays_itself(statement: &Statement<'_>, kind: &StatementKind) {
    // The space keeps a byte order mark from being first, where it would be skipped.
    let alone = format!(" {};", statement.text);
    let again = split(&alone).expect("a statement is a text of one statement");
    assert_eq!(again.len(), 1, "{alone:?}");
    assert_eq!(again[0].text, statement.text);
    assert_eq!(classify(&again[0]), *kind);
}

/// Names print as SQL with the same meaning.
fn names_are_read_back(kind: &StatementKind) {
    let names: Vec<&Name> = match kind {
        StatementKind::CreateIndexConcurrently { index, table, .. } => {
            index.iter().chain([table]).collect()
        }
        StatementKind::DropIndexConcurrently { indexes, .. } => indexes.iter().collect(),
        StatementKind::ReindexConcurrently {
            target: ReindexTarget::Index(name) | ReindexTarget::Table(name),
        } => vec![name],
        StatementKind::DetachPartitionConcurrently {
            table, partition, ..
        } => vec![table, partition],
        StatementKind::AddEnumValue { type_name, .. } => vec![type_name],
        _ => Vec::new(),
    };
    for name in names {
        let text = format!("DROP INDEX CONCURRENTLY {name}");
        let statement = Statement {
            text: &text,
            offset: 0,
        };
        let expected = StatementKind::DropIndexConcurrently {
            indexes: vec![name.clone()],
            if_exists: false,
        };
        assert_eq!(classify(&statement), expected, "{text}");
    }
}
