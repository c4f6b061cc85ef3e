use crate::resources::tests::{component, faults, read, values};
use std::fs;

pub(in crate::resources) const ENVIRONMENT_STORE: &str =
    "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: env}\nspec: {type: secretstores.local.env}\n";

#[test]
fn secrets_come_from_the_environment() {
    let text = component(
        "spec:
  type: state.redis
  metadata:
  - {name: one, envRef: PASSWORD}
  - {name: two, secretKeyRef: {name: PASSWORD, key: PASSWORD}}
auth: {secretStore: env}
",
    ) + ENVIRONMENT_STORE;
    let (resources, found) = read(&text);
    assert_eq!(found, [""; 0]);
    assert_eq!(values(&resources), [("one", "from-env"), ("two", "from-env")]);
    assert_eq!(resources.components.len(), 1, "the store itself is no component of the proxy");
}

#[test]
fn secrets_come_from_a_file_flat_or_with_keys() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.json");
    fs::write(&file, r#"{"redis": {"password": "deep", "port": 6379}, "plain": "p"}"#).unwrap();
    let store = |more: &str| {
        format!(
            "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: file}}\nspec:
  type: secretstores.local.file\n  metadata:\n  - {{name: secretsFile, value: {:?}}}\n{more}",
            file.display().to_string()
        )
    };
    let user = |name: &str, key: &str| {
        component(&format!(
            "spec:\n  type: state.redis\n  metadata:\n  - {{name: x, secretKeyRef: {{name: {name}, key: {key}}}}}\nauth: {{secretStore: file}}\n"
        ))
    };
    let (flat, nested) = (store(""), store("  - {name: multiValued, value: 'true'}\n"));
    let (resources, found) = read(&(user("redis:password", "redis:password") + &flat));
    assert_eq!((values(&resources), found), (vec![("x", "deep")], Vec::new()));
    let (resources, found) = read(&(user("redis", "port") + &nested));
    assert_eq!((values(&resources), found), (vec![("x", "6379")], Vec::new()));
    let dots = store("  - {name: nestedSeparator, value: .}\n");
    assert_eq!(values(&read(&(user("redis.password", "redis.password") + &dots)).0), [("x", "deep")]);
    let why = faults(&(user("other", "other") + &flat)).remove(0);
    assert_eq!(why, "r.yaml:7: Component \"store\": metadata x: there is no secret \"other\"");
    let why = faults(&(user("redis", "user") + &nested)).remove(0);
    assert_eq!(why, "r.yaml:7: Component \"store\": metadata x: the secret \"redis\" has no key \"user\"");
}

#[test]
fn a_secret_that_cannot_be_had_is_told_and_never_shown() {
    let user = |auth: &str| {
        component(&format!(
            "spec:\n  type: state.redis\n  metadata:\n  - {{name: x, secretKeyRef: {{name: NONE}}}}\n  - {{name: y, envRef: NONE}}\n{auth}"
        ))
    };
    assert_eq!(
        faults(&user("")),
        [
            "r.yaml:7: Component \"store\": metadata x: auth.secretStore has to name the secret store",
            "r.yaml:8: Component \"store\": metadata y: there is no environment variable NONE"
        ]
    );
    assert_eq!(
        faults(&user("auth: {secretStore: kubernetes}\n"))[0],
        "r.yaml:7: Component \"store\": metadata x: auth.secretStore \"kubernetes\" is no secretstores.local.env and no \
         secretstores.local.file among the components"
    );
    assert_eq!(
        faults(&(user("auth: {secretStore: env}\n") + ENVIRONMENT_STORE))[0],
        "r.yaml:7: Component \"store\": metadata x: there is no environment variable NONE"
    );
    let (resources, _) =
        read(&component("spec: {type: state.redis, metadata: [{name: redisPassword, value: hunter2}]}\n"));
    assert!(!format!("{resources:?}").contains("hunter2"));
}

#[test]
fn a_secret_store_that_needs_a_secret_itself_is_told() {
    let store = "spec:\n  type: secretstores.local.env\n  metadata:\n  - {name: prefix, secretKeyRef: {name: P}}\n";
    let text = component(store) + "---\n" + &component("spec: {type: state.in-memory}\nauth: {secretStore: store}\n");
    let why = "metadata prefix: auth.secretStore has to name the secret store";
    assert_eq!(faults(&text), [format!("r.yaml:7: Component \"store\": {why}")]);
}

#[test]
fn a_secret_store_for_nobody_is_refused() {
    let text = ENVIRONMENT_STORE.trim_start_matches("---\n");
    assert_eq!(
        faults(text),
        ["r.yaml:3: Component \"env\": serves no other resource; the secrets API is not supported by this release"]
    );
    let vault = text.replace("local.env", "hashicorp.vault");
    assert!(faults(&vault).iter().any(|it| it.contains("type \"secretstores.hashicorp.vault\" is not supported")));
}
