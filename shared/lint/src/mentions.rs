//! The names in a piece of SQL that is not analyzed further: the body of a view, a condition, a block.

/// A piece of SQL that can be searched for names.
#[derive(Clone, Debug)]
pub struct Mentions {
    text: String,
    /// The text in lower case.
    folded: String,
}

impl Mentions {
    /// Wraps a piece of SQL.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            folded: text.to_ascii_lowercase(),
            text,
        }
    }

    /// Whether the name occurs as a whole word; case is ignored for names that need no quotes.
    pub fn names(&self, name: &str) -> bool {
        let folds = !name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase());
        let text = if folds { &self.folded } else { &self.text };
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        text.match_indices(name).any(|(at, _)| {
            !text[..at].ends_with(is_part) && !text[at + name.len()..].starts_with(is_part)
        })
    }

    /// Whether all columns of a relation are selected: `SELECT *`, `t.*`.
    pub fn names_all_columns(&self) -> bool {
        let text: String = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text = text.to_ascii_lowercase();
        text.contains("select *") || text.contains(".*") || text.contains(", *")
    }

    /// The piece of SQL.
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::Mentions;

    #[test]
    fn names_are_whole_words() {
        let text = Mentions::new("SELECT Users.\"createdAt\", count(*) FROM users_old");
        assert!(text.names("users"));
        assert!(text.names("createdAt"));
        assert!(!text.names("created"));
        assert!(!text.names("old"));
        assert!(!text.names_all_columns());
        assert!(Mentions::new("select\n  * from t").names_all_columns());
    }
}
