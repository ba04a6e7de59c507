//! Masks secrets in text: SQL, server messages and connection strings.

use std::borrow::Cow;
use std::ops::Range;

/// The replacement of a secret.
pub const MASK: &str = "***";

/// Parts of names whose value is secret.
const WORDS: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "apikey",
    "api_key",
    "access_key",
    "private_key",
    "credential",
];

/// Complete names whose value is secret.
const NAMES: [&str; 4] = ["pass", "pwd", "pw", "bearer"];

/// Functions that take passwords or keys as arguments.
const FUNCTIONS: [&str; 7] = [
    "crypt",
    "hmac",
    "encrypt",
    "decrypt",
    "pgp_sym_encrypt",
    "pgp_sym_decrypt",
    "pgp_pub_decrypt",
];

/// Markers that start a recognizable secret, and the text that ends it; an empty end means the end of the word.
const MARKS: [(&str, &str); 3] = [
    ("scram-sha-256$", ""),
    ("private key-----", "-----end"),
    ("authorization: basic ", ""),
];

/// Replaces each secret by `***`: the literal after a secret name (`PASSWORD 'x'`, `SET a.token = $$x$$`, `password=x`), values that are
/// inserted for one (`format('PASSWORD %L', 'x')`), the arguments of functions that take keys, and the password of a URL. Keeps line
/// breaks, so that line numbers stay correct.
pub fn mask_secrets(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    let mut signs = WORDS
        .iter()
        .chain(&NAMES)
        .chain(&FUNCTIONS)
        .chain(["://", " -u ", "--user "].iter())
        .chain(MARKS.iter().map(|(mark, _)| mark));
    if !signs.any(|sign| lower.contains(sign)) {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len());
    let mut copied = 0;
    let mut at = 0;
    // Whether `at` is inside an SQL literal: a `key = value` there belongs to a connection string.
    let mut quoted = false;
    let regions = secret_regions(&lower);
    while let Some(character) = text[at..].chars().next() {
        if character == '\'' && !quoted && regions.iter().any(|region| region.contains(&at)) {
            let backslash = lower[..at].ends_with('e');
            let (from, to) = quoted_until(text, at + 1, '\'', backslash);
            masked.push_str(&text[copied..from]);
            masked.push_str(MASK);
            masked.extend(text[from..to].chars().filter(|c| *c == '\n'));
            (copied, at) = (to, text.len().min(to + 1));
            continue;
        }
        if let Some(length) = renamed(&text[at..]) {
            at += length;
            continue;
        }
        let found = if text[at..].starts_with("://") {
            url_password(
                text,
                at + 3,
                lower[..at].ends_with("http") || lower[..at].ends_with("https"),
            )
        } else if let Some(found) = marked(text, &lower, at) {
            Some(found)
        } else if is_name(character) {
            let end = name_end(text, at);
            let found = match &lower[at..end] {
                "bearer" => bearer(text, end).or_else(|| value(text, end, quoted)),
                "-u" | "--user" => user_and_password(text, end),
                name if is_secret(name) => value(text, end, quoted),
                _ => None,
            };
            at = end;
            if found.is_none() {
                continue;
            }
            found
        } else {
            None
        };
        match found {
            Some((from, to)) => {
                masked.push_str(&text[copied..from]);
                masked.push_str(MASK);
                masked.extend(text[from..to].chars().filter(|c| *c == '\n'));
                quoted ^= text[at..from].matches('\'').count() % 2 == 1;
                (copied, at) = (to, to);
            }
            None => {
                quoted ^= character == '\'';
                at += character.len_utf8();
            }
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(&text[copied..]);
    Cow::Owned(masked)
}

/// The regions where every literal is masked: the arguments of functions that take keys, the values of rows with secret columns, and
/// the statements that change the row of a secret name. Which of several values is the secret is not determined.
fn secret_regions(lower: &str) -> Vec<Range<usize>> {
    let mut regions = secret_rows(lower);
    for (at, _) in lower.match_indices('(') {
        let name = lower[..at]
            .rsplit(|c| !is_name(c))
            .next()
            .unwrap_or_default();
        let name = name.rsplit('.').next().unwrap_or_default();
        if FUNCTIONS.contains(&name) {
            regions.push(at..closing(lower, at));
        }
    }
    for (at, _) in lower.match_indices("update ") {
        let end = statement_end(lower, at);
        let literals = lower[at..end].split('\'').skip(1).step_by(2);
        let mut names = literals.filter(|literal| !literal.contains(|c| !is_name(c)));
        if names.any(is_secret) {
            regions.push(at..end);
        }
    }
    regions
}

/// The parenthesis that closes the one at `open`.
fn closing(text: &str, open: usize) -> usize {
    let (mut depth, mut quoted) = (0_usize, false);
    for (index, character) in text[open..].char_indices() {
        match character {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + index;
        }
    }
    text.len()
}

/// The end of the statement that contains `at`; a semicolon inside a literal does not end it.
fn statement_end(text: &str, at: usize) -> usize {
    let mut quoted = false;
    for (index, character) in text[at..].char_indices() {
        quoted ^= character == '\'';
        if character == ';' && !quoted {
            return at + index;
        }
    }
    text.len()
}

/// The lists of values of each `INSERT INTO t (…, password, …) VALUES (…)`.
fn secret_rows(lower: &str) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let mut at = 0;
    while let Some(found) = lower[at..].find("insert") {
        at += found + "insert".len();
        let Some(open) = lower[at..].find(['(', ';', '\'']) else {
            break;
        };
        let open = at + open;
        let Some(close) = lower[open..].find(')').map(|length| open + length) else {
            break;
        };
        let is_row = lower[open..].starts_with('(') && lower[at..].trim_start().starts_with("into");
        let has_secret = || {
            let mut columns = lower[open + 1..close].split(',');
            columns.any(|column| is_secret(column.trim().trim_matches('"')))
        };
        if !is_row || !has_secret() {
            continue;
        }
        // An escaped quote extends the region: masking too much is better than too little.
        let end = statement_end(lower, close);
        rows.push(close..end);
        at = end;
    }
    rows
}

/// Masks the row values in the detail of a violated constraint, because PostgreSQL does not name their columns and they may be secret.
/// Keeps the first value, which usually is the key.
pub fn mask_row(detail: &str) -> String {
    let (Some(open), Some(close)) = (detail.find('('), detail.rfind(')')) else {
        return detail.to_owned();
    };
    match detail
        .get(open + 1..close)
        .and_then(|row| row.split_once(", "))
    {
        Some((first, _)) => format!("{}{first}, {MASK}{}", &detail[..=open], &detail[close..]),
        None => detail.to_owned(),
    }
}

/// Masks the values of secret columns in the detail of a violated unique or foreign key, `Key (token)=(x) …`.
pub fn mask_key(detail: &str) -> String {
    let masked = detail.split_once(")=(").and_then(|(names, values)| {
        let (_, columns) = names.split_once('(')?;
        let (_, rest) = values.rsplit_once(')')?;
        let mut columns = columns.split(|c: char| !is_name(c));
        let has_secret = columns.any(is_secret_name);
        has_secret.then(|| format!("{names})=({MASK}){rest}"))
    });
    masked.unwrap_or_else(|| detail.to_owned())
}

/// The length of `--rename OLD=NEW` at the beginning of a text: names of objects, whatever they are called.
fn renamed(text: &str) -> Option<usize> {
    let names = text.strip_prefix("--rename")?.strip_prefix([' ', '='])?;
    let end = match names.strip_prefix('\'') {
        Some(names) => names.find('\'')? + 2,
        None => names.find(char::is_whitespace).unwrap_or(names.len()),
    };
    Some(text.len() - names.len() + end)
}

const fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(character, '_' | '.' | '-' | '$')
        || !character.is_ascii()
}

fn name_end(text: &str, at: usize) -> usize {
    text[at..]
        .find(|character| !is_name(character))
        .map_or(text.len(), |length| at + length)
}

/// Whether the value of something with this name is secret.
pub fn is_secret_name(name: &str) -> bool {
    is_secret(&name.to_ascii_lowercase())
}

fn is_secret(name: &str) -> bool {
    WORDS.iter().any(|word| name.contains(word))
        || NAMES
            .iter()
            .any(|whole| name.rsplit(['.', '_', '-']).next() == Some(whole))
}

/// The range of the secret that belongs to the name that ends at `at`.
fn value(text: &str, at: usize, quoted: bool) -> Option<(usize, usize)> {
    // The name may be quoted: "app.secret" in JSON, 'app.secret' in set_config.
    let closed = text[at..].starts_with(['"', '\'']);
    let start = at + usize::from(closed);
    let sign = blank(text, start);
    let rest = &text[sign..];
    let (after, assigns) = if rest.starts_with(":=") || rest.starts_with("=>") {
        (sign + 2, true)
    } else if rest.starts_with('=') || (rest.starts_with(':') && !rest.starts_with("::")) {
        (sign + 1, true)
    } else if closed && rest.starts_with(',') {
        (sign + 1, false)
    } else if rest
        .get(..2)
        .is_some_and(|to| to.eq_ignore_ascii_case("to"))
        && rest[2..].starts_with(|c: char| c.is_whitespace() || c == '\'')
    {
        (sign + 2, true)
    } else {
        (sign, false)
    };
    let from = blank(text, after);
    if let Some(inserted) = inserted(text, from) {
        return Some(inserted);
    }
    literal(text, from, assigns).or_else(|| {
        let equals = rest.starts_with('=');
        let adjacent = sign == start && from == after;
        (equals && (adjacent || quoted)).then(|| bare(text, from))?
    })
}

/// The range of values that are inserted where a secret is expected at `at`: `'PASSWORD ' || x`, `'PASSWORD %L', x`,
/// `'SET password = $1' USING x`. Extends to the last literal of the statement.
fn inserted(text: &str, at: usize) -> Option<(usize, usize)> {
    let rest = &text[at..];
    let place = rest.trim_start_matches('\'');
    let quotes = rest.len() - place.len();
    let is_placeholder = match place.as_bytes() {
        [b'%', next, ..] => next.is_ascii_alphanumeric(),
        [b'$', next, ..] => next.is_ascii_digit(),
        _ => false,
    };
    let from = if is_placeholder {
        at + quotes + 2
    } else if quotes > 0 && place.trim_start().starts_with("||") {
        at + quotes
    } else {
        return None;
    };
    let end = text[from..]
        .match_indices(';')
        .map(|(index, _)| from + index)
        .find(|index| {
            text[index + 1..]
                .chars()
                .next()
                .is_none_or(char::is_whitespace)
        })
        .unwrap_or(text.len());
    let last = from + text[from..end].rfind('\'')?;
    (last > from).then_some((from, last))
}

/// The token of `Authorization: Bearer x`. Shorter words are assumed to be prose.
fn bearer(text: &str, at: usize) -> Option<(usize, usize)> {
    let rest = text[at..].strip_prefix(' ')?;
    let token = bare(text, text.len() - rest.len())?;
    (token.1 - token.0 >= 6).then_some(token)
}

/// The password in curl's `-u user:x`.
fn user_and_password(text: &str, at: usize) -> Option<(usize, usize)> {
    let from = blank(text, at);
    let (from, end) = bare(text, from)?;
    let colon = from + text[from..end].find(':')?;
    (colon + 1 < end).then_some((colon + 1, end))
}

/// A secret that starts with a known marker.
fn marked(text: &str, lower: &str, at: usize) -> Option<(usize, usize)> {
    let (mark, end) = MARKS
        .iter()
        .find(|(mark, _)| lower[at..].starts_with(mark))?;
    let from = at + mark.len();
    if end.is_empty() {
        return bare(text, from);
    }
    let length = lower[from..].find(end).unwrap_or(text.len() - from);
    (length > 0).then_some((from, from + length))
}

/// Skips whitespace and comments.
fn blank(text: &str, mut at: usize) -> usize {
    loop {
        let rest = &text[at..];
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        let comment = if trimmed.starts_with("/*") {
            trimmed.find("*/").map(|end| end + 2)
        } else if trimmed.starts_with("--") {
            trimmed.find('\n')
        } else {
            None
        };
        match comment {
            Some(length) => at += length,
            None => return at,
        }
    }
}

/// The content of the literal that starts at `at`. An unterminated literal extends to the end of the text, because it was truncated.
fn literal(text: &str, at: usize, assigns: bool) -> Option<(usize, usize)> {
    let rest = &text[at..];
    let upper = rest.get(..2).unwrap_or_default().to_ascii_uppercase();
    if rest.starts_with("''")
        && rest[2..].starts_with(|c: char| !c.is_whitespace() && !",;)'".contains(c))
    {
        return Some(until(text, at + 2, "''"));
    }
    if rest.starts_with("\\'") {
        return Some(until(text, at + 2, "\\'"));
    }
    let lead = match upper.as_str() {
        "E'" | "N'" | "B'" | "X'" => 1,
        "U&" if rest[2..].starts_with('\'') => 2,
        _ => 0,
    };
    if rest[lead..].starts_with('\'') {
        return Some(quoted_until(text, at + lead + 1, '\'', upper == "E'"));
    }
    if assigns && rest.starts_with('"') {
        return Some(quoted_until(text, at + 1, '"', true));
    }
    let tag = rest.strip_prefix('$')?;
    let tag = &rest[..tag.find('$')? + 2];
    let is_tag = tag[1..tag.len() - 1]
        .chars()
        .all(|c| c.is_alphanumeric() || c == '_');
    is_tag.then(|| until(text, at + tag.len(), tag))
}

fn until(text: &str, from: usize, end: &str) -> (usize, usize) {
    let length = text[from..].find(end);
    (from, length.map_or(text.len(), |length| from + length))
}

fn quoted_until(text: &str, from: usize, quote: char, backslash: bool) -> (usize, usize) {
    let mut characters = text[from..].char_indices().peekable();
    while let Some((index, character)) = characters.next() {
        if character == '\\' && backslash {
            characters.next();
        } else if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            // A literal continues after a line break.
            let rest = &text[from + index + 1..];
            let next = rest.trim_start();
            let between = &rest[..rest.len() - next.len()];
            if quote == '\'' && between.contains('\n') && next.starts_with('\'') {
                let again = text.len() - next.len() + 1;
                return (from, quoted_until(text, again, quote, backslash).1);
            }
            return (from, from + index);
        }
    }
    (from, text.len())
}

/// An unquoted value, as in connection strings. An SQL expression is not one.
fn bare(text: &str, from: usize) -> Option<(usize, usize)> {
    let length = text[from..]
        .find(|c: char| c.is_whitespace() || "'\",;&)}]".contains(c))
        .unwrap_or(text.len() - from);
    (length > 0).then_some((from, from + length))
}

/// The password of a URL whose authority starts at `from`: up to the last `@`, because special characters may be unencoded. In a web
/// URL, a single value before the `@` is a token.
fn url_password(text: &str, from: usize, is_web: bool) -> Option<(usize, usize)> {
    let end = text[from..]
        .find(|c: char| c.is_whitespace() || "'\"`<>".contains(c))
        .map_or(text.len(), |length| from + length);
    let at = from + text[from..end].rfind('@')?;
    match text[from..at].find(':') {
        Some(colon) => (from + colon + 1 < at).then_some((from + colon + 1, at)),
        None => (is_web && from < at && !text[from..at].contains('/')).then_some((from, at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_secret_name_is_masked() {
        for (text, masked) in [
            (
                "CREATE ROLE a PASSWORD 'x''y' LOGIN",
                "CREATE ROLE a PASSWORD '***' LOGIN",
            ),
            (
                "alter user a encrypted password E'x\\'y';",
                "alter user a encrypted password E'***';",
            ),
            (
                "PASSWORD /* it */\n  $p$x\ny$p$ z",
                "PASSWORD /* it */\n  $p$***\n$p$ z",
            ),
            ("PASSWORD U&'x'", "PASSWORD U&'***'"),
            (
                "OPTIONS (user 'u', password 'x')",
                "OPTIONS (user 'u', password '***')",
            ),
            (
                "CONNECTION 'host=h password=x dbname=d'",
                "CONNECTION 'host=h password=*** dbname=d'",
            ),
            (
                "CONNECTION 'password = x dbname=d'",
                "CONNECTION 'password = *** dbname=d'",
            ),
            (
                "dblink('password=''x y'' user=u')",
                "dblink('password=''***'' user=u')",
            ),
            ("SET app.api_key = 'x'", "SET app.api_key = '***'"),
            (
                "SET app.client_secret TO 'x'",
                "SET app.client_secret TO '***'",
            ),
            (
                "set_config('app.secret', 'x', true)",
                "set_config('app.secret', '***', true)",
            ),
            ("SET \"app.token\" = 'x'", "SET \"app.token\" = '***'"),
            (
                "UPDATE u SET password_hash = 'x' WHERE id = 1",
                "UPDATE u SET password_hash = '***' WHERE id = 1",
            ),
            ("{\"token\": \"x\"}", "{\"token\": \"***\"}"),
            (
                "CREATE ROLE a PASSWORD 'cut off",
                "CREATE ROLE a PASSWORD '***",
            ),
            ("postgres://u:x/y@z@h:1/d", "postgres://u:***@h:1/d"),
            (
                "'postgres://u:p@h' and password=x",
                "'postgres://u:***@h' and password=***",
            ),
            (
                "PGPASSWORD=x DB_PASSWORD=y",
                "PGPASSWORD=*** DB_PASSWORD=***",
            ),
            (
                "psql 'password=xy' --rename a.password=b.token password=y",
                "psql 'password=***' --rename a.password=b.token password=***",
            ),
            ("é PASSWORD 'é'", "é PASSWORD '***'"),
            ("PASSWORD 'x'\n  'y' LOGIN", "PASSWORD '***\n' LOGIN"),
            (
                "EXECUTE 'ALTER ROLE a PASSWORD ' || quote_literal('x') || ' LOGIN'; SELECT 'y'",
                "EXECUTE 'ALTER ROLE a PASSWORD '***'; SELECT 'y'",
            ),
            (
                "format('ALTER ROLE a PASSWORD %L', 'x'); SELECT 'y'",
                "format('ALTER ROLE a PASSWORD %L***'); SELECT 'y'",
            ),
            (
                "format('password=%s user=u', 'x')",
                "format('password=%s***')",
            ),
            (
                "EXECUTE 'UPDATE u SET password = $1' USING 'x'",
                "EXECUTE 'UPDATE u SET password = $1***'",
            ),
            (
                "SELECT 1, crypt('x', gen_salt('bf')), 'y'",
                "SELECT 1, crypt('***', gen_salt('***')), 'y'",
            ),
            ("pgp_sym_encrypt(body, 'x')", "pgp_sym_encrypt(body, '***')"),
            (
                "UPDATE cfg SET value = 'x' WHERE key = 'smtp_password'; SELECT 'y'",
                "UPDATE cfg SET value = '***' WHERE key = '***'; SELECT 'y'",
            ),
            (
                "curl -u user:x -H \"Authorization: Bearer abcdef\" https://token@h/p",
                "curl -u user:*** -H \"Authorization: Bearer ***\" https://***@h/p",
            ),
            ("'SCRAM-SHA-256$4096:x==$y=:z='", "'SCRAM-SHA-256$***'"),
            (
                "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----",
                "-----BEGIN PRIVATE KEY-----***\n\n-----END PRIVATE KEY-----",
            ),
        ] {
            assert_eq!(mask_secrets(text), masked);
        }
    }

    #[test]
    fn the_values_of_a_row_with_a_secret_are_masked() {
        for (text, masked) in [
            (
                "INSERT INTO u (id, password) VALUES (1, 'x''y'), (2, E'z');\nSELECT 'a'",
                "INSERT INTO u (id, password) VALUES (1, '***'), (2, E'***');\nSELECT 'a'",
            ),
            (
                "insert into \"u\" (\"api_key\") select 'x'",
                "insert into \"u\" (\"api_key\") select '***'",
            ),
            (
                "INSERT INTO u (name) VALUES ('a'); -- no password",
                "INSERT INTO u (name) VALUES ('a'); -- no password",
            ),
        ] {
            assert_eq!(mask_secrets(text), masked);
        }
        assert_eq!(
            mask_row("Failing row contains (7, a, x (y))."),
            "Failing row contains (7, ***)."
        );
        assert_eq!(
            mask_row("Failing row contains (7)."),
            "Failing row contains (7)."
        );
        assert_eq!(
            mask_key("Key (id, lower(token))=(1, x) already exists."),
            "Key (id, lower(token))=(***) already exists."
        );
        assert_eq!(
            mask_key("Key (id)=(1) already exists."),
            "Key (id)=(1) already exists."
        );
    }

    #[test]
    fn other_text_is_not_masked() {
        for text in [
            "password authentication failed for user \"a\"",
            "ALTER ROLE a PASSWORD NULL",
            "CREATE TABLE tokens (password text NOT NULL)",
            "COMMENT ON COLUMN u.password IS 'a hash'",
            "WHERE a.token = b.token",
            "token::text",
            "postgres://u@h:5432/d, https://h/a:b",
            "compass = north",
            "the bearer of it, a basic role, psql -u",
            "UPDATE u SET a = 'b' WHERE c = 'd'",
            "password",
            "next: orchestrator generate auth --rename public.users.password=secret_hash --rename 'a.\"Token\"=b.token' --draft",
            "",
        ] {
            assert_eq!(mask_secrets(text), text);
        }
    }
}
