//! The server for scratch databases.

use std::convert::Infallible;
use std::str::FromStr;

/// The value of `--scratch-server`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ScratchServerChoice {
    /// The local server of the project, which is started if it is not running.
    #[default]
    Local,
    /// The server of the live database.
    Same,
    /// The server at this URL.
    At(String),
}

impl FromStr for ScratchServerChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "local" => Self::Local,
            "same" => Self::Same,
            address => Self::At(address.to_owned()),
        })
    }
}
