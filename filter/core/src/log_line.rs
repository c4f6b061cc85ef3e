//! Lines of the log, all of one form: `component=… app=… topic="…" what="…" why="…"`.

/// One line. Nothing of it may be a secret.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line<'a> {
    /// The part of Weft, or the Dapr component, that has something to say.
    pub component: &'a str,
    /// What it is about: names and values.
    pub about: &'a [(&'static str, &'a str)],
    /// What happened.
    pub what: &'a str,
    /// The reason; left out if empty.
    pub why: &'a str,
}

impl Line<'_> {
    /// The text, for the filter of this application.
    #[inline(never)]
    pub fn text(&self, app: &str) -> String {
        let mut out = String::with_capacity(96 + self.what.len() + self.why.len());
        for (name, value) in [("component", self.component), ("app", app)] {
            // Most are words; what is none must not look like another field.
            let is_word = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
            push(&mut out, name, value, !is_word);
        }
        for (name, value) in self.about {
            push(&mut out, name, value, true);
        }
        push(&mut out, "what", self.what, true);
        if !self.why.is_empty() {
            push(&mut out, "why", self.why, true);
        }
        out
    }
}

fn push(out: &mut String, name: &str, value: &str, is_quoted: bool) {
    if !out.is_empty() {
        out.push(' ');
    }
    out.push_str(name);
    out.push('=');
    if !is_quoted {
        return out.push_str(value);
    }
    out.push('"');
    for letter in value.chars() {
        match letter {
            '"' | '\\' => {
                out.push('\\');
                out.push(letter);
            }
            '\n' => out.push_str("\\n"),
            _ if letter.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            _ => out.push(letter),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_stands_in_its_place() {
        let line = Line { component: "link", about: &[("backend", "redis")], what: "connection lost", why: "end" };
        assert_eq!(
            line.text("orders"),
            r#"component=link app=orders backend="redis" what="connection lost" why="end""#
        );
        let line = Line { component: "filter", what: "configured", ..Line::default() };
        assert_eq!(line.text(""), r#"component=filter app="" what="configured""#);
    }

    #[test]
    fn no_value_can_look_like_a_field_or_a_line() {
        let line = Line { component: "my store", what: "a \"b\" what=\"c\"", why: "x\r\ny\\", ..Line::default() };
        let text = line.text("orders");
        assert_eq!(
            text,
            "component=\"my store\" app=orders what=\"a \\\"b\\\" what=\\\"c\\\"\" why=\"x\u{fffd}\\ny\\\\\""
        );
    }
}
