//! Holding a text against a pattern.

use super::{Assert, Pattern, Step};

impl Pattern {
    /// Whether some part of a text matches. Takes steps as many as the text has characters times [`Pattern::len`].
    #[inline(never)]
    pub(in crate::cel) fn is_in(&self, text: &str) -> bool {
        let mut ways = Ways { pattern: self, seen: vec![0; self.len() + 1], turn: 0, todo: Vec::new(), at: Vec::new() };
        let mut before = None;
        let mut chars = text.chars();
        loop {
            let after = chars.clone().next();
            // A match may begin anywhere.
            ways.todo.push(0);
            if ways.spread(before, after) {
                return true;
            }
            let Some(character) = chars.next() else { return false };
            ways.step(character);
            before = Some(character);
        }
    }
}

/// Every place in a pattern that was reached.
struct Ways<'a> {
    pattern: &'a Pattern,
    /// In which turn a place was reached last.
    seen: Vec<usize>,
    turn: usize,
    /// Places whose instruction was not looked at.
    todo: Vec<usize>,
    /// Places that wait for a character.
    at: Vec<usize>,
}

impl Ways<'_> {
    /// Follows everything that takes no character; true if the end was reached.
    fn spread(&mut self, before: Option<char>, after: Option<char>) -> bool {
        self.turn += 1;
        while let Some(place) = self.todo.pop() {
            match self.seen.get_mut(place) {
                Some(seen) if *seen != self.turn => *seen = self.turn,
                _ => continue,
            }
            match self.pattern.0.get(place) {
                None => return true,
                Some(Step::Set(..)) => self.at.push(place),
                Some(Step::Jump(by)) => self.todo.extend(place.checked_add_signed(*by)),
                Some(Step::Split(one, other)) => {
                    self.todo.extend(place.checked_add_signed(*one));
                    self.todo.extend(place.checked_add_signed(*other));
                }
                Some(Step::Assert(assert)) if holds(*assert, before, after) => self.todo.push(place + 1),
                Some(Step::Assert(_)) => {}
            }
        }
        false
    }

    /// Takes a character wherever one is waited for.
    fn step(&mut self, character: char) {
        for place in std::mem::take(&mut self.at) {
            if let Some(Step::Set(ranges, is_negated)) = self.pattern.0.get(place) {
                let is_within = ranges.iter().any(|(low, high)| (*low..=*high).contains(&character));
                if is_within != *is_negated {
                    self.todo.push(place + 1);
                }
            }
        }
    }
}

fn holds(assert: Assert, before: Option<char>, after: Option<char>) -> bool {
    let is_word = |side: Option<char>| side.is_some_and(|it| it.is_ascii_alphanumeric() || it == '_');
    match assert {
        Assert::Start => before.is_none(),
        Assert::End => after.is_none(),
        Assert::Boundary => is_word(before) != is_word(after),
        Assert::NoBoundary => is_word(before) == is_word(after),
    }
}
