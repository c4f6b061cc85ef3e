use super::*;
use crate::problem::Problem;
use std::fs;

/// Reads a run file in a folder with the folders `shop` and `stock`.
fn read_in(folder: &Path, text: &str) -> (Vec<Spec>, Vec<String>, Vec<String>) {
    for name in ["shop", "stock"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    fs::write(folder.join("run.yaml"), text).unwrap();
    let problems = Problems::default();
    let specs = read(&folder.join("run.yaml"), &problems);
    check_unique(&specs, None, &problems);
    let plain = |list: Vec<Problem>| {
        let prefix = format!("{}/", folder.display());
        list.iter().map(|it| it.to_string().replace(&prefix, "")).collect()
    };
    (specs, plain(problems.check(()).err().unwrap_or_default()), plain(problems.remarks()))
}

fn faults(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    read_in(folder.path(), text).1
}

#[test]
fn an_application_has_its_own_settings_before_the_common_ones() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir_all(root.join("shop/own")).unwrap();
    fs::create_dir_all(root.join("components")).unwrap();
    let text = "version: 1
common:
  resourcesPath: components
  env: {DEBUG: true, LEVEL: low}
  logLevel: warn
  appLogDestination: file
apps:
- appID: front
  appDirPath: shop
  appPort: 8080
  daprHTTPPort: 3500
  daprGRPCPort: 50001
  command: [node, app.js, 8]
  resourcesPaths: [own]
  env: {LEVEL: 2}
  daprMaxBodySize: 8Mi
  appLogDestination: fileAndConsole
- appDirPath: ./stock/
  env:
  - LEVEL: high
  - EMPTY:
";
    let (specs, found, _) = read_in(root, text);
    assert_eq!(found, [""; 0]);
    let [front, stock] = specs.as_slice() else { panic!("{specs:?}") };
    assert_eq!((front.id.value.as_str(), front.port.as_ref().unwrap().value), ("front", 8080));
    assert_eq!((front.http.as_ref().unwrap().value, front.grpc.as_ref().unwrap().value), (3500, 50001));
    assert_eq!(front.command, ["node", "app.js", "8"]);
    assert_eq!(front.resources, [root.join("shop/own"), root.join("components")]);
    assert_eq!((front.environment["DEBUG"].as_str(), front.environment["LEVEL"].as_str()), ("true", "2"));
    assert_eq!((front.max_body, front.log_level), (Some(8 << 20), Some(LogLevel::Warn)));
    assert_eq!((front.app_log, front.filter_log), (Destination::Both, Destination::Console));
    assert_eq!((stock.id.value.as_str(), stock.command.len()), ("stock", 0));
    assert_eq!(stock.resources, [root.join("components")]);
    assert_eq!((stock.environment["LEVEL"].as_str(), stock.environment["EMPTY"].as_str()), ("high", ""));
    assert_eq!(stock.app_log, Destination::File);
}

#[test]
fn resources_and_configuration_are_found_where_dapr_keeps_them() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("shop/.dapr");
    fs::create_dir_all(kept.join("resources")).unwrap();
    fs::write(kept.join("config.yaml"), "").unwrap();
    let (specs, _, _) = read_in(folder.path(), "version: 1\napps: [{appDirPath: shop}]\n");
    assert_eq!(specs[0].resources, [kept.join("resources")]);
    assert_eq!(specs[0].configuration, Some(kept.join("config.yaml")));
}

#[test]
fn a_path_of_an_application_may_lie_beside_the_run_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("shared")).unwrap();
    let text = "version: 1\napps: [{appDirPath: shop, resourcesPaths: 'shared, missing'}]\n";
    let (specs, _, _) = read_in(folder.path(), text);
    assert_eq!(specs[0].resources, [folder.path().join("shared"), folder.path().join("shop/missing")]);
}

#[test]
fn a_folder_gives_its_dapr_yaml() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("dapr.yaml"), "version: 1\napps: [{appID: a, appDirPath: .}]\n").unwrap();
    let problems = Problems::default();
    assert_eq!(read(folder.path(), &problems)[0].id.value, "a");
    assert_eq!(problems.check(()), Ok(()));
}

#[test]
fn everything_wrong_is_told_at_once() {
    let text = "version: 2
apps:
- appID: a
  appDirPath: nowhere
  appPort: 0
  appProtocol: tcp
  appSSL: true
  enableAppHealthCheck: sometimes
  unknown: 1
- appID: a
  appDirPath: shop
  daprHTTPPort: 7
  daprGRPCPort: 7
  logLevel: loud
  daprMaxBodySize: big
  appLogDestination: printer
- {}
";
    let found = faults(text);
    let wanted = [
        "run.yaml:1: the run file: version is \"2\"; this release reads 1",
        "run.yaml:4: the application \"a\": apps[0].appDirPath is no folder: nowhere",
        "run.yaml:5: the application \"a\": apps[0].appPort is \"0\", which is no port",
        "run.yaml:6: the application \"a\": apps[0].appProtocol is \"tcp\"; there are http, https, h2c, grpc, grpcs",
        "run.yaml:7: the application \"a\": apps[0].appSSL is not supported: write appProtocol: https or grpcs",
        "run.yaml:8: the application \"a\": apps[0].enableAppHealthCheck is \"sometimes\", which is not true or false",
        "run.yaml:9: the application \"a\": apps[0].unknown is not known; there may be appID, appDirPath, ",
        "run.yaml:10: the app id \"a\" stands at run.yaml:3 too",
        "run.yaml:13: the port 7 stands at run.yaml:12 too",
        "run.yaml:14: the application \"a\": apps[1].logLevel is \"loud\", which is not debug, info, warn or error",
        "run.yaml:15: the application \"a\": apps[1].daprMaxBodySize is no size: write a size such as 4Mi",
        "run.yaml:16: the application \"a\": apps[1].appLogDestination is \"printer\"; write console, file or fileAndConsole",
        "run.yaml:17: the run file: apps[2].appDirPath is missing",
    ];
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(found.starts_with(wanted), "{found}\n{wanted}");
    }
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
}

#[test]
fn the_largest_body_may_be_given_in_either_form_but_not_in_both() {
    let folder = tempfile::tempdir().unwrap();
    let app = |settings: &str| format!("version: 1\napps:\n- appDirPath: shop\n{settings}");
    let (specs, found, _) = read_in(folder.path(), &app("  daprHTTPMaxRequestSize: 16\n"));
    assert_eq!((specs[0].max_body, found), (Some(16 << 20), Vec::new()));
    let name = "the run file: apps[0].daprHTTPMaxRequestSize";
    let most = "write a size of at most 60Mi: one command to a backend has at most 64Mi";
    for (wrong, why) in [
        ("0", "write a size such as 4Mi"),
        ("16Mi", "write a number of MiB"),
        ("-1", "write a number of MiB"),
        ("61", most),
        ("65536", most),
    ] {
        let why = format!("run.yaml:4: {name} is no size: {why}");
        assert_eq!(faults(&app(&format!("  daprHTTPMaxRequestSize: {wrong}\n"))), [why]);
    }
    let both = faults(&app("  daprHTTPMaxRequestSize: 16\n  daprMaxBodySize: 8Mi\n"));
    assert_eq!(both, [format!("run.yaml:4: {name} stands beside daprMaxBodySize; keep one")]);
}

#[test]
fn what_has_no_effect_is_remarked() {
    let folder = tempfile::tempdir().unwrap();
    let text = "version: 1\napps:\n- appID: a\n  appDirPath: shop\n  metricsPort: 9090\n";
    let (_, found, remarks) = read_in(folder.path(), text);
    assert_eq!(found, [""; 0]);
    let wanted =
        "run.yaml:5: the application \"a\": apps[0].metricsPort has no effect: Envoy's statistics are at --admin-port";
    assert_eq!(remarks, [wanted]);
}

#[test]
fn a_file_that_is_no_run_file_is_a_problem() {
    assert_eq!(faults(""), ["run.yaml: the run file is empty"]);
    assert_eq!(faults("version: 1\n"), ["run.yaml:1: the run file: apps is missing"]);
    let none = "run.yaml:2: the run file: apps is empty; name one application at least";
    assert_eq!(faults("version: 1\napps: []\n"), [none]);
    assert_eq!(
        faults("version: 1\napps: []\n---\na: 1\n"),
        ["run.yaml:4: a run file has one document; this is a second one"]
    );
    let problems = Problems::default();
    read(Path::new("/nowhere.yaml"), &problems);
    assert!(problems.check(()).unwrap_err()[0].to_string().starts_with("/nowhere.yaml: cannot be read: "));
}
