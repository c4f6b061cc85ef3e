//! A few things by name.

/// A map for the few things that a configuration names: a list that is searched. A tree or hash table costs a module
/// five kilobytes for each type of value.
#[derive(Debug, Clone)]
pub struct ByName<V>(Vec<(String, V)>);

impl<V> Default for ByName<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> FromIterator<(String, V)> for ByName<V> {
    fn from_iter<I: IntoIterator<Item = (String, V)>>(things: I) -> Self {
        let mut all = Self::default();
        things.into_iter().for_each(|(name, value)| all.insert(name, value));
        all
    }
}

impl<V> ByName<V> {
    /// The thing of that name.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Adds a thing; another one of that name goes away.
    pub fn insert(&mut self, name: String, value: V) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, slot)) => *slot = value,
            None => self.0.push((name, value)),
        }
    }

    /// The thing of that name, made and added if there was none.
    pub fn get_or_insert_with(&mut self, name: &str, make: impl FnOnce() -> V) -> &mut V {
        match self.0.iter().position(|(known, _)| known == name) {
            // Taken to the end, where it is found without a search that could fail.
            Some(at) => {
                let known = self.0.remove(at);
                &mut self.0.push_mut(known).1
            }
            None => &mut self.0.push_mut((name.to_owned(), make())).1,
        }
    }

    /// Everything, in no order that could be relied on.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Everything without its name.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A few things in order, each once. The library's sort takes a module four kilobytes for each type.
#[cfg(feature = "blocks")]
pub(crate) fn in_order<T: Ord>(things: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut sorted: Vec<T> = Vec::new();
    for thing in things {
        if let Err(at) = sorted.binary_search(&thing) {
            sorted.insert(at, thing);
        }
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "blocks")]
    fn things_in_order_stand_there_once() {
        assert_eq!(in_order([3, 1, 2, 3, 1]), [1, 2, 3]);
        assert!(in_order(Vec::<u8>::new()).is_empty());
    }

    #[test]
    fn a_name_stands_for_the_last_thing_that_was_given_it() {
        let mut things = ByName::default();
        assert!(things.is_empty());
        things.insert("b".to_owned(), 1);
        things.insert("a".to_owned(), 2);
        things.insert("b".to_owned(), 3);
        assert_eq!(things.get("b"), Some(&3));
        assert_eq!(things.get("c"), None);
        assert_eq!(things.get_or_insert_with("c", || 4), &mut 4);
        assert_eq!(things.get_or_insert_with("c", || 5), &mut 4);
        let mut all: Vec<_> = things.iter().collect();
        all.sort_unstable();
        assert_eq!(all, [("a", &2), ("b", &3), ("c", &4)]);
    }
}
