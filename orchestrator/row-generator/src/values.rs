//! Generates a value of every type.
//!
//! The values are distinct, and the same in every run and in every table, so that references without a foreign key also
//! match. `search` handles checks.

use super::types::{Type, Typed, Types};

/// A request for a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want<'a> {
    /// The type of the value.
    pub typed: Typed,
    /// The name of the column, which hints at the kind of a text.
    pub column: &'a str,
    /// The index of the value, from 0.
    pub ordinal: usize,
    /// Whether the value should be long, with many digits.
    pub demanding: bool,
}

/// The longest text for a type without a length limit.
const LONG: usize = 200;

impl Types {
    /// A value in the text format of the type; `None` if none is known.
    pub fn value(&self, want: Want<'_>) -> Option<String> {
        let found = self.get(want.typed.oid)?;
        if let Some(known) = self.known(found.oid) {
            return known.get(want.ordinal % known.len().max(1)).cloned();
        }
        match found.kind {
            'd' => self.value(Want {
                typed: self.base(want.typed),
                ..want
            }),
            'e' => found
                .labels
                .get(want.ordinal % found.labels.len().max(1))
                .cloned(),
            'c' => self.composite(found, want),
            'r' => self.range(found, want),
            'm' => Some(format!("{{{}}}", self.range(found, want)?)),
            'b' if found.array && found.element != 0 && !is_vector(found) => {
                self.array(found, want)
            }
            'b' => base(found, want),
            _ => None,
        }
    }

    fn composite(&self, found: &Type, want: Want<'_>) -> Option<String> {
        let parts = found
            .attributes
            .iter()
            .map(|(oid, typmod)| {
                let typed = Typed {
                    oid: *oid,
                    typmod: *typmod,
                };
                let value = self.value(Want {
                    typed,
                    column: "",
                    ..want
                })?;
                Some(within_quotes(&value))
            })
            .collect::<Option<Vec<_>>>()?;
        Some(format!("({})", parts.join(",")))
    }

    fn range(&self, found: &Type, want: Want<'_>) -> Option<String> {
        let bound = |ordinal| {
            self.value(Want {
                typed: Typed {
                    oid: found.subtype,
                    typmod: -1,
                },
                column: "",
                ordinal,
                demanding: false,
            })
        };
        let low = bound(want.ordinal * 4 + 10)?;
        let high = bound(want.ordinal * 4 + 12)?;
        Some(format!(
            "[{},{})",
            within_quotes(&low),
            within_quotes(&high)
        ))
    }

    fn array(&self, found: &Type, want: Want<'_>) -> Option<String> {
        let element = |ordinal| {
            self.value(Want {
                typed: Typed {
                    oid: found.element,
                    typmod: want.typed.typmod,
                },
                ordinal,
                ..want
            })
        };
        let mut elements = vec![within_quotes(&element(want.ordinal)?)];
        if want.demanding {
            elements.push(within_quotes(&element(want.ordinal + 1)?));
        }
        let delimiter = self
            .get(found.element)
            .map_or(',', |element| element.delimiter);
        Some(format!(
            "{{{}}}",
            elements.join(delimiter.to_string().as_str())
        ))
    }
}

/// `int2vector` and `oidvector` are arrays in the catalog, but have another text format.
fn is_vector(found: &Type) -> bool {
    found.built_in && matches!(found.name.as_str(), "int2vector" | "oidvector")
}

/// A value within an array, a composite or a range.
pub(super) fn within_quotes(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whether a column's name suggests an identifier.
fn is_reference(column: &str) -> bool {
    column == "id" || column.ends_with("Id") || column.ends_with("_id") || column.ends_with("ID")
}

fn uuid(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// A value of a base type.
fn base(found: &Type, want: Want<'_>) -> Option<String> {
    let number = want.ordinal + 1;
    let demanding = want.demanding && !is_reference(want.column);
    let big = |plain: usize, more: usize| {
        if demanding {
            (plain + more).to_string()
        } else {
            plain.to_string()
        }
    };
    let day = date(want.ordinal);
    let clock = format!(
        "{:02}:{:02}:07.{}",
        want.ordinal / 60 % 24,
        want.ordinal % 60,
        123_456
    );
    let value = match found.name.as_str() {
        "text" | "citext" | "varchar" | "bpchar" | "name" | "refcursor" => {
            text(want, bound(found, want.typed.typmod))
        }
        "char" if found.built_in => letter(want.ordinal).to_string(),
        "bool" => (want.ordinal.is_multiple_of(2)).to_string(),
        "int2" => big(number, 300),
        "int4" => big(number, 70_000),
        "int8" => big(number, 5_000_000_000),
        "numeric" => numeric(want.typed.typmod, want.ordinal, demanding),
        "float4" => format!("{number}.25"),
        "float8" if demanding => format!("{number}.0123456789"),
        "float8" => format!("{number}.5"),
        "money" => format!("{number}.25"),
        "date" => day,
        "timestamp" => format!("{day} {clock}"),
        "timestamptz" => format!("{day} {clock}+00"),
        "time" => clock,
        "timetz" => format!("{clock}+00"),
        "interval" => interval(want.typed.typmod, number),
        "uuid" => uuid(number),
        "json" | "jsonb" => format!("{{\"n\": {number}, \"key\": [\"value {number}\"]}}"),
        "xml" => format!("<a n=\"{number}\">value</a>"),
        "bytea" => format!("\\x00ff{:04x}", number % 65_536),
        "inet" => format!("192.0.{}.{}", number / 250 + 2, number % 250 + 1),
        "cidr" => format!("192.0.{}.{}/32", number / 250 + 2, number % 250 + 1),
        "macaddr" => format!(
            "08:00:2b:01:{:02x}:{:02x}",
            number / 256 % 256,
            number % 256
        ),
        "macaddr8" => {
            format!(
                "08:00:2b:01:02:03:{:02x}:{:02x}",
                number / 256 % 256,
                number % 256
            )
        }
        "bit" | "varbit" => bits(want.typed.typmod, number),
        "tsvector" => format!("'fat':1 'rat{number}':2"),
        "tsquery" => format!("'fat' & 'rat{number}'"),
        "point" => format!("({number},{number}.5)"),
        "line" => format!("{{1,-1,{number}}}"),
        "lseg" => format!("[(0,0),({number},{number})]"),
        "box" => format!("({},{}),({},{})", number * 10 + 5, 5, number * 10, 0),
        "path" => format!("((0,0),({number},0),(0,{number}))"),
        "polygon" => format!("((0,0),({number},0),(0,{number}))"),
        "circle" => format!("<({},0),2>", number * 10),
        "pg_lsn" => format!("0/{:X}", 0x1600_0000 + number),
        "txid_snapshot" | "pg_snapshot" => format!("{number}:{}:", number + 5),
        "oid" | "xid" | "xid8" | "cid" => number.to_string(),
        "tid" => format!("(0,{number})"),
        "int2vector" | "oidvector" => format!("{number} {}", number + 1),
        "jsonpath" => format!("$.\"key{number}\""),
        "regclass" => "pg_class".to_owned(),
        "regtype" => "integer".to_owned(),
        "regproc" => "current_database".to_owned(),
        "regprocedure" => "abs(integer)".to_owned(),
        "regoper" => "pg_catalog.||/".to_owned(),
        "regoperator" => "+(integer,integer)".to_owned(),
        "regconfig" => "english".to_owned(),
        "regdictionary" => "simple".to_owned(),
        "regnamespace" => "pg_catalog".to_owned(),
        "regcollation" => "\"C\"".to_owned(),
        "regrole" => "pg_monitor".to_owned(),
        "aclitem" => "=r/pg_monitor".to_owned(),
        "hstore" => format!("\"key\"=>\"value {number}\""),
        "ltree" => format!("top.branch{number}"),
        "lquery" => format!("top.*.branch{number}"),
        "ltxtquery" => format!("top & branch{number}"),
        "cube" => format!("({number})"),
        "seg" => number.to_string(),
        _ => return None,
    };
    Some(value)
}

/// The days of 2024, from January 1, the first 28 of each month.
fn date(ordinal: usize) -> String {
    format!(
        "{}-{:02}-{:02}",
        2024 + ordinal / 336,
        ordinal / 28 % 12 + 1,
        ordinal % 28 + 1
    )
}

/// The maximum length of a text.
fn bound(found: &Type, typmod: i32) -> Option<usize> {
    match found.name.as_str() {
        "name" => Some(63),
        "varchar" | "bpchar" if typmod >= 4 => usize::try_from(typmod - 4).ok(),
        // `bpchar` without a length has no limit.
        _ => None,
    }
}

fn letter(ordinal: usize) -> char {
    char::from(b'a' + u8::try_from(ordinal % 26).unwrap_or_default())
}

/// A text, of the kind that the column's name suggests.
fn text(want: Want<'_>, longest: Option<usize>) -> String {
    let number = want.ordinal + 1;
    let name = want.column.to_ascii_lowercase();
    let fitting = if is_reference(want.column) {
        Some(uuid(number))
    } else if name.contains("email") {
        Some(format!("user{number}@example.com"))
    } else if name.ends_with("url") || name.ends_with("uri") {
        Some(format!("https://example.com/{number}"))
    } else if name.contains("ipaddress") || name.contains("ip_address") {
        Some(format!("192.0.2.{}", number % 250 + 1))
    } else {
        None
    };
    let room = longest.unwrap_or(usize::MAX);
    if let Some(fitting) = fitting.filter(|fitting| fitting.len() <= room) {
        return fitting;
    }
    if room < 8 {
        return short(want.ordinal, room);
    }
    let mut text = format!("Text {number}");
    if want.demanding {
        let length = room.min(LONG);
        while text.len() < length {
            text.push_str(" and more");
        }
        text.truncate(length);
        // Some types ignore a trailing blank.
        if text.ends_with(' ') {
            text.pop();
            text.push('.');
        }
    }
    text
}

/// A text of at most `room` characters.
fn short(ordinal: usize, room: usize) -> String {
    let mut text = String::new();
    let mut rest = ordinal;
    loop {
        text.insert(0, letter(rest));
        rest /= 26;
        if rest == 0 || text.len() >= room {
            return text;
        }
    }
}

/// A number with all decimal places of its column.
fn numeric(typmod: i32, ordinal: usize, demanding: bool) -> String {
    let number = ordinal + 1;
    if typmod < 4 {
        return if demanding {
            format!("{}.125", 1_000_000 + number)
        } else {
            format!("{number}.5")
        };
    }
    let packed = typmod - 4;
    let precision = packed >> 16 & 0xffff;
    // Since PostgreSQL 15 the scale has eleven bits with a sign; before, it was never negative.
    let scale = ((packed & 0x7ff) ^ 1024) - 1024;
    let whole = usize::try_from(precision - scale).unwrap_or_default();
    let behind = usize::try_from(scale).unwrap_or_default();
    let front = match whole {
        0 => "0".to_owned(),
        _ if scale < 0 => {
            let zeros = usize::try_from(-scale).unwrap_or_default();
            let digits = last_digits(number, usize::try_from(precision).unwrap_or(1));
            format!("{digits}{}", "0".repeat(zeros))
        }
        _ if demanding && whole > 1 => {
            let nines = "9".repeat(whole.min(5) - 1);
            format!("{}{nines}", number % 9 + 1)
        }
        _ => last_digits(number, whole),
    };
    if behind == 0 {
        return front;
    }
    // If there are no integer digits, the fraction distinguishes rows.
    let digits: String = (0..behind)
        .map(|place| char::from(b'1' + u8::try_from((ordinal + place) % 9).unwrap_or_default()))
        .collect();
    // The scale is larger than the precision.
    let digits = if scale > precision {
        let zeros = usize::try_from(scale - precision).unwrap_or_default();
        format!(
            "{}{}",
            "0".repeat(zeros),
            &digits[zeros.min(digits.len())..]
        )
    } else {
        digits
    };
    format!("{front}.{digits}")
}

fn last_digits(number: usize, room: usize) -> String {
    let text = number.to_string();
    text[text.len().saturating_sub(room)..].to_owned()
}

fn bits(typmod: i32, number: usize) -> String {
    let length = match usize::try_from(typmod) {
        Ok(length) if length > 0 => length,
        _ => 8,
    };
    let binary = format!("{number:0length$b}");
    binary[binary.len() - length..].to_owned()
}

/// The upper bits of the type modifier contain the fields that an interval column keeps.
fn interval(typmod: i32, number: usize) -> String {
    let fields = if typmod < 0 {
        0x7fff
    } else {
        typmod >> 16 & 0x7fff
    };
    let keeps = |bit: i32| fields & (1 << bit) != 0;
    // Bits of PostgreSQL's datetime.h: MONTH 1, YEAR 2, DAY 3, HOUR 10, MINUTE 11, SECOND 12.
    let mut parts = Vec::new();
    for (bit, unit) in [
        (2, "year"),
        (1, "mon"),
        (3, "day"),
        (10, "hour"),
        (11, "min"),
    ] {
        if keeps(bit) {
            parts.push(format!("{number} {unit}"));
        }
    }
    if keeps(12) {
        parts.push(format!("{number}.123456 sec"));
    }
    parts.join(" ")
}
