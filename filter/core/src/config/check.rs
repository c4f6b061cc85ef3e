//! Holding a text against the tables: every mistake, each with its JSON path.

use super::Problem;
use super::form::{Absent, Form, Member, Shape};
use super::shapes::PLUGIN_CONFIG;
#[cfg(feature = "blocks")]
use crate::cel::Condition;
use crate::json::{self, RawObject, RawValue};
use crate::resiliency::trip;
use crate::telemetry::Sampling;

/// Longest app id and namespace, in bytes.
const LONGEST_LABEL: usize = 253;
/// Longest path of a route, in bytes.
const LONGEST_PATH: usize = 2048;

/// Checks a whole configuration. Gives its members if it is an object at all.
pub(super) fn text<'a>(text: &'a [u8], problems: &mut Vec<Problem>) -> Option<RawObject<'a>> {
    let value = match value(text) {
        Ok(value) => value,
        Err(why) => {
            problems.push(Problem::new("$", why, "give a JSON object"));
            return None;
        }
    };
    let mut check = Check { path: "$".to_owned(), problems };
    check.object(&PLUGIN_CONFIG, value);
    RawObject::of(value, "").ok()
}

#[inline(never)]
fn value(text: &[u8]) -> Result<RawValue<'_>, String> {
    if text.is_empty() {
        return Err("the plugin has no configuration".to_owned());
    }
    let text = std::str::from_utf8(text).map_err(|error| format!("is not UTF-8 from byte {}", error.valid_up_to()))?;
    json::only_value(text).map_err(|error| format!("is not JSON: {error}"))
}

/// Whether a text can stand before or after the dot of `<app id>.<namespace>`.
pub(crate) fn is_label(text: &str) -> bool {
    let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= LONGEST_LABEL && text.bytes().all(is_sound)
}

struct Check<'a> {
    /// Of the value that is looked at.
    path: String,
    problems: &'a mut Vec<Problem>,
}

impl Check<'_> {
    #[inline(never)]
    fn refuse(&mut self, what: &str, remedy: &str) {
        self.problems.push(Problem::new(&self.path, what, remedy));
    }

    /// Looks at a member or an element, whose path ends with `step`.
    fn within(&mut self, step: &str, look: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(step);
        look(self);
        self.path.truncate(length);
    }

    #[inline(never)]
    fn object(&mut self, shape: &'static Shape, value: RawValue<'_>) {
        let Some(object) = self.members(value) else { return };
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in object.members() {
            let is_repeated = seen.contains(&name);
            seen.push(name);
            self.within(&step(name), |check| match shape.members.iter().find(|member| member.name == name) {
                _ if is_repeated => check.refuse("stands here twice", "remove one of them"),
                Some(member) => check.value(member.form, value),
                None => check.unknown(shape, name),
            });
        }
        for member in shape.members {
            if matches!(member.absent, Absent::Refused) && !seen.contains(&member.name) {
                self.within(&step(member.name), |check| check.missing(member));
            }
        }
    }

    /// The members of a value, which has to be an object.
    fn members<'v>(&mut self, value: RawValue<'v>) -> Option<RawObject<'v>> {
        let found = if value.is_null() { None } else { RawObject::of(value, "").ok() };
        if found.is_none() {
            self.wrong_kind(value, "an object");
        }
        found
    }

    #[inline(never)]
    fn value(&mut self, form: Form, value: RawValue<'_>) {
        match form {
            Form::Object(shape) => self.object(shape, value),
            Form::Map(shape) => self.each_member(value, |check, value| check.object(shape, value)),
            Form::Texts => self.each_member(value, |check, value| check.value(Form::Text, value)),
            Form::List(shape) => self.list(value, |check, element| check.object(shape, element)),
            Form::Words => self.list(value, |check, element| check.value(Form::Word, element)),
            Form::Flag if matches!(value.get(), "true" | "false") => {}
            Form::Flag => self.wrong_kind(value, "true or false"),
            Form::Number(least, most) => self.number(least, most, value, ""),
            Form::BodySize(most) => self.number(1, most, value, "; one command to a backend has at most 64 MiB"),
            _ => match json::string(value, "") {
                Ok(text) => self.string(form, &text),
                Err(_) => self.wrong_kind(value, "a string"),
            },
        }
    }

    fn each_member(&mut self, value: RawValue<'_>, look: impl Fn(&mut Self, RawValue<'_>)) {
        let Some(object) = self.members(value) else { return };
        for (name, value) in object.members() {
            self.within(&step(name), |check| look(check, value));
        }
    }

    fn list(&mut self, value: RawValue<'_>, look: impl Fn(&mut Self, RawValue<'_>)) {
        let elements = if value.is_null() { None } else { json::array(value.get()).ok() };
        let Some(elements) = elements else { return self.wrong_kind(value, "an array") };
        for (at, element) in elements.into_iter().enumerate() {
            self.within(&index(at), |check| look(check, element));
        }
    }

    fn number(&mut self, least: u32, most: u32, value: RawValue<'_>, why: &str) {
        if value.get().parse::<u32>().is_ok_and(|number| (least..=most).contains(&number)) {
            return;
        }
        let what = if kind(value) == "a number" { ["is ", value.get()].concat() } else { is_a(value) };
        let remedy = if least == most {
            format!("write {least}")
        } else {
            format!("write a whole number from {least} to {most}{why}")
        };
        self.refuse(&what, &remedy);
    }

    #[inline(never)]
    fn string(&mut self, form: Form, text: &str) {
        let is_visible = || !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let remedy = match form {
            Form::Name if text.is_empty() => "write a text that is not empty",
            #[cfg(feature = "blocks")]
            Form::Condition => return self.condition(text),
            Form::Label if !is_label(text) => "write 1 to 253 letters, digits, '-' and '_'",
            Form::Word if !is_visible() => "write one or more visible ASCII characters, without blanks",
            Form::Path if !is_visible() || text.contains('#') || text.len() > LONGEST_PATH => {
                "write 1 to 2048 characters of a URL's path, others as %XX"
            }
            Form::OneOf(words) if !words.contains(&text) => &["write one of ", &words.join(", ")].concat(),
            Form::Trip => match trip::check(text) {
                Err(why) => return self.refuse(why, "write a condition such as consecutiveFailures > 5"),
                Ok(()) => return,
            },
            Form::Share => match Sampling::parse(text) {
                Err(problem) => return self.problems.push(problem),
                Ok(_) => return,
            },
            _ => return,
        };
        self.refuse(&format!("is {text:?}"), remedy);
    }

    #[cfg(feature = "blocks")]
    #[inline(never)]
    fn condition(&mut self, text: &str) {
        if let (false, Err(error)) = (text.trim().is_empty(), Condition::parse(text)) {
            self.refuse(&format!("is {text:?}: {error}"), "write a condition over `event`, or leave it out");
        }
    }

    #[inline(never)]
    fn unknown(&mut self, shape: &Shape, name: &str) {
        let names: Vec<&str> = shape.members.iter().map(|member| member.name).collect();
        match names.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            Some(known) => self.refuse("is not known", &["write ", known].concat()),
            None => self.refuse("is not known", &["remove it; known here: ", &names.join(", ")].concat()),
        }
    }

    #[inline(never)]
    fn missing(&mut self, member: &Member) {
        self.refuse("is missing", &["add it: ", expected(member.form)].concat());
    }

    /// Never tells the value itself, which may be a secret.
    #[inline(never)]
    fn wrong_kind(&mut self, value: RawValue<'_>, wanted: &str) {
        self.refuse(&is_a(value), &["write ", wanted].concat());
    }
}

fn expected(form: Form) -> &'static str {
    match form {
        Form::Object(_) | Form::Map(_) | Form::Texts => "an object",
        Form::List(_) | Form::Words => "an array",
        Form::Flag => "true or false",
        Form::Number(..) | Form::BodySize(_) => "a whole number",
        _ => "a string",
    }
}

fn is_a(value: RawValue<'_>) -> String {
    ["is ", kind(value)].concat()
}

fn kind(value: RawValue<'_>) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// How a member continues a JSON path.
pub(super) fn step(name: &str) -> String {
    let is_plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_plain { [".", name].concat() } else { format!("[{name:?}]") }
}

/// How an element continues a JSON path.
pub(crate) fn index(at: usize) -> String {
    format!("[{at}]")
}
