//! A few things by name.

use serde::{Serialize, Serializer};

/// A map for what a configuration names: a sorted list. A tree or hash table costs a module five kilobytes for each
/// type of value.
#[derive(Debug, Clone, PartialEq)]
pub struct ByName<V>(Vec<(String, V)>);

impl<V> Default for ByName<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// As an object.
impl<V: Serialize> Serialize for ByName<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<V> IntoIterator for ByName<V> {
    type Item = (String, V);
    type IntoIter = std::vec::IntoIter<(String, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
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
    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(name))
    }

    /// The thing of that name.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.entry(name).map(|(_, value)| value)
    }

    /// The thing of that name, with the name as it stands here.
    pub fn entry(&self, name: &str) -> Option<(&str, &V)> {
        self.find(name).ok().and_then(|at| self.0.get(at)).map(|(name, value)| (name.as_str(), value))
    }

    /// Adds a thing; another one of that name goes away.
    pub fn insert(&mut self, name: String, value: V) {
        match self.find(&name) {
            Ok(at) => drop(self.0.get_mut(at).map(|(_, slot)| std::mem::replace(slot, value))),
            Err(at) => self.0.insert(at, (name, value)),
        }
    }

    /// The thing of that name, made and added if there was none.
    pub fn get_or_insert_with(&mut self, name: &str, make: impl FnOnce() -> V) -> &mut V {
        match self.find(name) {
            // Taken out and put back: a place that was found is then there without a second look.
            Ok(at) => {
                let known = self.0.remove(at);
                &mut self.0.insert_mut(at, known).1
            }
            Err(at) => &mut self.0.insert_mut(at, (name.to_owned(), make())).1,
        }
    }

    /// Takes out the thing of that name if it is the one that is meant.
    #[cfg(feature = "blocks")]
    pub fn remove_if(&mut self, name: &str, is_meant: impl FnOnce(&V) -> bool) -> Option<V> {
        let at = self.find(name).ok()?;
        let (_, value) = self.0.get(at)?;
        is_meant(value).then(|| self.0.remove(at).1)
    }

    /// Everything, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Everything without its name.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> {
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
        assert_eq!(things.iter().collect::<Vec<_>>(), [("a", &2), ("b", &3), ("c", &4)]);
    }

    #[test]
    #[cfg(feature = "blocks")]
    fn only_what_is_meant_is_taken_out() {
        let mut things: ByName<i32> = [("a".to_owned(), 1)].into_iter().collect();
        assert_eq!(things.remove_if("b", |_| true), None);
        assert_eq!(things.remove_if("a", |value| *value == 2), None);
        assert_eq!(things.remove_if("a", |value| *value == 1), Some(1));
        assert!(things.is_empty());
    }
}
