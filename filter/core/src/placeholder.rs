//! Names in braces that stand for others.

/// Puts a value in each place of its name; `places` has the names with their closing brace, such as `app}`. Other
/// braces stay as they are.
#[inline(never)]
pub(crate) fn fill(text: &str, places: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len() + places.iter().map(|(_, value)| value.len()).sum::<usize>());
    let mut rest = text;
    while let Some((before, place)) = rest.split_once('{') {
        out.push_str(before);
        rest = place;
        match places.iter().find_map(|(name, value)| Some((place.strip_prefix(name)?, value))) {
            Some((after, value)) => {
                out.push_str(value);
                rest = after;
            }
            None => out.push('{'),
        }
    }
    out.push_str(rest);
    out
}
