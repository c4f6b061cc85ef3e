//! Regular expressions of `matches`: the part of RE2's syntax that people write.
//!
//! A pattern becomes a list of instructions whose jumps are relative, so that parts can be put together and repeated by
//! copying. A text is then read once, with all ways through the list at the same time: no pattern takes exponential
//! time.

mod class;
mod run;

use std::rc::Rc;

/// Most instructions of a pattern, and most of a part that is repeated.
const MOST: usize = 1000;
/// How deep groups may stand in each other.
const DEEPEST: usize = 16;

/// A pattern that was read.
#[derive(Debug)]
pub(super) struct Pattern(Code);

/// Instructions; whoever comes to their end has matched.
type Code = Vec<Step>;

/// One instruction.
#[derive(Debug, Clone)]
enum Step {
    /// A character within these ranges, or outside of them where the flag is true.
    Set(Rc<[(char, char)]>, bool),
    /// Goes on at two places, relative to this one.
    Split(isize, isize),
    Jump(isize),
    Assert(Assert),
}

/// What holds between two characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Assert {
    Start,
    End,
    /// Where a word begins or ends.
    Boundary,
    NoBoundary,
}

type Read<T> = Result<T, &'static str>;

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is none, or uses what is not supported; the text says what.
    #[inline(never)]
    pub(super) fn parse(text: &str) -> Read<Self> {
        let mut reader = Reader { rest: text, depth: 0 };
        let code = reader.alternatives()?;
        if reader.rest.is_empty() { Ok(Self(code)) } else { Err("a `)` without its `(`") }
    }

    /// How many instructions it has.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn takes(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    /// `a|b|…`, up to a `)` or the end.
    #[inline(never)]
    fn alternatives(&mut self) -> Read<Code> {
        let mut code = self.sequence()?;
        while self.takes("|") {
            let other = self.sequence()?;
            let mut all = vec![Step::Split(1, distance(&code) + 2)];
            all.append(&mut code);
            all.push(Step::Jump(distance(&other) + 1));
            all.extend(other);
            code = bounded(all)?;
        }
        Ok(code)
    }

    #[inline(never)]
    fn sequence(&mut self) -> Read<Code> {
        let mut code = Code::new();
        while !self.rest.is_empty() && !self.rest.starts_with(['|', ')']) {
            let part = self.atom()?;
            code.extend(self.repeated(part)?);
            code = bounded(code)?;
        }
        Ok(code)
    }

    #[inline(never)]
    fn atom(&mut self) -> Read<Code> {
        let step = match self.take() {
            Some('(') => return self.group(),
            Some('[') => class::set(self)?,
            Some('.') => Step::Set([('\n', '\n')].into(), true),
            Some('^') => Step::Assert(Assert::Start),
            Some('$') => Step::Assert(Assert::End),
            Some('\\') => self.escaped()?,
            Some('*' | '+' | '?') => return Err("a repetition of nothing"),
            Some(plain) => Step::Set([(plain, plain)].into(), false),
            None => return Ok(Code::new()),
        };
        Ok(vec![step])
    }

    fn escaped(&mut self) -> Read<Step> {
        let assert = match self.rest.as_bytes().first() {
            Some(b'A') => Assert::Start,
            Some(b'z') => Assert::End,
            Some(b'b') => Assert::Boundary,
            Some(b'B') => Assert::NoBoundary,
            _ => {
                let (ranges, is_negated) = class::escape(self)?;
                return Ok(Step::Set(ranges.into(), is_negated));
            }
        };
        self.take();
        Ok(Step::Assert(assert))
    }

    #[inline(never)]
    fn group(&mut self) -> Read<Code> {
        if self.rest.starts_with('?') && !self.takes("?:") {
            return Err("flags and named groups are not supported");
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("groups are too deep");
        }
        let code = self.alternatives()?;
        self.depth -= 1;
        if self.takes(")") { Ok(code) } else { Err("a `(` without its `)`") }
    }

    /// A part with what says how often it comes.
    #[inline(never)]
    fn repeated(&mut self, part: Code) -> Read<Code> {
        let Some((least, most)) = self.count()? else { return Ok(part) };
        // Which match is found does not matter, so a lazy one is the same.
        self.takes("?");
        if self.rest.starts_with(['*', '+', '?']) {
            return Err("a repetition of a repetition");
        }
        let copies = least.max(most.unwrap_or(0)) + 1;
        if part.len().saturating_mul(copies) > MOST {
            return Err("the pattern is too long");
        }
        let mut code = Code::new();
        for _ in 0..least {
            code.extend_from_slice(&part);
        }
        let length = distance(&part);
        for _ in least..most.unwrap_or(least) {
            code.push(Step::Split(1, length + 1));
            code.extend_from_slice(&part);
        }
        if most.is_none() {
            code.push(Step::Split(1, length + 2));
            code.extend(part);
            code.push(Step::Jump(-length - 1));
        }
        Ok(code)
    }

    /// How often: least and most.
    fn count(&mut self) -> Read<Option<(usize, Option<usize>)>> {
        let count = match self.rest.as_bytes().first() {
            Some(b'*') => (0, None),
            Some(b'+') => (1, None),
            Some(b'?') => (0, Some(1)),
            Some(b'{') => return self.counted(),
            _ => return Ok(None),
        };
        self.take();
        Ok(Some(count))
    }

    /// `{n}`, `{n,}` or `{n,m}`; anything else in braces stands for itself, as in RE2.
    #[inline(never)]
    fn counted(&mut self) -> Read<Option<(usize, Option<usize>)>> {
        let Some((inner, rest)) = self.rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
            return Ok(None);
        };
        let (least, most) = inner.split_once(',').map_or((inner, None), |(least, most)| (least, Some(most)));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(least) || !most.is_none_or(|most| most.is_empty() || is_number(most)) {
            return Ok(None);
        }
        self.rest = rest;
        // A number that is too large for its kind is too large for a pattern too.
        let number = |text: &str| text.parse::<usize>().unwrap_or(MOST).min(MOST);
        let least = number(least);
        let most = match most {
            None => Some(least),
            Some("") => None,
            Some(most) => Some(number(most)),
        };
        if most.is_some_and(|most| most < least) {
            Err("a repetition from more to less")
        } else {
            Ok(Some((least, most)))
        }
    }
}

fn distance(code: &Code) -> isize {
    isize::try_from(code.len()).unwrap_or(isize::MAX)
}

fn bounded(code: Code) -> Read<Code> {
    if code.len() > MOST { Err("the pattern is too long") } else { Ok(code) }
}
