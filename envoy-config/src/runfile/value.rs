//! Values that come by flags as well as by files.

use crate::problem::Place;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use weft_core::config::{LARGEST_MAX_BODY, LogLevel};

/// A value and where it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// Where.
    pub place: Place,
}

impl<T> Given<T> {
    /// By a flag of the command line.
    #[must_use]
    pub fn by_flag(value: T, flag: &str) -> Self {
        Self { value, place: Place { file: Arc::from(Path::new(flag)), line: 0 } }
    }
}

/// A level by Dapr's name. `fatal` and `panic` are what Weft calls errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLevelName(pub LogLevel);

impl FromStr for LogLevelName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "debug" => Ok(Self(LogLevel::Debug)),
            "info" => Ok(Self(LogLevel::Info)),
            "warn" | "warning" => Ok(Self(LogLevel::Warn)),
            "error" | "fatal" | "panic" => Ok(Self(LogLevel::Error)),
            _ => Err("write debug, info, warn or error".to_owned()),
        }
    }
}

/// Reads a size as Kubernetes writes it, such as `4Mi`; a bare number is bytes.
///
/// # Errors
/// It is none, or more than the filter takes.
pub fn body_size(text: &str) -> Result<u32, String> {
    const UNITS: &[(&str, u64)] =
        &[("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000)];
    let unit = UNITS.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)));
    let (number, unit) = unit.unwrap_or((text, 1));
    let size = number.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    let size = size.filter(|size| *size > 0).ok_or("write a size such as 4Mi")?;
    u32::try_from(size).ok().filter(|size| *size <= LARGEST_MAX_BODY).ok_or_else(|| {
        let most = LARGEST_MAX_BODY >> 20;
        format!("write a size of at most {most}Mi: one command to a backend has at most 64Mi")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_bytes_or_has_a_unit() {
        assert_eq!(body_size("1000"), Ok(1000));
        assert_eq!(body_size("4Mi"), Ok(4 << 20));
        assert_eq!(body_size("16 Ki"), Ok(16 << 10));
        assert_eq!(body_size("2M"), Ok(2_000_000));
        assert_eq!(body_size("60Mi"), Ok(60 << 20));
        for wrong in ["", "0", "-1", "4MiB", "x"] {
            assert!(body_size(wrong).unwrap_err().contains("such as 4Mi"), "{wrong}");
        }
        for large in ["62914561", "61Mi", "4Gi", "99999999Gi"] {
            assert!(body_size(large).unwrap_err().contains("at most 60Mi: one command"), "{large}");
        }
    }

    #[test]
    fn daprs_levels_are_known() {
        assert_eq!("WARN".parse::<LogLevelName>(), Ok(LogLevelName(LogLevel::Warn)));
        assert_eq!("fatal".parse::<LogLevelName>(), Ok(LogLevelName(LogLevel::Error)));
        assert!("loud".parse::<LogLevelName>().is_err());
    }
}
