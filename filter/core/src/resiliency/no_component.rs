//! In place of policies of components, for a module without them.

use super::Watch;
use std::time::Duration;

/// There is none.
#[derive(Debug)]
pub enum Guard {}

/// What one would count.
#[derive(Debug, Default)]
pub struct Tries(());

impl Guard {
    /// Never called.
    pub fn timeout(&self) -> Option<Duration> {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// Never.
    pub fn admit(&self) -> Result<Option<Watch>, &'static str> {
        match *self {}
    }

    /// Never called.
    pub fn ended(&self, _watch: Option<Watch>, _succeeded: bool) {
        match *self {}
    }

    /// Never called.
    pub fn pause(&self, _tries: &mut Tries) -> Option<Duration> {
        match *self {}
    }
}
