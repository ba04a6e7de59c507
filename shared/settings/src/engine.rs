//! The engine's settings.
//!
//! Defaults, units and limits. Applying them to a session happens elsewhere.

use std::time::Duration;

use super::{ConfigError, EngineLayer, Origin};

/// The maximum timeout in PostgreSQL: an `int` of milliseconds.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// The engine's settings, each in one place: meaning, key in `[engine]`, type, default, and its flag with value and help if it has
/// one. The environment variable is `ORCHESTRATOR_` and the key. The key, the variable, the flag, the default and the row in
/// `docs/configuration.md` follow from this table.
macro_rules! engine_settings {
    ($($(#[doc = $meaning:literal])+ $key:ident: $kind:ty = $default:expr $(, flag $value:literal $help:literal)?;)+) => {
        /// Timeouts and retries; the directives of a migration override some of them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct EngineSettings {
            $($(#[doc = $meaning])+ pub $key: $kind,)+
            /// The outcome of a statement whose outcome cannot be determined; specified for a single run, never configured.
            pub unknown_outcome: Option<UnknownOutcome>,
        }

        impl Default for EngineSettings {
            fn default() -> Self {
                Self { $($key: $default,)+ unknown_outcome: None }
            }
        }

        impl EngineSettings {
            /// Every setting that can be configured.
            pub const ALL: &[Setting] = &[$(Setting {
                key: stringify!($key),
                meaning: concat!($($meaning),+),
                flag: engine_settings!(@flag $($value $help)?),
            }),+];

            /// Takes each setting from the first source that has it.
            fn from_sources(sources: &[Source<'_>]) -> Result<Self, ConfigError> {
                let default = Self::default();
                Ok(Self {
                    $($key: parsed(sources, stringify!($key), default.$key)?,)+
                    unknown_outcome: None,
                })
            }

            #[cfg(test)]
            fn shown(&self) -> Vec<String> {
                vec![$(self.$key.shown()),+]
            }
        }
    };
    (@flag) => { None };
    (@flag $value:literal $help:literal) => { Some(($value, $help)) };
}

engine_settings! {
    /// Lock timeout: the limit for all lock waits of a transaction together, after which it rolls back; never 0
    lock_timeout: Duration = Duration::from_secs(2), flag "TIME" "Lock timeout of a statement, such as 2s";
    /// Maximum number of retries of a step after a lock timeout
    lock_retries: u32 = 10, flag "N" "Retries of a step after a lock timeout";
    /// Statement timeout; 0 disables it
    statement_timeout: Duration = Duration::ZERO;
    /// Maximum time that a CONCURRENTLY statement, which does not block other sessions, waits for old transactions;
    /// 0 disables the limit
    concurrently_timeout: Duration = Duration::from_secs(30 * 60);
    /// Maximum time to wait for another run on the same database; 0 does not wait
    advisory_lock_wait: Duration = Duration::from_secs(60), flag "TIME" "How long to wait for another run on a database, such as 60s";
    /// Connection timeout for each host and address; 0 disables it
    connect_timeout: Duration = Duration::from_secs(10);
    /// Time without a response after which a second connection checks whether the server is still working; if no response
    /// can be expected, the connection is closed; 0 disables the check
    stall_timeout: Duration = Duration::from_secs(15);
    /// Grace period of the current step after SIGTERM (docker sends SIGKILL after 10 s); then it is cancelled on the server;
    /// 0 waits until it completes
    stop_grace: Duration = Duration::from_secs(8), flag "TIME" "Grace period of the current step after SIGTERM, such as 25s";
}

/// A setting of the engine: its names, and what it means.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The key in the section `[engine]` of a configuration file.
    pub key: &'static str,
    /// The meaning, as in the documentation.
    pub meaning: &'static str,
    /// The value's name and the help of the flag, if the setting has one.
    pub flag: Option<(&'static str, &'static str)>,
}

/// The outcome of an interrupted statement that commits on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownOutcome {
    /// It completed: continue after it.
    Done,
    /// It did not complete, or it is repeatable: rerun it from the start.
    Again,
}

/// A source of settings, and the origin of each of its keys.
pub(super) type Source<'a> = (&'a EngineLayer, &'a dyn Fn(&str) -> Origin);

impl EngineSettings {
    /// Takes each setting from the first source that has it, and checks the limits.
    pub(super) fn resolve(sources: &[Source<'_>]) -> Result<Self, ConfigError> {
        let settings = Self::from_sources(sources)?;
        // With zero, a migration would queue for a lock indefinitely, and all live queries would queue behind it.
        if settings.lock_timeout.is_zero()
            && let Some((value, origin)) = text(sources, "lock_timeout")
        {
            return Err(ConfigError::InvalidValue {
                origin,
                value,
                expected: "at least 1ms: without a limit, live queries would queue behind a waiting migration",
            });
        }
        Ok(settings)
    }
}

fn text(sources: &[Source<'_>], key: &str) -> Option<(String, Origin)> {
    sources.iter().find_map(|(layer, origin)| {
        let value = layer.value(key)?;
        Some((value.to_owned(), origin(key)))
    })
}

fn parsed<V: Value>(sources: &[Source<'_>], key: &str, default: V) -> Result<V, ConfigError> {
    let Some((value, origin)) = text(sources, key) else {
        return Ok(default);
    };
    V::parse(&value).ok_or(ConfigError::InvalidValue {
        origin,
        value,
        expected: V::EXPECTED,
    })
}

/// A type of settings.
trait Value: Sized {
    /// What is valid, for the message about an invalid value.
    const EXPECTED: &'static str;

    fn parse(text: &str) -> Option<Self>;

    #[cfg(test)]
    fn shown(&self) -> String;
}

impl Value for Duration {
    const EXPECTED: &'static str =
        "0 or a duration with a unit, such as 500ms, 2s or 30min, up to 24 days";

    fn parse(text: &str) -> Option<Self> {
        parse_duration(text)
    }

    #[cfg(test)]
    fn shown(&self) -> String {
        humantime::format_duration(*self).to_string()
    }
}

impl Value for u32 {
    const EXPECTED: &'static str = "a whole number; 0 disables retries";

    fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }

    #[cfg(test)]
    fn shown(&self) -> String {
        self.to_string()
    }
}

/// Parses a duration that PostgreSQL accepts: whole milliseconds within its range.
fn parse_duration(text: &str) -> Option<Duration> {
    let duration = humantime::parse_duration(text.trim()).ok()?;
    let whole = duration.subsec_nanos() % 1_000_000 == 0;
    (whole && duration <= LONGEST).then_some(duration)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::layer::{engine_variable, flag_of};

    fn layer(lock_timeout: Option<&str>) -> EngineLayer {
        let mut layer = EngineLayer::default();
        layer.set("lock_timeout", lock_timeout.map(str::to_owned));
        layer
    }

    fn resolve(layers: &[EngineLayer]) -> Result<EngineSettings, ConfigError> {
        let origin = |key: &str| Origin::variable(key);
        let sources: Vec<Source<'_>> = layers
            .iter()
            .map(|layer| (layer, &origin as &dyn Fn(&str) -> Origin))
            .collect();
        EngineSettings::resolve(&sources)
    }

    #[test]
    fn the_first_source_wins_and_defaults_apply_otherwise() {
        let settings =
            resolve(&[layer(None), layer(Some("500ms")), layer(Some("9s"))]).expect("valid");
        assert_eq!(
            settings,
            EngineSettings {
                lock_timeout: Duration::from_millis(500),
                ..EngineSettings::default()
            }
        );
    }

    #[test]
    fn units_are_required_and_limits_are_checked() {
        assert_eq!(parse_duration("30min"), Some(Duration::from_secs(1800)));
        assert_eq!(parse_duration("0"), Some(Duration::ZERO));
        assert_eq!(parse_duration("1m 30s"), Some(Duration::from_secs(90)));
        for text in ["2", "", "-1s", "1us", "25d", "soon"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn an_unlimited_lock_timeout_is_refused() {
        let error = resolve(&[layer(Some("0"))]).expect_err("refused");
        assert!(
            error.to_string().starts_with("lock_timeout is \"0\""),
            "{error}"
        );
    }

    #[test]
    fn retries_must_be_a_number() {
        let mut layer = EngineLayer::default();
        layer.set("lock_retries", Some("many".to_owned()));
        assert!(matches!(
            resolve(&[layer]),
            Err(ConfigError::InvalidValue { .. })
        ));
    }

    fn read(path: &str) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        std::fs::read_to_string(root.join(path)).expect("a file")
    }

    #[test]
    fn every_setting_is_documented() {
        let page = read("docs/configuration.md");
        let defaults = EngineSettings::default().shown();
        for (setting, default) in EngineSettings::ALL.iter().zip(defaults) {
            let key = setting.key;
            let variable = engine_variable(key);
            let flag = setting.flag.map(|_| format!("`{}` ", flag_of(key)));
            let flag = flag.unwrap_or_default();
            let meaning = setting.meaning.trim();
            let row =
                format!("| `engine.{key}` | `{variable}` | {flag}| `{default}` | {meaning} |");
            assert!(
                page.lines().any(|line| line == row),
                "docs/configuration.md requires:\n{row}"
            );
        }
    }

    #[test]
    fn the_files_list_every_default() {
        for file in ["docs/configuration.md", "config/default.toml"] {
            let text = read(file);
            let section = text.split_once("\n[engine]\n").expect("a section").1;
            let section = section.split("\n[").next().unwrap_or_default();
            let values: toml::Table = section.parse().expect("TOML");
            let mut layer = EngineLayer::default();
            for Setting { key, .. } in EngineSettings::ALL {
                let value = values.get(*key).unwrap_or_else(|| panic!("{file}: {key}"));
                let text = value.as_str().map_or(value.to_string(), str::to_owned);
                layer.set(key, Some(text));
            }
            assert_eq!(
                resolve(&[layer]).expect("valid"),
                EngineSettings::default(),
                "{file}"
            );
        }
    }
}
