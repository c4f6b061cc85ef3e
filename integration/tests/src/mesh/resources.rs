//! Dapr's resources of an application of a mesh.

use weft::assemble::{Backends, assemble};
use weft::bootstrap::App;
use weft::problem::Problems;
use weft::resources::Resources;

/// Gives an application what the resources, YAML, have for it.
pub(super) fn add(app: &mut App, yaml: &str) {
    if yaml.is_empty() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for resources");
    let file = folder.path().join("resources.yaml");
    std::fs::write(&file, yaml).expect("resources written");
    let problems = Problems::default();
    let resources = Resources::read(&[file], &problems);
    assemble(app, &resources, None, &mut Backends::default(), &problems);
    problems.check(()).expect("sound resources");
}
