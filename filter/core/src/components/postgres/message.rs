//! Messages to PostgreSQL, as bytes.

/// Version 3.0 of the protocol.
const PROTOCOL: u32 = 3 << 16;

/// Messages under construction, one behind the other.
#[derive(Default)]
pub(crate) struct Messages {
    bytes: Vec<u8>,
}

/// A parameter of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Param<'a> {
    /// A value as text.
    Text(&'a str),
    /// A `bytea`.
    Bytes(&'a [u8]),
    /// `NULL`.
    Null,
}

impl Messages {
    /// None, with room for that many bytes.
    pub(crate) fn with_room(size: usize) -> Self {
        Self { bytes: Vec::with_capacity(size) }
    }

    /// The first message of a connection: pairs of names and values.
    #[inline(never)]
    pub(crate) fn startup(mut self, settings: &[(&str, &str)]) -> Self {
        let start = self.bytes.len();
        self.number(0);
        self.number(PROTOCOL);
        for (name, value) in settings {
            self.text(name);
            self.text(value);
        }
        self.bytes.push(0);
        self.end(start);
        self
    }

    /// A password, or what stands for one.
    pub(crate) fn password(mut self, text: &str) -> Self {
        let start = self.begin(b'p');
        self.text(text);
        self.end(start);
        self
    }

    /// The first word of a SASL exchange.
    pub(crate) fn sasl_first(mut self, mechanism: &str, word: &str) -> Self {
        let start = self.begin(b'p');
        self.text(mechanism);
        self.sized(word.as_bytes());
        self.end(start);
        self
    }

    /// The next word of a SASL exchange.
    pub(crate) fn sasl_next(mut self, word: &str) -> Self {
        let start = self.begin(b'p');
        self.bytes.extend_from_slice(word.as_bytes());
        self.end(start);
        self
    }

    /// Prepares a statement of that name, whose parameters have these types.
    pub(crate) fn parse(&mut self, name: &str, sql: &str, types: &[u32]) {
        let start = self.begin(b'P');
        self.text(name);
        self.text(sql);
        self.short(types.len());
        types.iter().for_each(|kind| self.number(*kind));
        self.end(start);
    }

    /// Runs a prepared statement. All columns of its rows come as bytes.
    #[inline(never)]
    pub(crate) fn run(&mut self, name: &str, params: &[Param<'_>]) {
        let start = self.begin(b'B');
        self.text("");
        self.text(name);
        self.short(params.len());
        params.iter().for_each(|param| self.short(usize::from(matches!(param, Param::Bytes(_)))));
        self.short(params.len());
        for param in params {
            match param {
                Param::Text(text) => self.sized(text.as_bytes()),
                Param::Bytes(bytes) => self.sized(bytes),
                Param::Null => self.number(u32::MAX),
            }
        }
        self.short(1);
        self.short(1);
        self.end(start);
        let start = self.begin(b'E');
        self.text("");
        self.number(0);
        self.end(start);
    }

    /// Ends what belongs together: all of it is done or none.
    pub(crate) fn sync(mut self) -> Vec<u8> {
        let start = self.begin(b'S');
        self.end(start);
        self.bytes
    }

    /// Runs statements that are written out; all of them are done or none.
    pub(crate) fn query(mut self, sql: &str) -> Vec<u8> {
        let start = self.begin(b'Q');
        self.text(sql);
        self.end(start);
        self.bytes
    }

    /// The bytes to send.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Gives where the message's length stands.
    fn begin(&mut self, kind: u8) -> usize {
        self.bytes.push(kind);
        self.number(0);
        self.bytes.len() - 4
    }

    fn end(&mut self, start: usize) {
        let size = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        if let Some(place) = self.bytes.get_mut(start..start + 4) {
            place.copy_from_slice(&size.to_be_bytes());
        }
    }

    fn number(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn short(&mut self, value: usize) {
        self.bytes.extend_from_slice(&u16::try_from(value).unwrap_or(u16::MAX).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
    }

    fn sized(&mut self, bytes: &[u8]) {
        self.number(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.bytes.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postgres_protocol::IsNull;
    use postgres_protocol::message::frontend;

    #[test]
    fn each_message_is_the_one_that_a_library_writes() {
        let mut theirs = bytes::BytesMut::new();
        frontend::startup_message([("user", "u"), ("database", "d")], &mut theirs).unwrap();
        frontend::password_message(b"md5abc", &mut theirs).unwrap();
        frontend::sasl_initial_response("SCRAM-SHA-256", b"n,,n=,r=x", &mut theirs).unwrap();
        frontend::sasl_response(b"c=biws", &mut theirs).unwrap();
        frontend::parse("s", "SELECT $1", [25, 17], &mut theirs).unwrap();
        let params = [Param::Text("k"), Param::Bytes(b"\0v"), Param::Null];
        let write = |param: Param<'_>, out: &mut bytes::BytesMut| {
            Ok(match param {
                Param::Text(text) => {
                    out.extend_from_slice(text.as_bytes());
                    IsNull::No
                }
                Param::Bytes(bytes) => {
                    out.extend_from_slice(bytes);
                    IsNull::No
                }
                Param::Null => IsNull::Yes,
            })
        };
        assert!(frontend::bind("", "s", [0, 1, 0], params, write, [1], &mut theirs).is_ok());
        frontend::execute("", 0, &mut theirs).unwrap();
        frontend::sync(&mut theirs);
        frontend::query("SELECT 1", &mut theirs).unwrap();
        let mut ours = Messages::default()
            .startup(&[("user", "u"), ("database", "d")])
            .password("md5abc")
            .sasl_first("SCRAM-SHA-256", "n,,n=,r=x")
            .sasl_next("c=biws");
        ours.parse("s", "SELECT $1", &[25, 17]);
        ours.run("s", &params);
        let ours = Messages { bytes: ours.sync() }.query("SELECT 1");
        assert_eq!(ours, theirs);
    }
}
