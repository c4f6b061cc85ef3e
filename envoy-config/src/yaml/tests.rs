use super::*;

fn documents(text: &str) -> Result<Vec<Node>, Vec<String>> {
    let problems = Problems::default();
    let roots = read(&Arc::from(Path::new("f.yaml")), text, &problems).into_iter().map(|document| document.root);
    let roots = roots.collect();
    problems.check(roots).map_err(|found| found.iter().map(ToString::to_string).collect())
}

fn one(text: &str) -> Value {
    documents(text).unwrap().remove(0).value
}

fn fault(text: &str) -> String {
    documents(text).unwrap_err().remove(0)
}

fn entry(text: &str, name: &str) -> Value {
    match one(text) {
        Value::Map(entries) => entries.into_iter().find(|(key, _)| key.name == name).unwrap().1.value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_keep_the_text_and_the_line_they_were_written_with() {
    let root = documents("a: 1\nb:\n  - 0.10\n  - \"2\"\n").unwrap().remove(0);
    let Value::Map(entries) = root.value else { panic!() };
    let Value::List(items) = &entries[1].1.value else { panic!() };
    assert_eq!((items[0].line, &items[0].value), (3, &Value::Scalar("0.10".to_owned())));
    assert_eq!((items[1].line, &items[1].value), (4, &Value::Scalar("2".to_owned())));
    assert_eq!((entries[1].0.name.as_str(), entries[1].0.line), ("b", 2));
}

#[test]
fn every_document_counts_but_empty_ones() {
    let lines: Vec<usize> =
        documents("---\n# nothing\n---\na: 1\n---\n\n---\nb: 2\n").unwrap().iter().map(|it| it.line).collect();
    assert_eq!(lines, [4, 8]);
    assert_eq!(documents("").unwrap(), []);
}

#[test]
fn null_is_what_is_not_quoted() {
    assert_eq!(entry("a:", "a"), Value::Null);
    assert_eq!(entry("a: ~", "a"), Value::Null);
    assert_eq!(entry("a: ''", "a"), Value::Scalar(String::new()));
    assert_eq!(entry("a: \"null\"", "a"), Value::Scalar("null".to_owned()));
    assert_eq!(entry("a: !!str null", "a"), Value::Scalar("null".to_owned()));
}

#[test]
fn an_alias_is_a_copy() {
    assert_eq!(entry("a: &x {b: 1}\nc: *x\n", "c"), entry("a: {b: 1}", "a"));
}

#[test]
fn a_fault_is_told_with_its_line() {
    let cases = [
        ("a: 1\n  b: 2\n", "f.yaml:2: not valid YAML: "),
        ("a: 1\na: 2\n", "f.yaml:2: not valid YAML: \"a\" is here a second time, first in line 1"),
        ("[a]: 1\n", "f.yaml:1: not valid YAML: a list where a name should be"),
        ("a: !env X\n", "f.yaml:1: not valid YAML: the tag !env is not supported"),
        ("a: \"x\n", "f.yaml:"),
    ];
    for (text, wanted) in cases {
        let found = fault(text);
        assert!(found.starts_with(wanted), "{text:?} gives {found:?}");
    }
}

#[test]
fn what_grows_without_bound_is_refused() {
    let deep = "[".repeat(100);
    assert!(fault(&deep).contains("more than 64 levels"), "{}", fault(&deep));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for step in 1..10 {
        let before = format!("*a{}, ", step - 1).repeat(10);
        bomb.push_str(&format!("a{step}: &a{step} [{}]\n", before.trim_end_matches(", ")));
    }
    assert!(fault(&bomb).contains("more than 100000 values"), "{}", fault(&bomb));
}

#[test]
fn a_file_that_is_not_there_or_no_text_is_a_problem() {
    let problems = Problems::default();
    read_file(Path::new("/nowhere.yaml"), &problems);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bytes.yaml");
    std::fs::write(&file, b"a: \xff").unwrap();
    read_file(&file, &problems);
    let found: Vec<String> = problems.check(()).unwrap_err().iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|it| it.starts_with("/nowhere.yaml: cannot be read: ")), "{found:?}");
    assert!(found.iter().any(|it| it.ends_with("bytes.yaml: is not UTF-8")), "{found:?}");
}

#[test]
fn everything_that_is_wrong_with_a_mapping_is_told_at_once() {
    let problems = Problems::default();
    let text = "name: [x]\nport: many\nlist: 1\nmap: 2\nold: true\nnew: 1\nnone: []\nempty: ''\n";
    let documents = read(&Arc::from(Path::new("f.yaml")), text, &problems);
    let mut fields = Fields::of_document(&documents[0], "Thing", &problems).unwrap();
    fields.text("name");
    assert_eq!(fields.parsed::<u16>("port", "a port"), None);
    fields.list("list");
    fields.fields("map");
    fields.refuse("old", Some("false"), "it is gone");
    fields.refuse("none", None, "it is gone");
    fields.required("empty");
    fields.required("id");
    fields.finish();
    let found: Vec<String> = problems.check(()).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "f.yaml:1: Thing: id is missing",
            "f.yaml:1: Thing: name is a list where a single value should be",
            "f.yaml:2: Thing: port is \"many\", which is not a port",
            "f.yaml:3: Thing: list is a single value where a list should be",
            "f.yaml:4: Thing: map is a single value where a mapping should be",
            "f.yaml:5: Thing: old is not supported: it is gone",
            "f.yaml:6: Thing: new is not known; there may be name, port, list, map, old, none, empty, id",
            "f.yaml:8: Thing: empty is empty",
        ]
    );
}
