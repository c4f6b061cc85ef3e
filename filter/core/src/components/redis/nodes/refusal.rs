//! Errors by which a server says that it did not do a command, and that another or it itself later may.

use super::address;

/// What to do with a command that was not done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// This server has the slot.
    Moved(String),
    /// This server is about to take the slot over: it is asked for this one command.
    Ask(String),
    /// To be tried again a little later.
    NotNow,
}

/// Codes of errors that pass: a slot or a server on its way, a failover that has not ended.
const PASSING: [&str; 5] = ["TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY"];

impl Refusal {
    /// Reads the error of the server `asked`; `None` for one that is the command's own.
    #[inline(never)]
    pub(super) fn read(text: &str, asked: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let code = words.next().unwrap_or_default();
        match code {
            "MOVED" => address::read(words.nth(1)?, asked).map(Self::Moved),
            "ASK" => address::read(words.nth(1)?, asked).map(Self::Ask),
            // Before Redis 7 a script's error stands inside another. A script's first write fails before anything is done.
            "ERR" if text.contains("script") && text.contains("-READONLY ") => Some(Self::NotNow),
            _ => PASSING.contains(&code).then_some(Self::NotNow),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_of_commands_that_were_not_done_are_followed() {
        let read = |text: &str| Refusal::read(text, "h:1");
        assert_eq!(read("MOVED 3999 127.0.0.1:6381"), Some(Refusal::Moved("127.0.0.1:6381".to_owned())));
        assert_eq!(read("ASK 3999 :6381"), Some(Refusal::Ask("h:6381".to_owned())));
        for text in [
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "CLUSTERDOWN Hash slot not served",
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "ERR Error running script (call to f_1): @user_script:7: -READONLY You can't write against a read only replica.",
        ] {
            assert_eq!(read(text), Some(Refusal::NotNow), "{text}");
        }
        for text in
            ["ERR unknown command", "WRONGTYPE Operation", "MOVED", "MOVED 1 nowhere", "OOM command", "", "NOSCRIPT x"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
