//! Between the SDK's types and ours.

use proxy_wasm::types::{Bytes, LogLevel as SdkLevel};
use weft_core::config::LogLevel;
use weft_core::http::Headers;

/// Header fields as the core wants them.
pub fn headers(fields: Vec<(String, Bytes)>) -> Headers {
    Headers::from(fields)
}

/// Fields that the SDK can take as text. Values that are not UTF-8 cannot be passed and are left out; the core
/// builds none.
pub fn text_fields(headers: &Headers) -> Vec<(&str, &str)> {
    headers.iter().filter_map(|(name, value)| Some((name, std::str::from_utf8(value).ok()?))).collect()
}

/// Severity as the SDK names it.
pub fn level(level: LogLevel) -> SdkLevel {
    match level {
        LogLevel::Debug => SdkLevel::Debug,
        LogLevel::Info => SdkLevel::Info,
        LogLevel::Warn => SdkLevel::Warn,
        LogLevel::Error => SdkLevel::Error,
    }
}
