//! Any file is linted without a panic.

use std::path::Path;
use std::sync::Arc;

use domain::{Checksum, Direction, Directives, Migration, Script, Service, Version};
use proptest::prelude::*;
use time::OffsetDateTime;

use super::{ExistingRelations, findings};
use crate::rules::RULES;
use crate::{FirstMentions, LintContext, LintedFile, Model, RemainingKeys, steps};

fn script(text: &str) -> Script {
    Script {
        path: "x.sql".to_owned(),
        text: Arc::from(text),
        directives: Directives::default(),
    }
}

/// Lints a migration and its revert.
fn read(up: &str, down: &str) {
    let migration = |version| Migration {
        version: Version::new(version),
        name: "x".to_owned(),
        checksum: Checksum::new(0),
        script: script(up),
        revert: Some(script(down)),
    };
    let service = Service {
        name: "shop".parse().expect("a name"),
        database: "shop".to_owned(),
        depends_on: Vec::new(),
        history_table: None,
        legacy_table: None,
        description: None,
        owner: None,
        path: Path::new("shop/service.toml").display().to_string(),
        migrations: vec![migration(1), migration(2)],
    };
    let mut existing = ExistingRelations::default();
    for migration in &service.migrations {
        let up = LintedFile::read(migration, Direction::Up).expect("a file");
        let down = LintedFile::read(migration, Direction::Down);
        let steps_of = steps;
        let steps = steps_of(&up);
        let revert = down.as_ref().map(steps_of);
        let context = LintContext {
            file: &up,
            steps: &steps,
            revert: revert.as_deref(),
            before: &Model::default(),
            at_end: &Model::default(),
            remaining_keys: &RemainingKeys::default(),
            number: 0,
            first_mentions: &FirstMentions::default(),
            now: OffsetDateTime::UNIX_EPOCH,
        };
        for draft in findings(&context, down.as_ref(), &mut existing, 14) {
            let Some(range) = draft.range else { continue };
            assert!(
                range.start <= range.end && range.end <= draft.script.text.len(),
                "{range:?}"
            );
            assert!(
                draft.script.text.get(range.clone()).is_some(),
                "{range:?} cuts a character"
            );
            pg_sql::position_at(&draft.script.text, range.end);
        }
    }
}

/// Pieces of SQL, complete and truncated.
const PIECES: &str = "ALTER|TABLE|CREATE|INDEX|DROP|ADD|COLUMN|CONSTRAINT|CHECK|NOT|VALID|NULL|DEFAULT|UNIQUE|PRIMARY|\
    KEY|FOREIGN|REFERENCES|ON|IF|EXISTS|CONCURRENTLY|RENAME|TO|TYPE|DOMAIN|VIEW|AS|SELECT|INTO|FROM|\
    SET|UPDATE|TRUNCATE|CASCADE|DO|FUNCTION|LANGUAGE|plpgsql|BEGIN|END|VALIDATE|GENERATED|ALWAYS|\
    STORED|IDENTITY|PARTITION|DETACH|serial|int|users|\"Ü b\"|U&\"\\00e9\"|'it''s'|E'\\|$$|$a$|(|)|\
    ,|;|--|/*|\u{1F600}é";

proptest! {
    #[test]
    fn any_text_is_read(up in ".{0,200}", down in "\\PC{0,80}") {
        read(&up, &down);
    }

    #[test]
    fn any_order_of_words_is_read(words in prop::collection::vec((prop::sample::select(PIECES.split('|').collect::<Vec<_>>()), prop::sample::select(vec![" ", "\n", "", "\t"])), 0..60)) {
        let text: String = words.into_iter().flat_map(|(piece, blank)| [piece, blank]).collect();
        read(&text, &text);
    }

    #[test]
    fn truncated_page_examples_are_read(family in 0..RULES.len(), rule in any::<prop::sample::Index>(), from in any::<prop::sample::Index>(), length in 0_usize..400) {
        let rules = RULES[family];
        let page = rules[rule.index(rules.len())].page;
        let from = page.floor_char_boundary(from.index(page.len()));
        let to = page.floor_char_boundary((from + length).min(page.len()));
        read(&page[from..to], "");
    }
}
