//! Which events of a topic wait for each other.

use super::Message;

/// The metadata of an event that names its key, Dapr's for brokers that have keys.
const KEY: &str = "partitionKey";

/// Which events of a topic are given to the application one after the other, in the order in which they were published.
/// A component's `concurrencyMode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// None: many at once (`parallel`).
    #[default]
    None,
    /// All (`single`).
    Topic,
    /// Those with the same key (`byKey`); events without one wait for none.
    Key,
}

impl Order {
    /// What `concurrencyMode` says; `None` if it is no mode.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "parallel" => Some(Self::None),
            "single" => Some(Self::Topic),
            "byKey" => Some(Self::Key),
            _ => None,
        }
    }

    /// The key of an event that waits for others of its topic with the same one.
    pub fn key(self, message: &Message) -> Option<String> {
        match self {
            Self::None => None,
            Self::Topic => Some(String::new()),
            Self::Key => message.metadata.get(KEY).cloned(),
        }
    }
}
