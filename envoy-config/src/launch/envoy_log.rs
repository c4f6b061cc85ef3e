//! Envoy's log, made readable: whose line it is, and without what only clutters.

/// Envoy's `--log-format`: level, component, text.
pub const FORMAT: &str = "[%l][%n] %v";

/// Warnings that mean nothing on a developer's machine.
const CLUTTER: &[&str] =
    &["There is no configured limit to the number of allowed active downstream connections", "caught ENVOY_SIGTERM"];

/// What the filter says once for each instance of the module.
const ONCE_PER_INSTANCE: &str = "what=\"configured\"";

/// A line to show.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The application whose filter wrote it; absent for Envoy itself.
    pub app: Option<&'a str>,
    /// What to show.
    pub text: String,
}

/// Reads one line; `None` if it is not worth showing.
pub fn read(line: &str) -> Option<Line<'_>> {
    let Some((level, component, text)) = split(line) else {
        // More of the entry before, such as a stack trace.
        return (!line.trim().is_empty()).then(|| Line { app: None, text: line.to_owned() });
    };
    if CLUTTER.iter().any(|clutter| text.contains(clutter)) {
        return None;
    }
    match (component, text.strip_prefix("wasm log").and_then(|rest| rest.split_once(": "))) {
        ("wasm", Some((_, said))) => (!said.contains(ONCE_PER_INSTANCE)).then(|| of_filter(level, said)),
        // How many instances of the module there are.
        ("wasm", None) if level == "debug" => None,
        _ => Some(Line { app: None, text: format!("[envoy] {level} {component}: {text}") }),
    }
}

fn split(line: &str) -> Option<(&str, &str, &str)> {
    let (level, rest) = line.strip_prefix('[')?.split_once("][")?;
    let (component, text) = rest.split_once("] ")?;
    Some((level, component, text))
}

/// `component=pubsub app=orders what="subscribed" topics=1` becomes `pubsub: subscribed topics=1`.
fn of_filter<'a>(level: &str, said: &'a str) -> Line<'a> {
    let (component, rest) = field(said, "component");
    let (app, rest) = field(rest, "app");
    let (what, rest) = field(rest, "what");
    let mut text = format!("[weft] {level}");
    for part in [component.map(|it| format!(" {it}:")), what.map(|it| format!(" {it}"))].into_iter().flatten() {
        text.push_str(&part);
    }
    if !rest.is_empty() {
        text.push(' ');
        text.push_str(rest);
    }
    Line { app, text }
}

/// Takes the field `name` off the front of a line.
fn field<'a>(line: &'a str, name: &str) -> (Option<&'a str>, &'a str) {
    let Some(rest) = line.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) else {
        return (None, line);
    };
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
        None => rest.split_once(' ').unwrap_or((rest, "")),
    };
    (Some(value), rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> (Option<&str>, String) {
        let line = read(line).expect("worth showing");
        (line.app, line.text)
    }

    #[test]
    fn a_line_of_the_filter_is_its_applications() {
        let line =
            "[warning][wasm] wasm log weft.api weft: component=pubsub app=orders what=\"not delivered\" why=\"503\"";
        assert_eq!(shown(line), (Some("orders"), "[weft] warning pubsub: not delivered why=\"503\"".to_owned()));
    }

    #[test]
    fn a_line_of_the_filter_in_another_form_is_shown_as_it_is() {
        let line = "[error][wasm] wasm log weft.api weft: panicked at 'x', src/lib.rs:1: y";
        assert_eq!(shown(line), (None, "[weft] error panicked at 'x', src/lib.rs:1: y".to_owned()));
        let line = "[error][wasm] wasm log: component=config what=\"configuration refused";
        assert_eq!(shown(line), (None, "[weft] error config: configuration refused".to_owned()));
    }

    #[test]
    fn a_line_of_envoy_keeps_its_level_and_origin() {
        let line = "[critical][main] error initializing configuration '/x': no";
        assert_eq!(shown(line).1, "[envoy] critical main: error initializing configuration '/x': no");
    }

    #[test]
    fn a_line_that_belongs_to_the_entry_before_is_kept() {
        assert_eq!(shown("  at 0x12 core::panicking"), (None, "  at 0x12 core::panicking".to_owned()));
    }

    #[test]
    fn clutter_is_left_out() {
        assert_eq!(read("[warning][main] caught ENVOY_SIGTERM"), None);
        assert_eq!(read("[info][wasm] wasm log weft.api weft: component=filter app=a what=\"configured\""), None);
        assert_eq!(read("[debug][wasm] Thread-Local Wasm created 2 now active"), None);
        assert_eq!(read(""), None);
    }
}
