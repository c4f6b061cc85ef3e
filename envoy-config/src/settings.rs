//! The settings of a component about its servers: found by name, judged, and told where they are wrong.

use crate::pem;
use crate::problem::Problems;
use crate::resources::{Component, Item};

/// A component whose settings are being read.
#[derive(Clone, Copy)]
pub(crate) struct Settings<'a> {
    component: &'a Component,
    problems: &'a Problems,
}

impl<'a> Settings<'a> {
    /// Those of a component; what is wrong with them is added to `problems`.
    pub(crate) fn of(component: &'a Component, problems: &'a Problems) -> Self {
        Self { component, problems }
    }

    /// A setting that is not empty.
    pub(crate) fn item(&self, name: &str) -> Option<&'a Item> {
        let mut items = self.component.metadata.iter();
        items.find(|item| item.name.eq_ignore_ascii_case(name) && !item.value.resolved().trim().is_empty())
    }

    /// A setting that has to be there.
    pub(crate) fn required(&self, name: &str) -> Option<&'a Item> {
        let item = self.item(name);
        if item.is_none() {
            let what = format!("{}: metadata {name} is missing", self.component.subject());
            self.problems.add(&self.component.kind.place, what);
        }
        item
    }

    /// Whether a setting is switched on, in any of Dapr's words.
    pub(crate) fn flag(&self, name: &str) -> bool {
        let Some(item) = self.item(name) else { return false };
        match item.value.resolved().trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => true,
            "false" | "f" | "no" | "n" | "off" | "0" => false,
            _ => {
                self.refuse(item, "is not true or false");
                false
            }
        }
    }

    /// Refuses one that is no certificate.
    pub(crate) fn judge_certificate(&self, item: &Item) {
        if let Some(why) = pem::flaw_of_certificate(item.value.resolved()) {
            self.refuse(item, why);
        }
    }

    /// Refuses one that is no private key.
    pub(crate) fn judge_key(&self, item: &Item) {
        if let Some(why) = pem::flaw_of_key(item.value.resolved()) {
            self.refuse(item, why);
        }
    }

    /// Tells what is wrong with a setting.
    pub(crate) fn refuse(&self, item: &Item, why: &str) {
        let what = format!("{}: metadata {} {why}", self.component.subject(), item.name);
        self.problems.add(&item.place, what);
    }
}
